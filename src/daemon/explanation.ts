/** Says which features a model's predictions rest on, measured on this hospital's own held-out rows. */
import { toldRows } from '../config/consent.ts'
import { modelOf } from '../config/study.ts'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { designMatrix } from '../data/design.ts'
import { evaluate } from '../learn/evaluate.ts'
import { importances, type Logits, REPEATS } from '../learn/explain.ts'
import { logitsInSlices } from '../learn/inSlices.ts'
import { requireAgreed } from './agreementDesk.ts'
import type { Daemon } from './daemon.ts'
import type { ExplainReport } from './modelApi.ts'
import { type HeldModel, recordUse, requireUsable } from './models.ts'

/** Errors: `model-withdrawn`, `agreement-…`, `explain-cohort`, `bad-repeats`, `dataset-not-bound`, `boot-fence`. */
export async function explainModel(daemon: Daemon, model: HeldModel, repeats: number): Promise<ExplainReport> {
  await requireUsable(daemon, model)
  await requireAgreed(daemon, model.state, 'predict')
  if (!Number.isInteger(repeats) || repeats < REPEATS.min || repeats > REPEATS.max)
    throw refused('bad-repeats', `--repeats: ${repeats} given; ${REPEATS.min} to ${REPEATS.max} are allowed`)
  const { state, weights, digest, rounds, scaling } = model
  const { study } = state
  const dataset = await daemon.dataset(state.id)
  const { minimumCohort } = study
  if (dataset.testRows.length < minimumCohort)
    throw refused(
      'explain-cohort',
      `${dataset.testRows.length} patients are held out here, the study's minimum cohort is ${minimumCohort}: figures of fewer say too much of each`,
    )
  const matrix = designMatrix(study, dataset, toldRows(study, dataset.testRows), scaling)
  const logits: Logits = (rows) => logitsInSlices(modelOf(study), weights, rows)
  const found = await importances(study, matrix, logits, { repeats, seed: digest })
  const { auc, logLoss } = evaluate(await logits(matrix), matrix.y)
  const { rows } = matrix
  await recordUse(daemon, state, 'model.explained', { round: rounds - 1, model: fromHex(digest), rows, repeats })
  return { study: state.id, model: digest, rounds, rows, repeats, auc, logLoss, importances: found }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
