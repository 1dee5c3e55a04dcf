/** Training in the kernels: against TensorFlow.js, against finite differences, resumed, diverged, and the same to the bit on every machine. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import { floatBytes } from '../../src/core/digest.ts'
import type { ConsiliumError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { batches } from '../../src/learn/batches.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { Kernels } from '../../src/learn/kernels/kernels.ts'
import {
  type Learner,
  type ModelSpec,
  type OpenRequest,
  rowsOf,
  type TrainResult,
  type Weights,
} from '../../src/learn/learner.ts'
import { initialWeights, layout, type Parameters, parameterCount, predict } from '../../src/learn/model.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { LOGISTIC, MLP, opening, STUDY, someWeights, table } from './fixtures.ts'

const it = suite('kernel learner')

const NONE = new Uint8Array(0)
const mlp = (...hidden: number[]): ModelSpec => ({ kind: 'mlp', hidden })
const nameOf = (model: ModelSpec): string => (model.kind === 'mlp' ? `mlp ${model.hidden.join('-')}` : model.kind)

/** Widths with and without padding, with an odd number of vectors, and down to one. */
const SHAPES: readonly { model: ModelSpec; columns: number; rows: number; batchRows: number }[] = [
  { model: LOGISTIC, columns: 5, rows: 41, batchRows: 7 },
  { model: LOGISTIC, columns: 57, rows: 41, batchRows: 32 },
  { model: LOGISTIC, columns: 8, rows: 3, batchRows: 32 },
  { model: LOGISTIC, columns: 1, rows: 10, batchRows: 1 },
  { model: mlp(6), columns: 7, rows: 41, batchRows: 9 },
  { model: mlp(64), columns: 30, rows: 34, batchRows: 32 },
  { model: mlp(12), columns: 4, rows: 30, batchRows: 16 },
  { model: mlp(1), columns: 3, rows: 21, batchRows: 8 },
  { model: mlp(9, 5), columns: 6, rows: 37, batchRows: 10 },
  { model: mlp(16, 8), columns: 13, rows: 50, batchRows: 50 },
  { model: mlp(3, 11, 4, 7), columns: 2, rows: 19, batchRows: 6 },
]

async function trained(learner: Learner, request: OpenRequest, base: Weights, rounds = 1): Promise<TrainResult> {
  try {
    await learner.open(request)
    let result = { weights: base, optimiser: NONE } as TrainResult
    for (let r = 0; r < rounds; r++) {
      const { weights, optimiser } = result
      result = await learner.train({ study: STUDY, base: weights, optimiser, seed: `round ${r}` })
    }
    return result
  } finally {
    await learner.close()
  }
}

const flatten = (weights: Weights): number[] => [...weights.shared, ...weights.head]

function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.is(actual.length, expected.length)
  for (let i = 0; i < actual.length; i++) {
    const [a, b] = [actual[i] as number, expected[i] as number]
    assert.ok(Math.abs(a - b) <= tolerance, `value ${i}: ${a}, expected ${b}`)
  }
}

for (const { model, columns, rows, batchRows } of SHAPES) {
  for (const optimiser of ['sgd', 'adam'] as const) {
    const training = { localEpochs: 3, batchRows, learningRate: optimiser === 'sgd' ? 0.2 : 0.02, l2: 0.05, optimiser }
    const request: OpenRequest = {
      study: STUDY,
      model,
      training,
      train: table('train', rows, columns, 2),
      test: table('test', 22, columns, 2),
    }
    const shape = `${nameOf(model)}, ${columns} columns, ${rows} rows in batches of ${batchRows}, ${optimiser}`

    it(`${shape}: two rounds give the weights, loss and optimiser of TensorFlow.js`, async () => {
      const base = someWeights(model, columns)
      const ours = await trained(new KernelLearner(), request, base, 2)
      const theirs = await trained(new TfjsLearner({ backend: 'cpu' }), request, base, 2)
      assertNear(flatten(ours.weights), flatten(theirs.weights), optimiser === 'sgd' ? 2e-5 : 2e-4)
      assertNear([ours.loss], [theirs.loss], 2e-5)
      assert.is(ours.examples, rows)
      assert.is(ours.optimiser.length, theirs.optimiser.length)
      const moments = (bytes: Uint8Array) => new Float32Array(bytes.slice(5).buffer)
      if (optimiser === 'adam') {
        assert.equal(ours.optimiser.subarray(0, 5), theirs.optimiser.subarray(0, 5))
        assertNear(moments(ours.optimiser), moments(theirs.optimiser), 2e-4)
      }
    })
  }
}

/** The penalised loss that a step descends, in float64. */
function objective({ model, train, training }: OpenRequest, weights: Parameters): number {
  const { logLoss } = evaluate(predict(model, train.columns, weights, train), train.y)
  let squares = 0
  for (const { inputs, outputs, kernelAt } of layout(model, train.columns)) {
    for (let i = kernelAt; i < kernelAt + inputs * outputs; i++) squares += (weights.shared[i] as number) ** 2
  }
  return logLoss + 0.5 * training.l2 * squares
}

function differences(request: OpenRequest, base: Weights): number[] {
  const h = 1e-6
  const flat = Float64Array.from(flatten(base))
  const at = (i: number, by: number) => {
    const moved = flat.map((value, j) => (j === i ? value + by : value))
    return objective(request, { shared: moved.subarray(0, -1), head: moved.subarray(-1) })
  }
  return Array.from(flat, (_, i) => (at(i, h) - at(i, -h)) / (2 * h))
}

for (const model of [LOGISTIC, mlp(6), mlp(7, 3), mlp(5, 4, 6), mlp(4, 8, 3, 2)]) {
  it(`${nameOf(model)}: one step of SGD goes down the gradient that finite differences give`, async () => {
    const request = opening({
      model,
      trainings: { optimiser: 'sgd', learningRate: 1, localEpochs: 1, batchRows: 60, l2: 0.3 },
    })
    const base = someWeights(model, 5)
    const { weights } = await trained(new KernelLearner(), request, base)
    const gradient = flatten(base).map((value, i) => value - (flatten(weights)[i] as number))
    assertNear(gradient, differences(request, base), 2e-6)
  })

  it(`${nameOf(model)}: evaluates as the plain forward pass does`, async () => {
    const request = opening({ model })
    const learner = new KernelLearner()
    await learner.open(request)
    const weights = someWeights(model, 5)
    const found = await learner.evaluate(STUDY, weights)
    const plain = evaluate(predict(model, 5, weights, request.test), request.test.y)
    assert.is(found.auc, plain.auc)
    assert.is(found.accuracy, plain.accuracy)
    assertNear([found.logLoss, found.calibrationError], [plain.logLoss, plain.calibrationError], 1e-6)
  })
}

it('from zeros the first step is half minus the label, as it should be at a logit of 0', async () => {
  const request = opening({
    trainings: { optimiser: 'sgd', learningRate: 1, localEpochs: 1, batchRows: 60, l2: 0.3 },
  })
  const base = initialWeights(LOGISTIC, 5, STUDY)
  const { weights, loss } = await trained(new KernelLearner(), request, base)
  assertNear([weights.head[0] as number], [20 / 60 - 0.5], 1e-7)
  assertNear([loss], [Math.LN2], 1e-7)
})

it('a learner stopped between rounds and started again gives the bytes of one that ran through', async () => {
  for (const optimiser of ['adam', 'sgd'] as const) {
    const request = opening({ model: mlp(6, 3), trainings: { optimiser } })
    const through = await trained(new KernelLearner(), request, someWeights(mlp(6, 3), 5), 4)
    let resumed = { weights: someWeights(mlp(6, 3), 5), optimiser: NONE } as TrainResult
    for (let r = 0; r < 4; r++) {
      const learner = new KernelLearner()
      await learner.open(request)
      const { weights, optimiser: state } = structuredClone(resumed)
      resumed = await learner.train({ study: STUDY, base: weights, optimiser: state, seed: `round ${r}` })
    }
    assert.equal(resumed, through)
  }
})

it('learners that share one memory do not disturb each other, and closing gives the memory back', async () => {
  const kernels = new Kernels()
  const request = opening({ model: mlp(6, 3) })
  const alone = await trained(new KernelLearner(), request, someWeights(mlp(6, 3), 5), 2)
  const other = new KernelLearner(kernels)
  await other.open(opening({ model: mlp(31), train: table('other', 90, 9), test: table('more', 9, 9) }))
  const bytes = kernels.bytes
  const [a, b] = [new KernelLearner(kernels), new KernelLearner(kernels)]
  for (const learner of [a, b, a]) await learner.open(request) // opening again replaces
  const start = { study: STUDY, base: someWeights(mlp(6, 3), 5), optimiser: NONE, seed: 'round 0' }
  const [first, second] = [await a.train(start), await b.train(start)]
  await other.train({ ...start, base: someWeights(mlp(31), 9) })
  const next = { study: STUDY, base: first.weights, optimiser: first.optimiser, seed: 'round 1' }
  assert.equal(second, first)
  assert.equal(await b.train(next), alone)
  assert.equal(await a.train(next), alone)
  await a.close()
  await b.close()
  assert.is(kernels.bytes, bytes)
})

it('a model that diverges is told of, and leaves nothing behind for the next', async () => {
  const learner = new KernelLearner()
  const request = opening({ trainings: { learningRate: 1e30, optimiser: 'sgd' } })
  await learner.open(request)
  const start = { study: STUDY, base: someWeights(LOGISTIC, 5), optimiser: NONE, seed: 's' }
  await assertCode(
    learner.train({ ...start, base: { shared: start.base.shared.map(() => 3e38), head: start.base.head } }),
  )
  const calm = opening({ trainings: { learningRate: 0.1, optimiser: 'sgd' } })
  const again = new KernelLearner()
  await again.open(calm)
  const before = await again.train(start)
  const nan = { shared: new Float32Array(5).fill(NaN), head: Float32Array.of(0) }
  await assertCode(again.train({ ...start, base: nan }))
  await assertCode(again.evaluate(STUDY, nan))
  assert.equal(await again.train(start), before)
})

async function assertCode(running: Promise<unknown>, code = 'learner-diverged'): Promise<void> {
  const error = await running.then(
    () => assert.unreachable(),
    (reason: unknown) => reason as ConsiliumError,
  )
  assert.is((error as ConsiliumError).code, code)
}

it('weights, states and studies that do not fit are refused', async () => {
  const learner = new KernelLearner()
  const start = { study: STUDY, base: someWeights(LOGISTIC, 5), optimiser: NONE, seed: 's' }
  await assertCode(learner.train(start), 'learner-study-not-open')
  await learner.open(opening())
  await assertCode(learner.train({ ...start, base: someWeights(LOGISTIC, 6) }), 'learner-shape')
  await assertCode(learner.train({ ...start, optimiser: new Uint8Array(9) }), 'learner-state')
  await learner.open(opening({ trainings: { optimiser: 'sgd' } }))
  await assertCode(learner.train({ ...start, optimiser: Uint8Array.of(1, ...new Uint8Array(52)) }), 'learner-state')
  await learner.close()
  await assertCode(learner.evaluate(STUDY, start.base), 'learner-study-not-open')
})

/** Numbers from integers alone, so that nothing but the kernels can differ between machines. */
function plainNumbers(count: number, seed: string): Float32Array {
  const rng = Rng.from('golden', seed)
  return Float32Array.from({ length: count }, () => (rng.below(4_001) - 2_000) / 1_024)
}

// biome-ignore format: one line each
const GOLDEN = [
  { model: LOGISTIC, optimiser: 'sgd', bits: 'a9420a3f850046bfe257a1bfe656a73d6949cd3f' },
  { model: LOGISTIC, optimiser: 'adam', bits: 'ba58a13ef88907bf563f6bbf6044c0bd65b7a53f' },
  { model: mlp(3, 2), optimiser: 'sgd', bits: 'd6ef403f36bd77bfaff4e2bf0077ccbf2930a03fe138913f44604ebfdf82793f5d82a0bed48f883f855589bf01d1283cb374953fcd35f1bef59c173fbb2b03bf7a040fbf7400c4bf74d59a3eeea8e23f699ca3bee32035bfac208b3e5698313f' },
  { model: mlp(3, 2), optimiser: 'adam', bits: 'a45d0c3f49f401bf89fab1bfc7698ebfd79a223fbb23323fb44787bf720ee33e70a9053c4d34653fab41a7bff7a309be0c78833f7e1f04bf206ea93e88cd283ecc3f35bfb9ab35bf3373c43d1fc6ce3f0935bebec09618bf3ed1993e258e2a3f' },
] as const

for (const { model, optimiser, bits } of GOLDEN) {
  it(`${nameOf(model)}, ${optimiser}: the bits of a tiny run are those of every other machine and version of Node`, async () => {
    const columns = 3
    const training = { localEpochs: 3, batchRows: 4, learningRate: 0.05, l2: 0.01, optimiser }
    const y = Uint8Array.from({ length: 10 }, (_, row) => ((row * 7) % 3) & 1)
    const train = { rows: 10, columns, x: plainNumbers(30, 'x'), y }
    const count = parameterCount(model, columns).shared
    const base = { shared: plainNumbers(count, 'w'), head: Float32Array.of(0.25) }
    const result = await trained(new KernelLearner(), { study: STUDY, model, training, train, test: train }, base, 2)
    const all = Float32Array.from([...flatten(result.weights), result.loss])
    assert.is(toHex(floatBytes(all)), bits)
  })
}

it('the order of rows is that of the batches that TensorFlow.js sees', async () => {
  const request = opening({ trainings: { optimiser: 'sgd', localEpochs: 1, batchRows: 1, learningRate: 0.5, l2: 0 } })
  const { weights } = await trained(new KernelLearner(), request, initialWeights(LOGISTIC, 5, STUDY))
  const own = new Float64Array(6)
  for (const { x, y } of batches(request.train, 1, 'round 0', 0)) {
    let z = own[5] as number
    for (let j = 0; j < 5; j++) z += (own[j] as number) * (x[j] as number)
    const error = 1 / (1 + Math.exp(-z)) - (y[0] as number)
    for (let j = 0; j < 5; j++) own[j] = (own[j] as number) - 0.5 * error * (x[j] as number)
    own[5] = (own[5] as number) - 0.5 * error
  }
  assertNear(flatten(weights), own, 1e-5)
})

it('logits are those of the part that is named, or of other rows, and leave the memory as it was', async () => {
  const kernels = new Kernels()
  const learner = new KernelLearner(kernels)
  const validation = table('validation', 12, 5)
  const weights = someWeights(MLP, 5)
  for (const request of [opening({ model: MLP, validation }), opening({ model: MLP })]) {
    await learner.open(request)
    for (const rows of ['train', 'validation', 'test', table('others', 9, 5)] as const) {
      const matrix = typeof rows === 'string' ? rowsOf(request, rows) : rows
      const expected = predict(MLP, 5, weights, matrix)
      const found = await learner.logits(STUDY, weights, rows)
      assert.is(found.length, matrix.rows)
      for (const [row, value] of found.entries()) assert.ok(Math.abs(value - (expected[row] as number)) < 1e-5)
    }
  }
  await learner.close()
})

it.run()
