/** What sealing a checkpoint of 10 MB adds to a round: beside the same write unsealed, and beside the training that it belongs to. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseStudy } from '../../../src/config/study.ts'
import { toHex, utf8 } from '../../../src/core/bytes.ts'
import { sha256 } from '../../../src/core/digest.ts'
import type { MemberId, StudyId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { Dataset } from '../../../src/data/dataset.ts'
import { KernelLearner } from '../../../src/learn/kernels/kernelLearner.ts'
import { initialWeights } from '../../../src/learn/model.ts'
import type { LogStore } from '../../../src/ledger/store.ts'
import { pinNothing, pinPath } from '../../../src/store/headPin.ts'
import { LevelStore } from '../../../src/store/levelStore.ts'
import { SealedStore } from '../../../src/store/sealedStore.ts'
import { openRequest } from '../../../src/training/openRequest.ts'
import { type Figure, median, under } from '../figures.ts'

const ROWS = 2_000
const COLUMNS = 30
const TIMES = 15
const SHARE_MAX = 5 // per cent of a round
const ID = toHex(sha256(utf8('study'))) as StudyId
const SELF = toHex(sha256(utf8('hospital'))) as string as MemberId

const STUDY = parseStudy(
  `name: Bench
purpose: to measure
model: { kind: mlp, hidden: [900, 890] }
training: { localEpochs: 1, batchRows: 64 }
label: { name: ill, positive: 'yes', negative: 'no' }
features: [${Array.from({ length: COLUMNS }, (_, i) => `{ name: f${i}, kind: number }`).join(', ')}]
`,
  'bench.yaml',
)

const NONE = { table: null, before: null, spent: [], epsilonMax: null }

/** Weights and both moments of an MLP with 830,000 parameters, as they are stored after each round. */
export async function bench(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-bench-'))
  try {
    const weights = initialWeights(STUDY.model, COLUMNS, ID)
    const checkpoint = new Uint8Array(12 * weights.shared.length).map((_, i) => (i * 31) % 251)
    const trainMs = await train()
    const plain = await puts(join(folder, 'plain'), checkpoint, async (store) => store)
    const sealed = await puts(join(folder, 'sealed'), checkpoint, (store) =>
      SealedStore.open(store, sha256(utf8('data key')), 'data.key'),
    )
    const addedMs = Math.max(0, median(sealed) - median(plain))
    const how = `${(checkpoint.length / 1e6).toFixed(1)} MB: ${median(plain).toFixed(0)} ms plain, ${median(sealed).toFixed(0)} ms sealed, both synced; a round of one epoch on ${ROWS} rows trains for ${trainMs.toFixed(0)} ms`
    return [under('sealing of a checkpoint, of a round', (100 * addedMs) / trainMs, SHARE_MAX, '%', how)]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function puts(
  folder: string,
  value: Uint8Array,
  over: (store: LevelStore) => Promise<LogStore>,
): Promise<number[]> {
  const database = join(folder, 'database')
  await mkdir(folder)
  await pinNothing(pinPath(database))
  const level = await LevelStore.open(database, { self: SELF })
  const store = await over(level)
  const times: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const begun = performance.now()
    await store.putState(new Map([['checkpoint/a', value]]))
    times.push(performance.now() - begun)
  }
  await level.close()
  return times
}

async function train(): Promise<number> {
  const learner = new KernelLearner()
  const scaling = { mean: new Array<number>(COLUMNS).fill(0), deviation: new Array<number>(COLUMNS).fill(1) }
  await learner.open(openRequest({ id: ID, study: STUDY, scaling, dataset: tableOf(), ...NONE }))
  const base = initialWeights(STUDY.model, COLUMNS, ID)
  const times: number[] = []
  for (let round = 0; round < 3; round++) {
    const begun = performance.now()
    await learner.train({ study: ID, base, optimiser: new Uint8Array(0), seed: `${round}` })
    times.push(performance.now() - begun)
  }
  await learner.close()
  return median(times)
}
function tableOf(): Dataset {
  const rng = Rng.from('bench', 'consent')
  const pool = Float64Array.from({ length: 65_537 }, () => 2 * rng.float() - 1)
  const values = Float64Array.from({ length: ROWS * COLUMNS }, (_, i) => pool[(i * 31) % pool.length] as number)
  const rows = Uint32Array.from({ length: ROWS }, (_, row) => row)
  return {
    rows: ROWS,
    features: STUDY.features.map(({ name }) => name),
    values,
    labels: Uint8Array.from(rows, () => rng.below(2)),
    trainRows: rows.subarray(0, 1_600),
    validationRows: rows.subarray(1_600, 1_800),
    testRows: rows.subarray(1_800),
    subjects: rows,
  }
}
