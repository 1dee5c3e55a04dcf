/** A study's models at this hospital, for its people: the numbers, and how good they are. */
import type { Calibration } from '../core/figures.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Assessed, StandingState } from '../node/standing.ts'

/** The model of a study at this hospital: the best by validation loss where the study has ended, else the newest; with this hospital's private head: for its own people only. */
export interface ModelReport {
  readonly study: string
  /** Rounds that went into it. */
  readonly round: number
  readonly digest: string
  readonly shared: readonly number[]
  readonly head: readonly number[]
  readonly which: 'newest' | 'best'
  /** logit ← slope · logit + intercept, fitted on this hospital's validation patients; 1 and 0 where they are too few. */
  readonly calibration: { readonly slope: number; readonly intercept: number }
  /** The newest personal model; null where the study asks for none. */
  readonly personal: { readonly shared: readonly number[]; readonly head: readonly number[] } | null
  readonly scaling: { readonly digest: string; readonly mean: readonly number[]; readonly deviation: readonly number[] }
}

/** One merged model on this hospital's patients: `metrics` and, as calibrated, `calibrated` on the held-out ones; `round` rounds went into it. */
export interface AssessedReport {
  readonly round: number
  readonly validationLoss: number
  readonly metrics: Metrics
  readonly calibration: Calibration | null
  readonly calibrated: Metrics | null
}

/** The newest merged model and the best by validation loss, and the measures of the newest personal model. */
export interface StandingReport {
  readonly newest: AssessedReport
  readonly best: AssessedReport
  readonly personal: Metrics | null
}

/** For people: rounds counted from 1; null before the first merge. */
export function standingReport(state: StandingState | null): StandingReport | null {
  if (state === null) return null
  const told = ({ round, validationLoss, metrics, calibration, calibrated }: Assessed): AssessedReport => {
    return { round: round + 1, validationLoss, metrics, calibration, calibrated }
  }
  return { newest: told(state.newest), best: told(state.best), personal: state.personal }
}
