/** How a study goes at this hospital: the newest merged model and the best one by validation loss, and whether it still improves. */
import type { Calibration, LocalFigures } from '../core/figures.ts'
import type { Digest } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'

/** One merged model, as measured here. `metrics` on held-out rows as the model is, `calibrated` with the calibration. */
export interface Assessed {
  readonly round: number
  readonly model: Digest
  readonly validationLoss: number
  readonly metrics: Metrics
  readonly calibration: Calibration | null
  readonly calibrated: Metrics | null
}

/** As it is kept over a restart: plain data. */
export interface StandingState {
  readonly newest: Assessed
  readonly best: Assessed
  /** The validation loss that improved on all before it by the study's δ last, and how many merges came after it. */
  readonly gain: { readonly validationLoss: number; readonly mergesSince: number }
  /** Of the newest personal model. */
  readonly personal: Metrics | null
}

/** One per study run. */
export class Standing {
  #state: StandingState | null = null

  get state(): StandingState | null {
    return this.#state
  }

  restore(state: StandingState | null): void {
    this.#state = state
  }

  /**
   * The best is the one of least validation loss, the newest of equals: where nothing was learnt the later mixed more hospitals. By rows that
   * it was trained on a model that learnt them by heart would be the best: where none are apart, that is the newest.
   */
  note(round: number, model: Digest, metrics: Metrics, figures: LocalFigures, delta: number): void {
    const { apart, validationLoss, calibration, calibrated, personal } = figures
    const newest: Assessed = { round, model, validationLoss, metrics, calibration, calibrated }
    const before = this.#state
    const better = before === null || !apart || validationLoss <= before.best.validationLoss
    const gained = before === null || validationLoss < before.gain.validationLoss - delta
    this.#state = {
      newest,
      best: better ? newest : before.best,
      gain: gained ? { validationLoss, mergesSince: 0 } : { ...before.gain, mergesSince: before.gain.mergesSince + 1 },
      personal,
    }
  }

  /** Whether the validation loss has not fallen by δ in the last `rounds` merges: a node that was away skips rounds, in which it saw nothing. */
  isPlateau(rounds: number): boolean {
    const state = this.#state
    return state !== null && state.gain.mergesSince >= rounds
  }
}
