/** Predicts the rows of a file with a model that is held here: values stay on this machine, the log takes counts and the model's digest. */
import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { designColumns, modelOf } from '../config/study.ts'
import { fromHex } from '../core/bytes.ts'
import { Sha256, sha256 } from '../core/digest.ts'
import { fillDesign } from '../data/design.ts'
import { type RawBatch, scanRawRows, type ValueWarning } from '../data/rawRows.ts'
import { readTableFile, type TableFile } from '../data/table.ts'
import { fileCommitment, USE_SALT_BYTES } from '../governance/uses.ts'
import { logitsInSlices } from '../learn/inSlices.ts'
import { finalProbability } from '../learn/portable/description.ts'
import { csvCell } from '../report/csvCells.ts'
import { requireAgreed } from './agreementDesk.ts'
import type { BindingRequest } from './bindings.ts'
import type { Daemon } from './daemon.ts'
import { drained, writeNewFrom } from './files.ts'
import type { PredictReport } from './modelApi.ts'
import { type HeldModel, requireUsable } from './models.ts'

/** What the operator asked for; paths are absolute. */
export interface PredictRequest extends BindingRequest {
  readonly out: string
}

/**
 * Writes one line for each row: its line in the file, the probability of the positive label (nothing where the model may not say), and
 * warnings. The file appears when all is done and the run is kept, so that an entry tells of it (`useDesk.ts`). Errors: `model-withdrawn`, `agreement-…`, `boot-fence`,
 * `data-…`, `file-exists`, `disk-full`.
 */
export async function predictFile(daemon: Daemon, model: HeldModel, request: PredictRequest): Promise<PredictReport> {
  await requireUsable(daemon, model)
  await requireAgreed(daemon, model.state, 'predict')
  const { state, digest, rounds } = model
  const fromMs = Date.now()
  const table = await readTableFile(request.path)
  const tally = new Tally()
  const out = new PassThrough()
  const scan = writeRows(model, request, table, tally, out)
  const lines = async function* (): AsyncIterable<Uint8Array> {
    const written = new Sha256()
    for await (const piece of out as AsyncIterable<Uint8Array>) {
      written.update(piece)
      yield piece
    }
    await scan // a fault of the table comes out here, and leaves no file
    await noteRun(daemon, model, fromMs, tally, [sha256(table.bytes), written.digest()])
  }
  scan.catch(() => out.end())
  await writeNewFrom(request.out, lines(), 0o600).finally(() => out.destroy())
  return {
    study: state.id,
    model: digest,
    rounds,
    rows: tally.rows,
    warnedRows: tally.warned,
    rowsWithoutPrediction: tally.withoutPrediction,
    warnings: tally.byFeature(),
  }
}

/** `files`: SHA-256 of what was read and of what was written. */
async function noteRun(
  daemon: Daemon,
  { state, digest, rounds }: HeldModel,
  fromMs: number,
  { rows, warned, withoutPrediction }: Tally,
  [read, written]: readonly [Uint8Array, Uint8Array],
): Promise<void> {
  const salt = new Uint8Array(randomBytes(USE_SALT_BYTES))
  await daemon.uses.note({
    ...{ study: state.id, model: fromHex(digest), round: rounds - 1, cohort: state.study.minimumCohort },
    ...{ rows, warned, withoutPrediction, fromMs, toMs: Math.max(fromMs, Date.now()), salt },
    read: fileCommitment(salt, 'read', read),
    written: fileCommitment(salt, 'written', written),
  })
}

async function writeRows(
  model: HeldModel,
  request: PredictRequest,
  table: TableFile,
  tally: Tally,
  out: PassThrough,
): Promise<void> {
  const { state, scaling } = model
  const { columns, units, extra } = request
  await send(out, 'line,probability,warnings\n')
  await scanRawRows(state.study, scaling, table, { columns, units, extra }, async (batch) => {
    const probabilities = await probabilitiesOf(model, batch)
    const lines = batch.rows.map((row, i) => {
      tally.add(row)
      const probability = row.blocked ? '' : (probabilities[i] as number).toPrecision(6)
      return `${row.line},${probability},${csvCell(warningsCell(row))}\n`
    })
    await send(out, lines.join(''))
  })
  out.end()
}

/** Waits while the disk is slow; who reads no more ends it. */
async function send(out: PassThrough, text: string): Promise<void> {
  if (out.destroyed) throw new Error('nobody takes the predictions any more')
  if (!out.write(text)) await drained(out)
}

/** From raw values to probabilities. */
async function probabilitiesOf(
  { state, weights, calibration, scaling }: HeldModel,
  { rows, values }: RawBatch,
): Promise<number[]> {
  const { study } = state
  const columns = designColumns(study)
  const x = new Float32Array(rows.length * columns)
  const order = Uint32Array.from(rows, (_, row) => row)
  fillDesign(study.features, values, order, scaling, { x, at: 0, columns })
  const logits = await logitsInSlices(modelOf(study), weights, { rows: rows.length, columns, x })
  return Array.from(logits, (logit) => finalProbability(logit, calibration))
}

class Tally {
  rows = 0
  warned = 0
  withoutPrediction = 0
  readonly #counts = new Map<string, { feature: string; warning: ValueWarning; rows: number }>()

  add({ warnings, blocked }: RawBatch['rows'][number]): void {
    this.rows++
    if (warnings.length > 0) this.warned++
    if (blocked) this.withoutPrediction++
    for (const { feature, warning } of warnings) {
      const key = `${warning} ${feature}`
      const count = this.#counts.get(key) ?? { feature, warning, rows: 0 }
      count.rows++
      this.#counts.set(key, count)
    }
  }

  byFeature(): PredictReport['warnings'] {
    return [...this.#counts.values()].sort((a, b) => b.rows - a.rows)
  }
}

/** A row's warnings as one cell: `age: out-of-range; sex: missing`. */
function warningsCell({ warnings }: RawBatch['rows'][number]): string {
  return warnings.map(({ feature, warning }) => `${feature}: ${warning}`).join('; ')
}
