/** What a study asks of private training, with a hospital's own numbers in it. */
import { toldCount } from '../config/consent.ts'
import type { Study, StudyPrivacy } from '../config/study.ts'
import type { PrivacySteps } from '../core/privacy.ts'
import type { PrivateTraining } from '../learn/learner.ts'

const DELTA_POWER = 1.1 // a chance well below one in the number of patients, and reachable at a few hundred of them

/** A hospital's own numbers; `rows` are those that train. */
interface Given {
  readonly rows: number
  readonly spent: readonly PrivacySteps[]
  readonly roundsMax: number
  readonly epsilonMax: number | null
}

/**
 * Of a private study; null of any other. Where patients are asked, neither δ nor the sampling rate, which every update tells, gives the number of
 * rows away: δ is that of the next multiple of the cohort, which is stricter, and the rate that of the last, which the accountant goes by.
 */
export function privateTrainingOf(study: Study, given: Given): PrivateTraining | null {
  const { privacy, consent, minimumCohort } = study
  if (privacy === null) return null
  if (consent === null) return privateTraining(privacy, given)
  const ratedRows = toldCount(study, given.rows)
  return { ...privateTraining(privacy, { ...given, rows: ratedRows + minimumCohort }), ratedRows }
}

/** δ = rows^−1.1 where the study leaves it to each hospital. `epsilonMax` is the hospital's own bound; the stricter one counts. */
export function privateTraining(privacy: StudyPrivacy, given: Given): PrivateTraining {
  const { noiseMultiplier, clipNorm, epsilonMax, delta } = privacy
  const { rows, spent, roundsMax } = given
  return {
    noiseMultiplier,
    clipNorm,
    epsilonMax: Math.min(epsilonMax, given.epsilonMax ?? epsilonMax),
    delta: delta === 'auto' ? rows ** -DELTA_POWER : delta,
    spent,
    roundsMax,
  }
}
