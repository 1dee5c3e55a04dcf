/** What a study asks of private training, with a hospital's own numbers in it. */
import type { StudyPrivacy } from '../config/study.ts'
import type { PrivacySteps } from '../core/privacy.ts'
import type { PrivateTraining } from '../learn/learner.ts'

const DELTA_POWER = 1.1 // a chance well below one in the number of patients, and reachable at a few hundred of them

/** δ = rows^−1.1 where the study leaves it to each hospital. `epsilonMax` is the hospital's own bound; the stricter one counts. */
export function privateTraining(
  privacy: StudyPrivacy,
  given: {
    readonly rows: number
    readonly spent: readonly PrivacySteps[]
    readonly roundsMax: number
    readonly epsilonMax: number | null
  },
): PrivateTraining {
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
