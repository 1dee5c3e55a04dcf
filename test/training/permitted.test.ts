/** The trainer on rows that patients permit: what it opens, when it opens anew, and that nothing trains on other words than the round's. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import type { Digest } from '../../src/core/ids.ts'
import { permittedRows } from '../../src/data/subjects.ts'
import type { DesignMatrix, OpenRequest } from '../../src/learn/learner.ts'
import type { PermittedTable } from '../../src/training/openRequest.ts'
import { Trainer } from '../../src/training/trainer.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { studyOf, tableOf } from '../node/clinics.ts'
import { PERMIT, trainerParts } from './trainerKit.ts'

const it = suite('permitted rows')

const ASKING = studyOf(7, 'consent: { basis: opt-out, jurisdiction: DE, purposes: [DUO:0000006] }\n')
const TABLE = { ...tableOf('clinic', 60), subjects: Uint32Array.from({ length: 60 }, (_, row) => row) }

class OpenedLearner extends LinearLearner {
  readonly rows: number[] = []
  readonly matrices = new Set<DesignMatrix>()

  override async open(request: OpenRequest) {
    this.rows.push(request.inUse?.train.length ?? -1)
    this.matrices.add(request.train)
    return super.open(request)
  }
}

function trainer() {
  const learner = new OpenedLearner()
  let said: PermittedTable | null = null
  const made = new Trainer(trainerParts(ASKING, learner, { permitted: async () => said as PermittedTable }), [])
  /** The first `refusing` patients of those who train say no. */
  const say = (root: string, refusing: number): void => {
    const permitted = new Uint8Array(60).fill(1)
    for (const row of TABLE.trainRows.slice(0, refusing)) permitted[row] = 0
    const found = permittedRows(TABLE, permitted, 10)
    said = { ...found, table: TABLE, testRows: found.dataset.testRows.length, root: digestOf(root), changesAtMs: null }
  }
  const again = (root: string): void => {
    said = { ...(said as unknown as PermittedTable), root: digestOf(root) }
  }
  const consult = () => made.consult({ type: 'consult-consent', permit: PERMIT, atMs: 5, words: 0 })()
  const open = () => made.open({ type: 'open-study', permit: PERMIT, start: 'initial' })()
  const train = async (root: string, base: Digest) =>
    made.train({ type: 'train', permit: { ...PERMIT, consent: digestOf(root) } as never, round: 0, base })()
  return { learner, say, again, consult, open, train }
}

it('opens the rows that are permitted, opens anew where they are others, and only then', async () => {
  const { learner, say, again, consult, open } = trainer()
  say('all', 0)
  await consult()
  await open()
  await consult()
  again('a word that changes nobody’s permission')
  await consult()
  assert.equal(learner.rows, [45])
  say('three fewer', 3)
  const event = await consult()
  assert.equal(learner.rows, [45, 42])
  assert.is(learner.matrices.size, 1) // the table is prepared once
  assert.ok(event.type === 'consulted')
  assert.equal(event.consulted, { root: digestOf('three fewer'), patients: 42, testRows: 15 })
})

it('below the minimum cohort it opens nothing, and says how many are left', async () => {
  const { learner, say, consult, open } = trainer()
  say('all', 0)
  await consult()
  await open()
  say('nine left', 36)
  const event = await consult()
  assert.ok(event.type === 'consulted')
  assert.is(event.consulted.patients, 9)
  assert.equal(learner.rows, [45])
})

it('trains under the root that it was opened with alone, and tells of rows as a multiple of the minimum cohort', async () => {
  const { say, consult, open, train } = trainer()
  say('three fewer', 3)
  await consult()
  const opened = await open()
  assert.ok(opened.type === 'opened')
  const trained = await train('three fewer', opened.base)
  assert.ok(trained.type === 'trained')
  assert.is(trained.examples, 40)
  const refused = await train('another', opened.base).catch((error: unknown) => error)
  assert.match(String(refused), /what trains is what patients permitted/)
})

it.run()
