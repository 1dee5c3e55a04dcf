/** What consent adds to a round of 100,000 patients: asked before it, and the learner told whose rows are in use where somebody spoke. */
import { parseStudy } from '../../../src/config/study.ts'
import { toHex, utf8 } from '../../../src/core/bytes.ts'
import { sha256 } from '../../../src/core/digest.ts'
import type { MemberId, StudyId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { Dataset } from '../../../src/data/dataset.ts'
import { permittedRows } from '../../../src/data/subjects.ts'
import type { ConsentDecision } from '../../../src/governance/consent.ts'
import { ConsentSet } from '../../../src/governance/consentSet.ts'
import { VaultBook, type VaultSubject } from '../../../src/governance/vaultBook.ts'
import { KernelLearner } from '../../../src/learn/kernels/kernelLearner.ts'
import type { OpenRequest } from '../../../src/learn/learner.ts'
import { initialWeights } from '../../../src/learn/model.ts'
import { openRequest } from '../../../src/training/openRequest.ts'
import { type Figure, median, under } from '../figures.ts'

const PATIENTS = 100_000
const COLUMNS = 30
const ROUNDS = 5
const SHARE_MAX = 5 // per cent of a round
const ID = toHex(sha256(utf8('study'))) as StudyId
const HOSPITAL = toHex(sha256(utf8('hospital'))) as string as MemberId

const STUDY = parseStudy(
  `name: Bench
purpose: to measure
model: { kind: mlp, hidden: [64, 32] }
training: { localEpochs: 2, batchRows: 128 }
label: { name: ill, positive: 'yes', negative: 'no' }
features: [${Array.from({ length: COLUMNS }, (_, i) => `{ name: f${i}, kind: number }`).join(', ')}]
consent: { basis: opt-out, jurisdiction: DE, purposes: [DUO:0000006] }
`,
  'bench.yaml',
)

/** A round before which nobody spoke; beside it what it takes where somebody did. */
export async function bench(): Promise<Figure[]> {
  const dataset = tableOf()
  const records = Array.from({ length: PATIENTS }, (_, i) => `MRN-${i}`)
  const book = new VaultBook()
  const keep = (made: readonly Uint8Array[]): void => {
    for (const record of made) book.read(record)
  }
  keep(book.admit(records, chance))
  const { consent } = STUDY
  if (consent === null) throw new Error('the study asks patients')
  const table = { records, rows: new Uint32Array(PATIENTS).fill(1) }
  const set = new ConsentSet({ id: ID, consent }, HOSPITAL, table, book)
  const learner = new KernelLearner()
  const scaling = { mean: new Array<number>(COLUMNS).fill(0), deviation: new Array<number>(COLUMNS).fill(1) }
  let before: OpenRequest | null = null
  const open = async (): Promise<void> => {
    const permitted = permittedRows(dataset, set.permitted, 10).dataset
    const rows = { dataset: permitted, table: dataset, before }
    before = openRequest({ id: ID, study: STUDY, scaling, ...rows, spent: [], epsilonMax: null })
    await learner.open(before)
  }
  set.update(1_000)
  await open()
  const [train, quiet, spoken]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < ROUNDS; round++) {
    const atMs = 2_000 + round
    quiet.push(await time(async () => void set.update(atMs)))
    const subject = book.subject(records[round] as string) as VaultSubject
    const decision: ConsentDecision = { ...SAID, receivedAtMs: atMs, effectiveAtMs: atMs }
    keep(book.say([{ subject, decision, speaker: null }], chance))
    spoken.push(
      await time(async () => {
        set.update(atMs)
        await open()
      }),
    )
    const base = initialWeights(STUDY.model, COLUMNS, ID)
    const request = { study: ID, base, optimiser: new Uint8Array(0), seed: `${round}` }
    train.push(await time(async () => void (await learner.train(request))))
  }
  await learner.close()
  const share = (times: readonly number[]): number => (100 * median(times)) / median(train)
  const of = `of ${median(train).toFixed(0)} ms for two epochs of an MLP 30-64-32-1 on SIMD kernels`
  const opened = `${median(spoken).toFixed(1)} ms: whose rows are in use is told the learner; ${of}`
  return [
    under('consent in a round of 100,000 patients', share(quiet), SHARE_MAX, '%', of),
    under('consent where somebody spoke before the round', share(spoken), SHARE_MAX, '%', opened),
  ]
}

const SAID: Omit<ConsentDecision, 'receivedAtMs' | 'effectiveAtMs'> = {
  decision: 'deny',
  purposes: 'all',
  study: 'all',
  fromMs: null,
  toMs: null,
  by: 'subject',
  form: 'in-person',
}

function tableOf(): Dataset {
  const rng = Rng.from('bench', 'consent')
  const pool = Float64Array.from({ length: 65_537 }, () => 2 * rng.float() - 1)
  const values = Float64Array.from({ length: PATIENTS * COLUMNS }, (_, i) => pool[(i * 31) % pool.length] as number)
  const rows = Uint32Array.from({ length: PATIENTS }, (_, row) => row)
  return {
    rows: PATIENTS,
    features: STUDY.features.map(({ name }) => name),
    values,
    labels: Uint8Array.from(rows, () => rng.below(2)),
    trainRows: rows.subarray(0, 70_000),
    validationRows: rows.subarray(70_000, 75_000),
    testRows: rows.subarray(75_000),
    subjects: rows,
  }
}

let draws = 0
const chance = (): Uint8Array => sha256(utf8(`draw ${draws++}`))

async function time(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
