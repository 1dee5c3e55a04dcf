/** What a hospital's commands record of the rows of a study that asks patients: without a network. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toldRows } from '../../src/config/consent.ts'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { Digest } from '../../src/core/ids.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { explainModel } from '../../src/daemon/explanation.ts'
import { auditPrivacy } from '../../src/daemon/privacyAudit.ts'
import { measureStudy } from '../../src/daemon/settlementMeasure.ts'
import { permittedRows } from '../../src/data/subjects.ts'
import { Agreements } from '../../src/governance/agreements.ts'
import type { StudyState } from '../../src/governance/studies.ts'
import { initialWeights } from '../../src/learn/model.ts'
import { encodeEntry } from '../../src/ledger/entry.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { STUDY } from '../learn/fixtures.ts'
import { saltOf } from '../ledger/fixtures.ts'
import { studyOf, tableOf } from '../node/clinics.ts'

const it = suite('what commands tell of permitted rows')
const [ADA, BEN] = [keyOf('ada').member, keyOf('ben').member]
const ASKING = studyOf(7, 'consent: { basis: opt-out, jurisdiction: DE, purposes: [DUO:0000006] }')
const SCALING = { mean: [65, 350], deviation: [14, 140] }
const TABLE = { ...tableOf('asked', 240), subjects: Uint32Array.from({ length: 240 }, (_, row) => row) }
const MODEL = digestOf('model')
const WEIGHTS = {
  shared: Float32Array.of(0.9, 0.6, 0.1, -0.1),
  head: initialWeights(ASKING.model, 4, STUDY).head,
}

/** A daemon whose log has one merge with Ben, where so many of those who train and of those who are held out say no; it keeps what it records. */
function hospital(study = ASKING, refusing = { train: 0, test: 0 }, held = (rows: Uint32Array) => rows) {
  const permitted = new Uint8Array(240).fill(1)
  for (const row of TABLE.trainRows.slice(0, refusing.train)) permitted[row] = 0
  for (const row of TABLE.testRows.slice(0, refusing.test)) permitted[row] = 0
  const found = permittedRows(TABLE, permitted, 10).dataset
  const dataset = { ...found, testRows: held(found.testRows) }
  const scaling = { digest: digestOf('scaling'), scaling: SCALING, contributions: [] }
  const state = { id: STUDY, study, scaling, commitments: new Map() } as unknown as StudyState
  const log: Uint8Array[] = []
  const say = (kind: string, body: Cbor): void => {
    const fields = {
      author: ADA,
      seq: log.length,
      prev: new Uint8Array(32).fill(log.length),
      timeMs: 1_790_000_000_123,
      refs: [],
    }
    log.push(encodeEntry({ ...fields, kind, study: STUDY, lamport: log.length + 1 }, saltOf(kind), body))
  }
  const inputs = [ADA, BEN].map((one) => [fromHex(one), 0, fromHex(digestOf(one)), 0.5])
  say('round.merged', { round: 0, rule: 'mean', inputs, result: fromHex(MODEL) } as Cbor)
  const agreements = new Agreements()
  const daemon = {
    home: {
      config: { learner: { backend: 'kernels' }, agreements: { required: false } },
      key: { id: ADA },
      membership: { roll: { members: [ADA, BEN] } },
    },
    nameOf: (one: string) => one.slice(0, 6),
    logs: {
      sizeOf: () => ({ size: log.length }),
      entries: async (_: string, from: number, to: number) => log.slice(from, to),
    },
    machine: {
      finality: { final: () => null },
      view: () => ({ agreements, studies: [], suspensions: [], withdrawals: { binding: () => [] } }),
    },
    model: () => ({ round: 0, digest: MODEL, weights: WEIGHTS }),
    dataset: async () => dataset,
    models: { scaling: async () => SCALING },
    writer: {
      record: (_: string, drafts: { kind: string; body: Cbor }[]) => {
        for (const { kind, body } of drafts) say(kind, body)
      },
      flush: async () => undefined,
    },
  } as unknown as Daemon
  return { daemon, state }
}

const explain = async (asked: ReturnType<typeof hospital>) => {
  const held = { state: asked.state, scaling: SCALING, digest: MODEL, rounds: 1, weights: WEIGHTS, calibration: null }
  const { rows, auc, logLoss } = await explainModel(asked.daemon, held as never, 20)
  return { rows, auc, logLoss }
}
/** The value that is told by each of 25 chances: all together they say it to a 25th of a step. */
const measure = async (asked: () => ReturnType<typeof hospital>) => {
  const inputs = {
    read: async (_: string, digest: Digest) => (digest === digestOf(ADA) ? WEIGHTS.shared : new Float32Array(4)),
  }
  const how = { method: 'loo', permutations: 0, everyRounds: 1, last: 1 } as const
  const told = Array.from({ length: 25 }, async (_, i) => {
    const { daemon, state } = asked()
    const parts = { inputs, book: async () => ({ examplesOf: () => 40 }) as never, chance: () => i / 25 }
    const [round] = (await measureStudy(daemon, parts, state, how)).rounds
    return [round?.patients, round?.values[0]?.value]
  })
  return Promise.all(told)
}

it('an explanation, an audit and a measured value are of a multiple of the cohort, whoever of two has said no', async () => {
  for (const refusing of [
    { train: 3, test: 4 },
    { train: 4, test: 5 },
  ]) {
    const asked = hospital(ASKING, refusing)
    assert.is((await explain(asked)).rows, 50)
    const { members, others, loss } = await auditPrivacy(asked.daemon, asked.state)
    assert.equal([members, others], [170, 50])
    for (const { value } of [loss.found10, loss.found1])
      assert.ok(Math.abs(value * 170 - Math.round(value * 170)) < 1e-6)
    const alone = () => hospital(studyOf(), refusing, (rows) => toldRows(ASKING, rows)) // it has no other rows
    const values = await measure(() => hospital(ASKING, refusing))
    assert.equal(values, await measure(alone))
    assert.is(new Set(values.map(([, value]) => value)).size, 2, 'the steps above and below')
    assert.equal(values[0]?.[0], 50)
  }
  assert.is(
    (await explain(hospital(studyOf(), { train: 3, test: 4 }))).rows,
    56,
    'where nobody is asked all are told of',
  )
})

it('a model is audited once where patients are asked: figures before and after a word would tell of it', async () => {
  const asked = hospital()
  await auditPrivacy(asked.daemon, asked.state)
  const again = await auditPrivacy(asked.daemon, asked.state).catch((error: unknown) => error)
  assert.is((again as { code?: string }).code, 'audit-told')
})

it.run()
