/** What a hospital adds to its gradients, and rounds trained in slices: in every learner, against plain arithmetic. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import { KernelFleet } from '../../src/learn/kernels/kernelFleet.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import type { Learner, ModelSpec, OpenRequest, TrainRequest, TrainResult } from '../../src/learn/learner.ts'
import { initialWeights, layout, outputBias, parameterCount, predict } from '../../src/learn/model.ts'
import { driftOf, type Steering, steered, UNSTEERED } from '../../src/learn/steering.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { LOGISTIC, MLP, opening, STUDY, someWeights, table } from './fixtures.ts'

const it = suite('steering')

const NONE = new Uint8Array(0)
const LEARNERS: Readonly<Record<string, () => Learner>> = {
  kernels: () => new KernelLearner(),
  wasm: () => new TfjsLearner({ backend: 'wasm' }),
  cpu: () => new TfjsLearner({ backend: 'cpu' }),
}
const MODELS: readonly ModelSpec[] = [LOGISTIC, MLP, { ...LOGISTIC, head: 'none' }, { ...MLP, head: 'none' }]
const nameOf = (model: ModelSpec): string => `${model.kind}${model.head === 'none' ? ', no head' : ''}`

async function using<T>(make: () => Learner, request: OpenRequest, work: (learner: Learner) => Promise<T>): Promise<T> {
  const learner = make()
  try {
    await learner.open(request)
    return await work(learner)
  } finally {
    await learner.close()
  }
}

const flatten = ({ weights }: Pick<TrainResult, 'weights'>): number[] => [...weights.shared, ...weights.head]

function weightsOf(model: ModelSpec, seed: string) {
  const flat = someWeights({ ...model, head: undefined } as never, 5, seed)
  return model.head === 'none'
    ? { shared: Float32Array.of(...flat.shared, ...flat.head), head: new Float32Array(0) }
    : flat
}

function drawn(length: number, seed: string): Float32Array {
  const rng = Rng.from('drawn', seed)
  return Float32Array.from({ length }, () => 2 * rng.float() - 1)
}

function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.is(actual.length, expected.length)
  for (let i = 0; i < actual.length; i++) {
    const [a, b] = [actual[i] as number, expected[i] as number]
    assert.ok(Math.abs(a - b) <= tolerance, `value ${i}: ${a}, expected ${b}`)
  }
}

/** The gradient of the loss with penalty, pull and drift, by central differences in float64. */
function gradientOf(
  { model, train, training }: OpenRequest,
  flat: readonly number[],
  { pull, drift }: Partial<TrainRequest>,
): number[] {
  const { shared } = parameterCount(model, 5)
  const objective = (values: Float64Array): number => {
    const weights = { shared: values.subarray(0, shared), head: values.subarray(shared) }
    let loss = evaluate(predict(model, 5, weights, train), train.y).logLoss
    for (const { inputs, outputs, kernelAt } of layout(model, 5))
      for (let i = kernelAt; i < kernelAt + inputs * outputs; i++)
        loss += 0.5 * training.l2 * (values[i] as number) ** 2
    for (let i = 0; i < shared; i++) {
      if (pull) loss += 0.5 * pull.strength * ((values[i] as number) - (pull.anchor[i] as number)) ** 2
      if (drift) loss += (drift[i] as number) * (values[i] as number)
    }
    return loss
  }
  const h = 1e-6
  return flat.map((_, i) => {
    const at = (by: number) => objective(Float64Array.from(flat, (value, j) => (j === i ? value + by : value)))
    return (at(h) - at(-h)) / (2 * h)
  })
}

for (const [name, make] of Object.entries(LEARNERS)) {
  for (const model of MODELS) {
    const { shared } = parameterCount(model, 5)
    const pull = { anchor: drawn(shared, 'anchor'), strength: 0.7 }
    const steering = { pull, drift: drawn(shared, 'drift') }

    it(`${name}, ${nameOf(model)}: a step goes down the gradient of loss, penalty, pull and drift; a private head is drawn nowhere`, async () => {
      const request = opening({
        model,
        trainings: { optimiser: 'sgd', learningRate: 1, localEpochs: 1, batchRows: 60, l2: 0.3 },
      })
      const base = weightsOf(model, 'base')
      const before = [...base.shared, ...base.head]
      for (const more of [steering, { pull }, { drift: steering.drift }, {}]) {
        const stepped = await using(make, request, (learner) =>
          learner.train({ study: STUDY, base, optimiser: NONE, seed: 's', ...more }),
        )
        const gradient = flatten(stepped).map((value, i) => (before[i] as number) - value)
        assertNear(gradient, gradientOf(request, before, more), 4e-6)
      }
    })

    it(`${name}, ${nameOf(model)}: a round in slices, each in a learner of its own, is the same whenever it is interrupted`, async () => {
      for (const optimiser of ['adam', 'sgd'] as const) {
        const request = opening({ model, trainings: { optimiser, localEpochs: 3, batchRows: 7 } })
        const base = weightsOf(model, 'base')
        const whole = { study: STUDY, base, optimiser: NONE, seed: 's', ...steering }
        const sliced = async (make: () => Promise<{ learner: Learner; end: () => Promise<void> }>) => {
          let result: TrainResult | null = null
          const places: number[] = []
          while (result === null || !result.done) {
            const { learner, end } = await make()
            const from: Partial<TrainRequest> =
              result === null ? {} : { base: result.weights, optimiser: result.optimiser, from: result.place }
            result = await learner.train(structuredClone({ ...whole, ...from, stepsMax: 4 }))
            places.push(result.place.steps)
            await end()
          }
          assert.equal(places, [4, 8, 12, 16, 20, 24, 27])
          return result
        }
        const through = await using(make, request, (learner) =>
          sliced(async () => ({ learner, end: async () => undefined })),
        )
        const interrupted = await sliced(async () => {
          const learner = make()
          await learner.open(request)
          return { learner, end: () => learner.close() }
        })
        assert.equal(interrupted, through)
        const atOnce = await using(make, request, (learner) => learner.train(whole))
        assert.ok(atOnce.done)
        if (name === 'kernels') assert.equal(through.weights, atOnce.weights, 'slices change no bit')
        assertNear(flatten(through), flatten(atOnce), 1e-5)
        assertNear([through.loss], [atOnce.loss], 1e-5)
        assert.is(through.examples, 60)
      }
    })
  }
}

it('a round that was cut says what it saw: rows, and their loss', async () => {
  const request = opening({ trainings: { optimiser: 'sgd', localEpochs: 2, batchRows: 7 } })
  const base = weightsOf(LOGISTIC, 'base')
  for (const make of Object.values(LEARNERS)) {
    await using(make, request, async (learner) => {
      const cut = await learner.train({ study: STUDY, base, optimiser: NONE, seed: 's', stepsMax: 3 })
      assert.equal([cut.done, cut.place.steps, cut.examples], [false, 3, 21])
      assert.ok(Math.abs(cut.loss - cut.place.lossSum / 21) < 1e-12)
      const second = {
        study: STUDY,
        base: cut.weights,
        optimiser: cut.optimiser,
        seed: 's',
        from: cut.place,
        stepsMax: 7,
      }
      const later = await learner.train(second)
      assert.equal([later.done, later.place.steps, later.examples], [false, 10, 60])
      assert.ok(Math.abs(later.loss - later.place.lossSum / 7) < 1e-12, 'of the epoch under way')
    })
  }
})

it('without a head the output bias is the last of the shared weights, and predicts alike', () => {
  for (const model of [LOGISTIC, MLP]) {
    const { shared, head } = someWeights(model, 5)
    const merged = { shared: Float32Array.of(...shared, ...head), head: new Float32Array(0) }
    const rows = table('rows', 9, 5)
    assert.equal(predict({ ...model, head: 'none' }, 5, merged, rows), predict(model, 5, { shared, head }, rows))
    assert.is(outputBias(merged), outputBias({ shared, head }))
    assert.equal(initialWeights({ ...model, head: 'none' }, 5, STUDY).head.length, 0)
  }
})

it('a fleet pulls each local update to where it began, as FedProx does, like the single learner', async () => {
  for (const model of [LOGISTIC, { ...MLP, head: 'none' }] as const) {
    const request = opening({ model, trainings: { optimiser: 'sgd', localEpochs: 8, batchRows: 60 } }) // one batch: no order to make
    const base = weightsOf(model, 'base')
    const pulled = (proximal: number) => {
      const rowsOf = () => ({ train: request.train, test: request.test })
      const training = { ...request.training, proximal }
      const fleet = KernelFleet.build({ model, training, columns: 5, nodes: 1, privateHeads: true, rowsOf })
      const [from, into] = [fleet.take(), fleet.take()]
      fleet.write(from, base)
      fleet.train(0, from, into, 1, 2)
      return fleet.read(into)
    }
    const single = await using(LEARNERS.kernels as () => Learner, request, (learner) => {
      const pull = { anchor: base.shared, strength: 0.6 }
      return learner.train({ study: STUDY, base, optimiser: NONE, seed: 's', pull })
    })
    assertNear(flatten({ weights: pulled(0.6) }), flatten(single), 1e-6) // rows lie in another order
    const away = (shared: Float32Array): number =>
      shared.reduce((sum, w, i) => sum + (w - (base.shared[i] as number)) ** 2, 0)
    assert.ok(away(pulled(0.6).shared) < 0.9 * away(pulled(0).shared))
  }
})

it('momentum takes in the step that all made together, the correction what merging took back', () => {
  const spec = { momentum: 0.75, tracking: 0.5, learningRate: 0.25 }
  const made = (base: number[], update: number[], merged: number[]) => ({
    base: Float32Array.from(base),
    update: Float32Array.from(update),
    merged: Float32Array.from(merged),
    steps: 2,
  })
  assert.is(driftOf(spec, UNSTEERED), undefined)
  const first = steered(spec, UNSTEERED, made([1, 2], [3, 0], [2, 1]))
  assert.equal(first.momentum, Float32Array.of(0.25 * -2, 0.25 * 2)) // (base − merged) ÷ (¼ · 2)
  assert.equal(first.correction, Float32Array.of(0.5 * 2, 0.5 * -2)) // (update − merged) ÷ (¼ · 2)
  assert.equal(driftOf(spec, first), Float32Array.of(0.75 * -0.5 + 1, 0.75 * 0.5 - 1))
  const second = steered(spec, first, made([2, 1], [1, 1], [2, 4]))
  assert.equal(second.momentum, Float32Array.of(0.75 * -0.5, 0.75 * 0.5 + 0.25 * -6))
  assert.equal(second.correction, Float32Array.of(0.5 * (1 - 2), 0.5 * (-1 - 6)))
  assert.equal(steered({ ...spec, momentum: 0, tracking: 0 }, first, made([1, 2], [3, 0], [2, 1])), UNSTEERED)
})

it('with tracking hospitals whose optima differ meet where their gradients cancel, and without it elsewhere', () => {
  // f_i(x) = ½ a_i (x − c_i)²: the sum is least at Σ a c ÷ Σ a = 2.5; several steps of each before averaging drift off
  const clinics = [
    { a: 1, c: 10 },
    { a: 4, c: 1 },
    { a: 1, c: 1 },
  ]
  const meet = (tracking: number): number => {
    const spec = { momentum: 0, tracking, learningRate: 0.1 }
    const states: Steering[] = clinics.map(() => UNSTEERED)
    let base = 0
    for (let round = 0; round < 400; round++) {
      const updates = clinics.map(({ a, c }, i) => {
        const drift = driftOf(spec, states[i] as Steering)?.[0] ?? 0
        let x = base
        for (let step = 0; step < 10; step++) x -= 0.1 * (a * (x - c) + drift)
        return x
      })
      const merged = updates.reduce((sum, x) => sum + x, 0) / 3
      updates.forEach((update, i) => {
        const made = { base: null, update: Float32Array.of(update), merged: Float32Array.of(merged), steps: 10 }
        states[i] = steered(spec, states[i] as Steering, made)
      })
      base = merged
    }
    return base
  }
  assert.ok(Math.abs(meet(0) - 2.5) > 0.5, `${meet(0)}`)
  assert.ok(Math.abs(meet(1) - 2.5) < 1e-3, `${meet(1)}`)
  assert.ok(Math.abs(meet(0.9) - 2.5) < 0.5 * Math.abs(meet(0) - 2.5), `${meet(0.9)}`)
})

it.run()
