/** Rows in use: what is trained, tested and judged on them is, to the byte, what a learner gives that was opened on them alone. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import { gatherRows, withRowsInUse } from '../../src/learn/inUse.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import type { Learner, OpenRequest, RowsInUse } from '../../src/learn/learner.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { WorkerLearner } from '../../src/learn/workerLearner.ts'
import { LOGISTIC, opening, STUDY, someWeights, table } from './fixtures.ts'

const it = suite('rows in use')

const COLUMNS = 5
const WHOLE = opening({
  model: LOGISTIC,
  train: table('train', 41, COLUMNS),
  test: table('test', 17, COLUMNS),
  trainings: { batchRows: 7, localEpochs: 2 },
})
const VALIDATED: OpenRequest = { ...WHOLE, validation: table('validation', 13, COLUMNS) }
const BASE = someWeights(LOGISTIC, COLUMNS)
const every = (rows: number, but: readonly number[]): Uint32Array =>
  Uint32Array.from({ length: rows }, (_, row) => row).filter((row) => !but.includes(row))
const FEWER: RowsInUse = { train: every(41, [0, 8, 40]), validation: every(13, [5]), test: every(17, [3, 16]) }
const FEWER_STILL: RowsInUse = { train: every(41, [0, 2, 8, 9, 40]), validation: every(0, []), test: every(17, [3, 4]) }

/** Everything that a learner says of a study. */
async function sayings(learner: Learner): Promise<unknown[]> {
  const trained = await learner.train({ study: STUDY, base: BASE, optimiser: new Uint8Array(0), seed: 's' })
  const logits = await Promise.all(
    (['train', 'validation', 'test'] as const).map((part) => learner.logits(STUDY, trained.weights, part)),
  )
  return [trained, await learner.evaluate(STUDY, trained.weights), ...logits]
}

async function openedOn(make: () => Learner, ...requests: readonly OpenRequest[]): Promise<unknown[]> {
  const learner = make()
  try {
    for (const request of requests) await learner.open(request)
    return await sayings(learner)
  } finally {
    await learner.close()
  }
}

const LEARNERS: readonly (readonly [string, () => Learner])[] = [
  ['kernels', () => new KernelLearner()],
  ['TensorFlow.js', () => new TfjsLearner({ backend: 'cpu' })],
  ['linear', () => new LinearLearner()],
  ['a thread', () => new WorkerLearner({ backend: 'kernels' })],
]

for (const [name, make] of LEARNERS) {
  it(`${name}: gives what it would give of those rows alone, opened first or again, with validation rows or without`, async () => {
    const compact = (request: OpenRequest) => openedOn(make, withRowsInUse(request))
    const fewer = { ...VALIDATED, inUse: FEWER }
    const still = { ...VALIDATED, inUse: FEWER_STILL }
    assert.equal(await openedOn(make, fewer), await compact(fewer))
    assert.equal(await openedOn(make, VALIDATED, fewer, still), await compact(still))
    assert.equal(await openedOn(make, still, VALIDATED), await openedOn(make, VALIDATED))
    const { inUse: _, ...all } = { ...WHOLE, inUse: FEWER }
    assert.not.equal(await openedOn(make, { ...WHOLE, inUse: FEWER }), await openedOn(make, all))
  })
}

it('compact requests have the rows in use in their order, and training rows serve where no validation rows are left', () => {
  const { train, test, validation, inUse } = withRowsInUse({ ...VALIDATED, inUse: FEWER_STILL })
  assert.equal([train.rows, test.rows, validation, inUse], [36, 15, undefined, undefined])
  assert.equal(
    gatherRows(WHOLE.train, Uint32Array.of(40, 1)).x.subarray(0, COLUMNS),
    WHOLE.train.x.subarray(40 * COLUMNS),
  )
})

it.run()
