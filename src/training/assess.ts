/** What a hospital learns of a merged model on its own patients beside the plain measures: validation loss, calibration, its personal model. */
import type { LocalFigures } from '../core/figures.ts'
import type { StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import { calibrated, fitCalibration } from '../learn/calibrate.ts'
import { evaluate } from '../learn/evaluate.ts'
import type { Learner, Weights } from '../learn/learner.ts'

/** The labels of an opened study's rows, and whether its validation rows are rows of their own. */
export interface Labels {
  readonly test: Uint8Array
  readonly validation: Uint8Array
  readonly apart: boolean
}

/**
 * A calibration fitted on rows that the model was trained on would flatter it: where no rows are apart there is none. `judged` measures logits of
 * the held-out rows. Errors: the learner's.
 */
export async function assess(
  learner: Learner,
  study: StudyId,
  weights: Weights,
  labels: Labels,
  judged: (logits: ArrayLike<number>) => Metrics,
): Promise<Omit<LocalFigures, 'personal'>> {
  const validation = await learner.logits(study, weights, 'validation')
  const validationLoss = evaluate(validation, labels.validation).logLoss
  const calibration = labels.apart ? fitCalibration(validation, labels.validation) : null
  const { apart } = labels
  if (calibration === null) return { apart, validationLoss, calibration, calibrated: null }
  const test = await learner.logits(study, weights, 'test')
  return { apart, validationLoss, calibration, calibrated: judged(calibrated(test, calibration)) }
}
