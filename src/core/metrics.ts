/** How good a model is on some held-out patients. */

/** Measures of one model on one set of rows; `examples` and `positives` are rows, shares lie from 0 to 1. */
export interface Metrics {
  readonly examples: number
  readonly positives: number
  /** Area under the ROC curve; null where a class is absent. */
  readonly auc: number | null
  readonly accuracy: number
  /** Mean negative log-likelihood, nats. */
  readonly logLoss: number
  /** Mean squared error of the probability (Brier 1950). */
  readonly brier: number
  /** Expected calibration error over ten bins of equal width (Guo et al. 2017). */
  readonly calibrationError: number
}

/** Whether figures may tell the classes apart: else an AUC is the ranks of a few patients, and a rate or an intercept is their number. */
export function classesShow({ examples, positives }: Pick<Metrics, 'examples' | 'positives'>, cohort: number): boolean {
  return Math.min(positives, examples - positives) >= cohort
}
