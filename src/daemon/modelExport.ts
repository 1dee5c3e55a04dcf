/** Makes the files of an export, and records that the model left. */
import { designColumns } from '../config/study.ts'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { DEVIATIONS_MAX } from '../data/design.ts'
import { type Described, describeModel } from '../learn/portable/description.ts'
import { MODEL_FORMATS, type ModelFormat, modelFiles } from '../learn/portable/modelFiles.ts'
import { requireAgreed } from './agreementDesk.ts'
import type { Daemon } from './daemon.ts'
import type { ModelExportReport } from './modelApi.ts'
import { type HeldModel, recordUse, requireUsable, withdrawalOf, withdrawalReport } from './models.ts'

/**
 * What the operator asked for. `sharedOnly` leaves the private head, the refit and own means and deviations at home; `forensic` exports a withdrawn model all the same, to
 * look into what went wrong: the file says so.
 */
export interface ExportRequest {
  readonly format: string
  readonly sharedOnly: boolean
  readonly forensic: boolean
}

/** Errors: `bad-format`, `model-withdrawn`, `boot-fence`. */
export async function exportModel(
  daemon: Daemon,
  model: HeldModel,
  request: ExportRequest,
): Promise<ModelExportReport> {
  const { sharedOnly, forensic } = request
  const format = formatOf(request.format)
  const { state, digest, rounds, weights, calibration } = model
  const scaling = scalingOf(model, sharedOnly)
  if (!forensic) await requireUsable(daemon, model)
  await requireAgreed(daemon, model.state, 'export')
  const withdrawn = await withdrawalOf(daemon, state, { author: daemon.home.key.id, model: digest })
  const description = describeModel(
    {
      ...{ id: state.id, study: state.study, scaling, digest, rounds },
      clipDeviations: DEVIATIONS_MAX,
      head: state.study.local.head === 'none' ? 'shared' : sharedOnly ? 'none' : 'own',
      calibration: sharedOnly ? null : calibration,
      withdrawn: withdrawn === null ? null : saying(withdrawalReport(daemon, withdrawn)),
    },
    designColumns(state.study),
  )
  const head = sharedOnly ? new Float32Array(weights.head.length) : weights.head
  const files = modelFiles(format, description, { shared: weights.shared, head })
  await recordUse(daemon, state, 'model.exported', {
    round: rounds - 1,
    model: fromHex(digest),
    format: withdrawn === null ? format : `${format}.withdrawn`,
    withHead: !sharedOnly && weights.head.length > 0,
    ...(scaling.by === 'own' ? { withScaling: true } : {}),
  })
  const content = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  return { description, files: files.map(({ name, bytes }) => ({ name, content: content(bytes) })) }
}

/** Means and deviations of its own rows tell of a hospital's patients: where others may read the file the consortium's stand in for them. */
function scalingOf({ state, scaling }: HeldModel, sharedOnly: boolean): Described['scaling'] {
  const { digest, scaling: everywhere } = state.scaling
  if (state.study.local.normalisation === 'consortium') return { digest, scaling: everywhere, by: 'consortium' }
  return sharedOnly ? { digest, scaling: everywhere, by: 'stand-in' } : { digest, scaling, by: 'own' }
}

function saying({ model, by, reason, entry }: ReturnType<typeof withdrawalReport>): string {
  return `${model} was withdrawn (${reason}) by ${by}, entry ${entry}; this model is it or descends from it, and is not to be used`
}

function formatOf(given: string): ModelFormat {
  const found = MODEL_FORMATS.find((format) => format === given)
  if (found !== undefined) return found
  throw new ConsiliumError({
    code: 'bad-format',
    message: `--format: ${JSON.stringify(given.slice(0, 40))} given; ${MODEL_FORMATS.join(', ')} are allowed`,
  })
}
