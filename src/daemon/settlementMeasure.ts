/** Measures on this hospital's own patients what the others' updates in its own merges are worth, and records it. */
import { randomInt } from 'node:crypto'
import { toldRows } from '../config/consent.ts'
import { modelOf, type Study } from '../config/study.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { Rng } from '../core/rng.ts'
import type { Dataset } from '../data/dataset.ts'
import { designMatrix } from '../data/design.ts'
import type { MeasureMethod } from '../governance/kinds/settlement.ts'
import { type Body, readBody } from '../governance/kinds.ts'
import type { SettlementBook } from '../governance/settlement/book.ts'
import { microTold } from '../governance/settlement/grain.ts'
import type { StudyState } from '../governance/studies.ts'
import { evaluate } from '../learn/evaluate.ts'
import { logitsInSlices } from '../learn/inSlices.ts'
import type { DesignMatrix } from '../learn/learner.ts'
import { type Game, leaveOneOut, truncatedShapley } from '../learn/marginal.ts'
import { type MergeInput, mergeUpdates } from '../learn/merge/rule.ts'
import type { Entry } from '../ledger/entry.ts'
import { FENCED } from '../node/boot.ts'
import { requireAgreed } from './agreementDesk.ts'
import type { Daemon } from './daemon.ts'
import type { InputStore } from './inputStore.ts'
import { entriesOf } from './logSlices.ts'
import { refOf } from './models.ts'
import type { SettlementMeasured } from './settlementApi.ts'

const TOLERANCE_NATS = 0.0001 // as fine as anything is told

/** Where updates are kept, and what is final. */
export interface MeasureParts {
  readonly inputs: Pick<InputStore, 'read'>
  readonly book: () => Promise<SettlementBook>
  /** In [0, 1), of the system unless a test gives another: nobody else may know it, else what it rounds is known better. */
  readonly chance?: () => number
}

/** How a command measures; `last` is how many of the newest rounds that are due. */
export interface MeasureRequest {
  readonly method: MeasureMethod
  readonly permutations: number
  readonly everyRounds: number
  readonly last: number
  /** Of the own log so many entries are looked at, the newest; all where it is absent. */
  readonly within?: number
}

/**
 * Measures the rounds that are due and records each. Errors: `measure-cohort`, `model-missing`, `agreement-…`, `dataset-not-bound`,
 * `boot-fence`, those of the table.
 */
export async function measureStudy(
  daemon: Daemon,
  parts: MeasureParts,
  state: StudyState,
  { everyRounds, last, within = Number.POSITIVE_INFINITY, ...how }: MeasureRequest,
): Promise<SettlementMeasured> {
  const { id, study } = state
  await requireAgreed(daemon, state, 'round')
  const measured = { study: id, name: study.name, method: how.method }
  const done: SettlementMeasured['rounds'][number][] = []
  const skipped: SettlementMeasured['skipped'][number][] = []
  const due = await dueMerges(daemon, state, everyRounds, within)
  if (due.length === 0) return { ...measured, rounds: [], skipped }
  const patients = await patientsOf(daemon, state)
  for (const merge of due.slice(-last)) {
    const found = await measureMerge(daemon, parts, state, merge, patients, how)
    if ('why' in found) skipped.push({ round: merge.round + 1, ...found })
    else done.push(await record(daemon, state, merge.entry, found.body))
  }
  return { ...measured, rounds: done, skipped }
}

interface Patients {
  readonly matrix: DesignMatrix
  readonly part: 'validation' | 'test'
  /** The private output bias. */
  readonly head: Float32Array
}

/** Validation patients, or where those are too few the held-out ones; figures of fewer than the minimum cohort are told to nobody. */
async function patientsOf(daemon: Daemon, state: StudyState): Promise<Patients> {
  const { id, study, scaling } = state
  const found = daemon.model(id)
  if (found === null || scaling === null)
    throw refused('model-missing', `study ${id.slice(0, 12)} has no model here yet; it has one after its first round`)
  const dataset: Dataset = await daemon.dataset(id)
  const { validationRows, testRows } = dataset
  const part = validationRows.length >= study.minimumCohort ? 'validation' : 'test'
  const rows = part === 'validation' ? validationRows : testRows
  if (rows.length < study.minimumCohort)
    throw refused(
      'measure-cohort',
      `${validationRows.length} validation and ${testRows.length} held-out patients are here, the study's minimum cohort is ${study.minimumCohort}: figures of fewer say too much of each, so this hospital measures nothing`,
    )
  const matrix = designMatrix(study, dataset, toldRows(study, rows), await daemon.models.scaling({ ...state, scaling }))
  return { matrix, part, head: found.weights.head }
}

interface DueMerge {
  readonly entry: Entry
  readonly round: number
  readonly inputs: Body<'round.merged'>['inputs']
  readonly result: Digest
  readonly ages: readonly number[]
}

/** Own merges of every so many rounds that were not measured yet, oldest first. */
async function dueMerges(daemon: Daemon, { id }: StudyState, everyRounds: number, within: number): Promise<DueMerge[]> {
  const self = daemon.home.key.id
  const from = Math.max(0, daemon.logs.sizeOf(self).size - within)
  const due = new Map<number, DueMerge>()
  for await (const entry of entriesOf(daemon.logs, self, ['round.merged', 'value.measured'], { from })) {
    if (entry.study !== id) continue
    if (entry.kind === 'value.measured') {
      const told = readBody('value.measured', entry.body)
      if (told !== null) due.delete(told.round)
      continue
    }
    const merged = readBody('round.merged', entry.body)
    if (merged === null || (merged.round + 1) % everyRounds !== 0 || merged.inputs.length < 2) continue
    const ages = merged.parameters?.ages ?? merged.inputs.map(() => 0)
    const { round, inputs } = merged
    due.set(round, { entry, round, inputs, result: toHex(merged.result) as Digest, ages })
  }
  return [...due.values()]
}

async function measureMerge(
  daemon: Daemon,
  { inputs: kept, book: read, chance = ofSystem }: MeasureParts,
  { id, study }: StudyState,
  { round, inputs, result, ages }: DueMerge,
  patients: Patients,
  { method, permutations }: Pick<MeasureRequest, 'method' | 'permutations'>,
): Promise<{ readonly body: Body<'value.measured'> } | { readonly why: string; readonly waits: boolean }> {
  const self = daemon.home.key.id
  const book = await read()
  const held: MergeInput[] = []
  for (const [i, [key, theirs, update]] of inputs.entries()) {
    const author = toHex(key) as MemberId
    const weights = await kept.read(id, toHex(update) as Digest)
    if (weights === null)
      return { why: `the update of ${daemon.nameOf(author)} is kept here no more (replay.keepMegabytes)`, waits: false }
    const examples = book.examplesOf(author, id, theirs)
    if (examples === null)
      return {
        why: `the entry by which ${daemon.nameOf(author)} trained its update is not final here yet`,
        waits: true,
      }
    held.push({ author, examples: Math.max(1, examples), ageRounds: ages[i] ?? 0, weights })
  }
  const others = held.filter(({ author }) => author !== self).sort((a, b) => compareIds(a.author, b.author))
  const own = held.find(({ author }) => author === self)
  if (own === undefined || others.length === 0) return { why: 'no update of another hospital was merged', waits: false }
  const game = gameOf(study, own, others, patients)
  const rng = Rng.from('value', result)
  const values =
    method === 'loo'
      ? await leaveOneOut(game)
      : await truncatedShapley(game, { permutations, tolerance: TOLERANCE_NATS, rng })
  const { matrix, part } = patients
  const told = matrix.rows - (matrix.rows % study.minimumCohort)
  const body: Body<'value.measured'> = {
    ...{ round, method, permutations: method === 'loo' ? 0 : permutations, seed: fromHex(result), part },
    patients: told,
    values: others.map(({ author }, i) => [fromHex(author), microTold(values[i] as number, told, chance())]),
  }
  return { body }
}

const ofSystem = (): number => randomInt(2 ** 32) / 2 ** 32

/** The own update is always there: what the others add to it, by the study's rule, is what they are worth here. */
function gameOf(study: Study, own: MergeInput, others: readonly MergeInput[], { matrix, head }: Patients): Game {
  return {
    players: others.length,
    utility: async (subset) => {
      const held = [own, ...subset.map((one) => others[one] as MergeInput)]
      const { weights: shared } = mergeUpdates(study.merge, held, own.author)
      const logits = await logitsInSlices(modelOf(study), { shared, head }, matrix)
      return -evaluate(logits, matrix.y).logLoss
    },
  }
}

async function record(
  daemon: Daemon,
  state: StudyState,
  merge: Entry,
  body: Body<'value.measured'>,
): Promise<SettlementMeasured['rounds'][number]> {
  const { writer, home, logs } = daemon
  if (writer === null) throw new ConsiliumError(FENCED)
  const self = home.key.id
  const from = logs.sizeOf(self).size
  const refs = [[self, merge.seq, merge.hash] as const]
  writer.record('value', [{ kind: 'value.measured', study: state.id, timeMs: Date.now(), refs, body }], new Map())
  await writer.flush()
  let seq = from
  for await (const entry of entriesOf(logs, self, ['value.measured'], { from })) seq = entry.seq
  return {
    round: body.round + 1,
    ...{ patients: body.patients, part: body.part, entry: refOf(daemon, self, seq) },
    values: body.values.map(([member, value]) => ({ name: daemon.nameOf(toHex(member) as MemberId), value })),
  }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
