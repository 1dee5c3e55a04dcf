/** The tfjs learner: gradients, optimisers and predictions against independent arithmetic, on both backends; resume; leaks; errors. */
import * as tf from '@tensorflow/tfjs-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { evaluate } from '../../src/learn/evaluate.ts'
import { type ModelSpec, type OpenRequest, rowsOf, type TrainResult, type Weights } from '../../src/learn/learner.ts'
import { initialWeights, layout, type Parameters, predict } from '../../src/learn/model.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { LOGISTIC, MLP, opening, STUDY, someWeights, table } from './fixtures.ts'

const it = suite('tfjs learner')

const BACKENDS = ['wasm', 'cpu'] as const
type Backend = (typeof BACKENDS)[number]
const MODELS: readonly ModelSpec[] = [LOGISTIC, MLP]
const NONE = new Uint8Array(0)

async function withLearner<T>(
  backend: Backend,
  request: OpenRequest,
  work: (learner: TfjsLearner) => Promise<T>,
): Promise<T> {
  const learner = new TfjsLearner({ backend })
  try {
    await learner.open(request)
    return await work(learner)
  } finally {
    await learner.close()
  }
}

/** The penalised loss that a step descends, in float64 and without tensors. */
function objective({ model, train, training }: OpenRequest, weights: Parameters): number {
  const { logLoss } = evaluate(predict(model, train.columns, weights, train), train.y)
  let squares = 0
  for (const { inputs, outputs, kernelAt } of layout(model, train.columns)) {
    for (let i = kernelAt; i < kernelAt + inputs * outputs; i++) squares += (weights.shared[i] as number) ** 2
  }
  return logLoss + 0.5 * training.l2 * squares
}

/** Central differences of `objective`, shared parameters first, the head last. */
function differences(request: OpenRequest, base: Weights): number[] {
  const h = 1e-6
  const flat = Float64Array.from([...base.shared, ...base.head])
  const at = (i: number, by: number) => {
    const moved = flat.map((value, j) => (j === i ? value + by : value))
    return objective(request, { shared: moved.subarray(0, -1), head: moved.subarray(-1) })
  }
  return Array.from(flat, (_, i) => (at(i, h) - at(i, -h)) / (2 * h))
}

const flatten = ({ weights }: TrainResult): number[] => [...weights.shared, ...weights.head]

function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.is(actual.length, expected.length)
  for (let i = 0; i < actual.length; i++) {
    const [a, b] = [actual[i] as number, expected[i] as number]
    assert.ok(Math.abs(a - b) <= tolerance, `value ${i}: ${a}, expected ${b}`)
  }
}

for (const backend of BACKENDS) {
  for (const model of MODELS) {
    it(`${backend}, ${model.kind}: one step of SGD goes down the gradient that finite differences give`, async () => {
      const request = opening({
        model,
        trainings: { optimiser: 'sgd', learningRate: 1, localEpochs: 1, batchRows: 60, l2: 0.3 },
      })
      const base = someWeights(model, 5)
      const stepped = await withLearner(backend, request, (learner) =>
        learner.train({ study: STUDY, base, optimiser: NONE, seed: 's' }),
      )
      const gradient = flatten(stepped).map((value, i) => ([...base.shared, ...base.head][i] as number) - value)
      assertNear(gradient, differences(request, base), 2e-6)
    })

    it(`${backend}, ${model.kind}: evaluates as the plain forward pass does`, async () => {
      const request = opening({ model })
      const weights = someWeights(model, 5)
      const result = await withLearner(backend, request, (learner) => learner.evaluate(STUDY, weights))
      const plain = evaluate(predict(model, 5, weights, request.test), request.test.y)
      assert.is(result.auc, plain.auc)
      assert.is(result.accuracy, plain.accuracy)
      assertNear([result.logLoss, result.calibrationError], [plain.logLoss, plain.calibrationError], 1e-6)
      assert.is(result.positives, 15)
    })
  }

  it(`${backend}: three steps of Adam are those of Kingma and Ba's algorithm`, async () => {
    const request = opening({
      trainings: { optimiser: 'adam', learningRate: 0.05, localEpochs: 3, batchRows: 60, l2: 0.2 },
    })
    const base = someWeights(LOGISTIC, 5)
    const trained = await withLearner(backend, request, (learner) =>
      learner.train({ study: STUDY, base, optimiser: NONE, seed: 's' }),
    )
    const weights = [...base.shared, ...base.head]
    const [m, v] = [weights.map(() => 0), weights.map(() => 0)]
    for (let t = 1; t <= 3; t++) {
      const now = { shared: Float32Array.from(weights.slice(0, -1)), head: Float32Array.from(weights.slice(-1)) }
      differences(request, now).forEach((g, i) => {
        m[i] = 0.9 * (m[i] as number) + 0.1 * g
        v[i] = 0.999 * (v[i] as number) + 0.001 * g * g
        const step = (m[i] as number) / (1 - 0.9 ** t) / (Math.sqrt((v[i] as number) / (1 - 0.999 ** t)) + 1e-7)
        weights[i] = (weights[i] as number) - 0.05 * step
      })
    }
    assertNear(flatten(trained), weights, 2e-5)
  })

  it(`${backend}: a learner stopped between rounds and started again gives the bytes of one that ran through`, async () => {
    for (const optimiser of ['adam', 'sgd'] as const) {
      const request = opening({ model: MLP, trainings: { optimiser } })
      const round = (learner: TfjsLearner, from: Pick<TrainResult, 'weights' | 'optimiser'>, r: number) =>
        learner.train({ study: STUDY, base: from.weights, optimiser: from.optimiser, seed: `round ${r}` })
      const start = { weights: someWeights(MLP, 5), optimiser: NONE }
      const through = await withLearner(backend, request, async (learner) => {
        let state: Pick<TrainResult, 'weights' | 'optimiser'> = start
        for (let r = 0; r < 4; r++) state = await round(learner, state, r)
        return state
      })
      let resumed: Pick<TrainResult, 'weights' | 'optimiser'> = start
      for (let r = 0; r < 4; r++) {
        const state = structuredClone(resumed)
        resumed = await withLearner(backend, request, (learner) => round(learner, state, r))
      }
      assert.equal(resumed, through)
      assert.is(through.optimiser.length, optimiser === 'adam' ? 5 + 8 * (60 + 1) : 0)
    }
  })
}

it('the optimiser carries its moments over: without them the second round goes elsewhere', async () => {
  await withLearner('wasm', opening(), async (learner) => {
    const first = await learner.train({ study: STUDY, base: someWeights(LOGISTIC, 5), optimiser: NONE, seed: '1' })
    const kept = await learner.train({ study: STUDY, base: first.weights, optimiser: first.optimiser, seed: '2' })
    const lost = await learner.train({ study: STUDY, base: first.weights, optimiser: NONE, seed: '2' })
    assert.is(new DataView(kept.optimiser.buffer, kept.optimiser.byteOffset).getUint32(1), 4 * 9) // 4 epochs of ⌈60 / 7⌉ steps
    assert.not.equal(kept.weights, lost.weights)
  })
})

it('wasm and cpu train to the same weights but for rounding', async () => {
  const train = (backend: Backend) =>
    withLearner(backend, opening({ model: MLP }), (learner) =>
      learner.train({ study: STUDY, base: someWeights(MLP, 5), optimiser: NONE, seed: 's' }),
    )
  const [wasm, cpu] = [await train('wasm'), await train('cpu')]
  assertNear(flatten(wasm), flatten(cpu), 1e-4)
  assertNear([wasm.loss], [cpu.loss], 1e-5)
})

it('the seed orders the rows: the same seed gives the same bytes, another others', async () => {
  await withLearner('wasm', opening(), async (learner) => {
    const train = (seed: string) =>
      learner.train({ study: STUDY, base: someWeights(LOGISTIC, 5), optimiser: NONE, seed })
    assert.equal(await train('a'), await train('a'))
    assert.not.equal((await train('a')).weights, (await train('b')).weights)
  })
})

it('a batch larger than the table is the whole table, and the loss given is that of the last epoch without penalty', async () => {
  const request = opening({ trainings: { optimiser: 'sgd', localEpochs: 1, batchRows: 4_096, l2: 5 } })
  const base = someWeights(LOGISTIC, 5)
  const { loss, examples } = await withLearner('wasm', request, (learner) =>
    learner.train({ study: STUDY, base, optimiser: NONE, seed: 's' }),
  )
  assertNear([loss], [evaluate(predict(LOGISTIC, 5, base, request.train), request.train.y).logLoss], 1e-6)
  assert.is(examples, 60)
})

for (const model of MODELS) {
  it(`${model.kind}: learns what separates two classes`, async () => {
    const [train, test] = [table('separable', 300, 6, 1.6), table('unseen', 300, 6, 1.6)]
    const request = opening({ model, train, test, trainings: { localEpochs: 6, l2: 0.001, batchRows: 16 } })
    await withLearner('wasm', request, async (learner) => {
      const base = initialWeights(model, 6, STUDY)
      const before = await learner.evaluate(STUDY, base)
      const { weights } = await learner.train({ study: STUDY, base, optimiser: NONE, seed: 's' })
      const after = await learner.evaluate(STUDY, weights)
      assert.ok((after.auc as number) > 0.9, `AUC ${after.auc}`)
      assert.ok(after.logLoss < before.logLoss - 0.2, `log-loss ${before.logLoss} → ${after.logLoss}`)
    })
  })
}

it('no tensor is left behind by training and evaluating, and none at all by closing', async () => {
  const before = tf.memory().numTensors
  for (const backend of BACKENDS) {
    for (const optimiser of ['adam', 'sgd'] as const) {
      await withLearner(backend, opening({ model: MLP, trainings: { optimiser } }), async (learner) => {
        const open = tf.memory().numTensors
        let state: Pick<TrainResult, 'weights' | 'optimiser'> = { weights: someWeights(MLP, 5), optimiser: NONE }
        for (let r = 0; r < 3; r++) {
          state = await learner.train({ study: STUDY, base: state.weights, optimiser: state.optimiser, seed: `${r}` })
          await learner.evaluate(STUDY, state.weights)
          await learner
            .train({ study: STUDY, base: state.weights, optimiser: Uint8Array.of(1, 2, 3), seed: '' })
            .catch(() => undefined)
          assert.is(tf.memory().numTensors, open)
        }
        await learner.open(opening({ model: MLP }))
        assert.is(tf.memory().numTensors, open)
      })
    }
  }
  assert.is(tf.memory().numTensors, before)
})

it('two learners on two backends may run at once in one thread', async () => {
  const train = (backend: Backend) =>
    withLearner(backend, opening(), (learner) =>
      learner.train({ study: STUDY, base: someWeights(LOGISTIC, 5), optimiser: NONE, seed: 's' }),
    )
  const alone = { wasm: await train('wasm'), cpu: await train('cpu') }
  const [wasm, cpu, again] = await Promise.all([train('wasm'), train('cpu'), train('wasm')])
  assert.equal([wasm, cpu, again], [alone.wasm, alone.cpu, alone.wasm])
})

it('auto says which backend it took and why', async () => {
  const learner = new TfjsLearner()
  const { backend, why } = await learner.open(opening())
  await learner.close()
  assert.ok(['wasm', 'native'].includes(backend), backend)
  assert.ok(/native does not load \(|a step takes/.test(why), why)
})

it('loading tfjs leaves no listener on the process: an unhandled rejection stays ours to handle', () => {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    const foreign = process
      .listeners(event as 'exit')
      .filter((listener) => /ExitStatus|throw reason/.test(String(listener)))
    assert.is(foreign.length, 0, event)
  }
})

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
  return 'no error'
}

it('what does not fit is refused by name: study, weights, optimiser state, backend', async () => {
  await withLearner('wasm', opening(), async (learner) => {
    const base = someWeights(LOGISTIC, 5)
    const train = (over: object) => learner.train({ study: STUDY, base, optimiser: NONE, seed: 's', ...over })
    assert.is(await codeOf(train({ study: 'dead'.padEnd(64, '9') })), 'learner-study-not-open')
    assert.is(await codeOf(learner.evaluate(STUDY, someWeights(MLP, 5))), 'learner-shape')
    assert.is(await codeOf(train({ base: { shared: base.shared, head: new Float32Array(2) } })), 'learner-shape')
    assert.is(await codeOf(train({ optimiser: new Uint8Array(5 + 8 * 7) })), 'learner-state')
    const stateOfNextVersion = new Uint8Array(5 + 8 * 6).fill(2, 0, 1)
    assert.is(await codeOf(train({ optimiser: stateOfNextVersion })), 'learner-state')
    assert.is((await train({})).examples, 60)
    await learner.open(opening({ trainings: { optimiser: 'sgd' } }))
    assert.is(await codeOf(train({ optimiser: new Uint8Array(5 + 8 * 6).fill(1, 0, 1) })), 'learner-state')
  })
  if (Number(process.versions.node.split('.')[0]) >= 23) {
    assert.is(await codeOf(new TfjsLearner({ backend: 'native' }).open(opening())), 'learner-backend')
  }
})

it('a model that runs off to infinity is an error that names the learning rate, not a result', async () => {
  const request = opening({ model: MLP, trainings: { optimiser: 'sgd', learningRate: 1e30, l2: 1 } })
  await withLearner('wasm', request, async (learner) => {
    const base = someWeights(MLP, 5)
    assert.is(await codeOf(learner.train({ study: STUDY, base, optimiser: NONE, seed: 's' })), 'learner-diverged')
    const poisoned = { ...base, head: Float32Array.of(Number.NaN) }
    assert.is(await codeOf(learner.evaluate(STUDY, poisoned)), 'learner-diverged')
  })
})

it('logits are those of the part that is named, or of other rows', async () => {
  const validation = table('validation', 12, 5)
  const weights = someWeights(MLP, 5)
  for (const request of [opening({ model: MLP, validation }), opening({ model: MLP })]) {
    await withLearner('wasm', request, async (learner) => {
      for (const part of ['train', 'validation', 'test'] as const) {
        const rows = rowsOf(request, part)
        const expected = predict(MLP, 5, weights, rows)
        const found = await learner.logits(STUDY, weights, part)
        assert.is(found.length, rows.rows)
        for (const [row, value] of found.entries()) assert.ok(Math.abs(value - (expected[row] as number)) < 1e-5)
      }
      assert.equal(
        await learner.logits(STUDY, weights, validation),
        await learner.logits(STUDY, weights, { ...validation }),
      )
    })
  }
})

it.run()
