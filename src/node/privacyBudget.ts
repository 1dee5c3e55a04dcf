/** What private training has cost this hospital in one study, and whether another round may start. */
import type { StudyId } from '../core/ids.ts'
import { type PrivacyClaim, type PrivacySpent, type PrivacySteps, withSteps } from '../core/privacy.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Draft } from './actions.ts'
import type { Context } from './context.ts'

/**
 * One per study run. Spending is recorded in one durable batch with the update that it was for, before anything is published. A round that
 * a crash took away before that costs nothing: its noise, weights and private head were in memory alone. A round that was trained but
 * dropped (the study was paused meanwhile) does cost: its head goes into the next one, and so its steps are recorded with that. The log is
 * what counts, not the checkpoint: a damaged checkpoint gives no budget back.
 */
export class PrivacyBudget {
  #roundsLeft: number | null = null
  #claim: PrivacyClaim | null = null
  #unrecorded: readonly { readonly round: number; readonly steps: PrivacySteps }[] = []

  /** Null where the study is not private, or the learner has not said yet. */
  get roundsLeft(): number | null {
    return this.#roundsLeft
  }

  /** Of the newest own update. */
  get claim(): PrivacyClaim | null {
    return this.#claim
  }

  /** Spent here by the newest own update; 0 where the study is not private. */
  get epsilon(): number {
    return this.#claim?.epsilon ?? 0
  }

  /** The learner is open and has looked ahead, from what `spent` had told it. */
  opened(roundsWithin: number | null): void {
    this.#roundsLeft = roundsWithin
  }

  /** Of the newest update before a stop. */
  recall(claim: PrivacyClaim | null): void {
    this.#claim = claim
  }

  /** A round was trained, whatever becomes of it. */
  trained(round: number, spent: PrivacySpent | null): void {
    if (spent === null) return
    const { epsilon, delta, ...steps } = spent
    const { sampleRate, noiseMultiplier } = steps
    this.#claim = { epsilon, delta, sampleRate, noiseMultiplier }
    this.#unrecorded = [...this.#unrecorded, { round, steps }]
    if (this.#roundsLeft !== null) this.#roundsLeft = Math.max(0, this.#roundsLeft - 1)
  }

  /** For the learner: all that was spent so far, by the own log and since. Nothing of a study that is not private. */
  spent(context: Context, { study, spent }: StudyState): { spent?: readonly PrivacySteps[] } {
    if (study.privacy === null) return {}
    const recorded = spent.get(context.self)?.steps ?? []
    return { spent: this.#unrecorded.reduce((all, { steps }) => withSteps(all, steps), recorded) }
  }

  /** The entries of what has not been recorded, to be written with the update. */
  drafts(context: Context, id: StudyId): Draft[] {
    const drafts = this.#unrecorded.map(({ round, steps }) => context.draft('privacy.spent', id, { round, ...steps }))
    this.#unrecorded = []
    return drafts
  }
}
