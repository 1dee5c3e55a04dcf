/** What a hospital measures of a merged model on its own patients, beside the plain measures: calibration, and a personal model. */
import type { Metrics } from './metrics.ts'

/** logit ← slope · logit + intercept. */
export interface Calibration {
  readonly slope: number
  readonly intercept: number
  /** Validation rows that it was fitted on. */
  readonly rows: number
}

/** Of one merged model at one hospital. */
export interface LocalFigures {
  /** Whether the validation rows are rows that no model was trained on here. */
  readonly apart: boolean
  /** On the validation rows; where there are none, on the training rows, which serve. Nats. */
  readonly validationLoss: number
  /** Null where there are no validation rows, or too few of a class. */
  readonly calibration: Calibration | null
  /** On the held-out rows, calibrated; null where `calibration` is. */
  readonly calibrated: Metrics | null
  /** Of the personal model on the held-out rows; null where the study asks for none. */
  readonly personal: Metrics | null
}
