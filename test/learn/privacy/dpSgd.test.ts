import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Digest } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { DesignMatrix, ModelSpec, TrainingSpec, Weights } from '../../../src/learn/learner.ts'
import { initialWeights, parameterCount, predict } from '../../../src/learn/model.ts'
import { epsilonOf } from '../../../src/learn/privacy/accountant.ts'
import { clopperPearson } from '../../../src/learn/privacy/audit.ts'
import { Chance } from '../../../src/learn/privacy/chance.ts'
import { stepsOfRound, trainPrivately } from '../../../src/learn/privacy/dpSgd.ts'
import { addNoise, type Mechanism } from '../../../src/learn/privacy/noise.ts'
import { ClippedGradients } from '../../../src/learn/privacy/perExample.ts'
import { deviationScore, normalScore, seeded } from './kit.ts'

const it = suite('dp-sgd')
const SEED = 'ab'.repeat(32) as Digest
const MODELS: readonly ModelSpec[] = [{ kind: 'logistic' }, { kind: 'mlp', hidden: [5, 3] }]
const SCORE_MAX = 4 // deviations: a chance of 6 in 100,000, and the seeds are fixed

function rowsOf(rows: number, columns: number): DesignMatrix {
  const rng = Rng.from('dp-sgd', rows, columns)
  const x = Float32Array.from({ length: rows * columns }, () => 4 * rng.float() - 2)
  return { rows, columns, x, y: Uint8Array.from({ length: rows }, () => rng.below(2)) }
}

function flat({ shared, head }: Weights): Float64Array {
  return Float64Array.from([...shared, ...head])
}

/** A model that is not at its symmetric beginning. */
function someWeights(model: ModelSpec, columns: number): Weights {
  const rng = Rng.from('weights', columns)
  const { shared } = initialWeights(model, columns, SEED)
  return { shared: shared.map((one) => one + rng.float() - 0.5), head: Float32Array.of(0.3) }
}

/** By central differences of the row's log-loss, in float64. */
function gradientByDifferences(model: ModelSpec, at: Float64Array, matrix: DesignMatrix, row: number): Float64Array {
  const x = matrix.x.subarray(row * matrix.columns, (row + 1) * matrix.columns)
  const lossAt = (parameters: Float64Array): number => {
    const weights = { shared: parameters.subarray(0, -1), head: parameters.subarray(-1) }
    const [z] = predict(model, matrix.columns, weights, { rows: 1, columns: matrix.columns, x }) as unknown as [number]
    return Math.log1p(Math.exp(-Math.abs(z))) + Math.max(z, 0) - z * (matrix.y[row] as number)
  }
  return at.map((_, i) => {
    const [up, down] = [at.slice(), at.slice()]
    up[i] = (up[i] as number) + 1e-5
    down[i] = (down[i] as number) - 1e-5
    return (lossAt(up) - lossAt(down)) / 2e-5
  })
}

const norm = (values: Float64Array): number => Math.sqrt(values.reduce((sum, one) => sum + one * one, 0))

for (const model of MODELS) {
  it(`${model.kind}: each row's gradient is that of finite differences, and clipped to the norm over all parameters`, () => {
    const matrix = rowsOf(20, 4)
    const at = flat(someWeights(model, 4))
    const gradients = new ClippedGradients(model, 4)
    const clipNorm = 0.8
    let clipped = 0
    const expected = new Float64Array(at.length)
    const sum = new Float64Array(at.length)
    for (let row = 0; row < matrix.rows; row++) {
      const plain = gradientByDifferences(model, at, matrix, row)
      const whole = new Float64Array(at.length)
      gradients.add(at, matrix, row, 1e9, whole)
      near(whole, plain, 1e-7)
      const factor = Math.min(1, clipNorm / norm(plain))
      if (factor < 1) clipped++
      plain.forEach((one, i) => {
        expected[i] = (expected[i] as number) + factor * one
      })
      gradients.add(at, matrix, row, clipNorm, sum)
    }
    assert.ok(clipped > 2 && clipped < 18, `${clipped} of 20 are clipped`)
    near(sum, expected, 1e-6)
  })

  it(`${model.kind}: without noise to speak of, a step on all rows is gradient descent with the penalty on kernels`, () => {
    const matrix = rowsOf(30, 4)
    const base = someWeights(model, 4)
    const training: TrainingSpec = { localEpochs: 1, batchRows: 30, learningRate: 0.2, l2: 0.5, optimiser: 'sgd' }
    const mechanism = { clipNorm: 1e3, noiseMultiplier: 1e-9 }
    const { weights, loss } = trainPrivately({ model, training, mechanism, rows: matrix }, base, null, seeded('step'))
    const at = flat(base)
    const mean = new Float64Array(at.length)
    for (let row = 0; row < 30; row++)
      gradientByDifferences(model, at, matrix, row).forEach((one, i) => {
        mean[i] = (mean[i] as number) + one / 30
      })
    const kernel = new Float64Array(at.length)
    for (const i of kernelPlaces(model)) kernel[i] = 1
    const expected = at.map((one, i) => one - 0.2 * ((mean[i] as number) + 0.5 * one * (kernel[i] as number)))
    near(flat(weights), expected, 1e-5)
    assert.ok(loss > 0.3 && loss < 3, `loss ${loss}`)
  })
}

/** Of a logistic model and of an MLP with layers of 5 and 3 on 4 columns. */
function kernelPlaces(model: ModelSpec): number[] {
  const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)
  return model.kind === 'logistic' ? range(0, 4) : [...range(0, 20), ...range(25, 15), ...range(43, 3)]
}

it('noise has the stated deviation: multiplier times norm, not its square nor its root, and is normal', () => {
  for (const mechanism of [
    { clipNorm: 2, noiseMultiplier: 4 },
    { clipNorm: 0.5, noiseMultiplier: 4 },
  ]) {
    const deviation = mechanism.clipNorm * mechanism.noiseMultiplier
    const values = new Float64Array(40_000)
    addNoise(values, mechanism, seeded('noise', deviation))
    assert.ok(Math.abs(deviationScore(values, deviation)) < SCORE_MAX, `${deviationScore(values, deviation)}`)
    assert.ok(normalScore([...values], deviation) < 1.95)
    for (const wrong of [deviation ** 2, Math.sqrt(deviation), mechanism.noiseMultiplier * mechanism.clipNorm ** 2])
      assert.ok(Math.abs(deviationScore(values, wrong)) > 50, 'the test sees a deviation that is another one')
  }
})

it('the secret source gives normal numbers too: each time others', () => {
  const chance = new Chance()
  const values = Array.from({ length: 20_000 }, () => chance.normal())
  assert.ok(Math.abs(deviationScore(values, 1)) < 5.5, 'a chance of 4 in 100 million')
  assert.ok(normalScore(values, 1) < 3, 'a chance of 3 in 100 million')
  assert.is.not(new Chance().normal(), new Chance().normal())
})

it('bits that are all zeros for a while give far tails, not infinity', () => {
  let calls = 0
  const chance = new Chance((bytes) => bytes.fill(1).fill(0, 0, calls++ === 0 ? 8 : 0))
  const value = chance.normal()
  assert.ok(Number.isFinite(value) && Math.abs(value) > 8, `${value}`)
})

it('what comes out lies on one grid whatever went in: its last bits tell nothing', () => {
  const mechanism = { clipNorm: 2, noiseMultiplier: 4 }
  const grid = 2 ** (3 - 24)
  const values = Float64Array.from({ length: 1_000 }, (_, i) => Math.sin(i) * 1.7 ** (i % 40))
  addNoise(values, mechanism, seeded('grid'))
  for (const value of values) assert.ok(Number.isInteger(value / grid), `${value}`)
})

it('Poisson sampling draws each row with its own chance: the size of batches varies as a binomial number', () => {
  const chance = seeded('sampling')
  const [rows, rate, draws] = [50, 0.3, 4_000]
  const perRow = new Array<number>(rows).fill(0)
  let [sum, squares] = [0, 0]
  for (let draw = 0; draw < draws; draw++) {
    let size = 0
    for (let row = 0; row < rows; row++) {
      if (!chance.happens(rate)) continue
      perRow[row] = (perRow[row] as number) + 1
      size++
    }
    sum += size
    squares += (size - rows * rate) ** 2
  }
  const deviation = Math.sqrt(rate * (1 - rate))
  assert.ok(Math.abs(sum / draws - rows * rate) < (SCORE_MAX * deviation * Math.sqrt(rows)) / Math.sqrt(draws))
  const variance = squares / draws / (rows * rate * (1 - rate)) // 1, with a deviation of √(2 / draws)
  assert.ok(Math.abs(variance - 1) < SCORE_MAX * Math.sqrt(2 / draws), `${variance}; batches of one size would give 0`)
  for (const count of perRow)
    assert.ok(Math.abs(count - draws * rate) < (SCORE_MAX + 0.5) * deviation * Math.sqrt(draws), `${count}`)
})

it('chances of 0 and 1 are never and always', () => {
  const chance = seeded('edges')
  for (let i = 0; i < 1_000; i++) assert.equal([chance.happens(0), chance.happens(1)], [false, true])
})

it('a round is as many steps as batches of the expected size, and rows that are fewer than a batch are all drawn', () => {
  const training: TrainingSpec = { localEpochs: 3, batchRows: 32, learningRate: 0.1, l2: 0, optimiser: 'sgd' }
  assert.equal(stepsOfRound(training, 8, 100), { sampleRate: 0.32, noiseMultiplier: 8, steps: 12 })
  assert.equal(stepsOfRound(training, 8, 20), { sampleRate: 1, noiseMultiplier: 8, steps: 3 })
})

it('the sum is divided by the expected number of rows, so that steps are right in the mean, those without rows included', () => {
  const matrix = rowsOf(6, 4)
  const base = someWeights({ kind: 'logistic' }, 4)
  const training: TrainingSpec = { localEpochs: 1, batchRows: 1, learningRate: 0.1, l2: 0, optimiser: 'sgd' }
  const mechanism = { clipNorm: 10, noiseMultiplier: 1e-6 }
  const whole = trainPrivately(
    { model: { kind: 'logistic' }, training: { ...training, batchRows: 6 }, mechanism, rows: matrix },
    base,
    null,
    seeded('all'),
  )
  const chance = seeded('expected')
  const [runs, one] = [3_000, { ...training, localEpochs: 1 }]
  const mean = new Float64Array(5)
  let empty = 0
  for (let run = 0; run < runs; run++) {
    const { weights, loss } = trainPrivately(
      { model: { kind: 'logistic' }, training: one, mechanism, rows: matrix },
      base,
      null,
      chance,
    )
    if (loss === 0) empty++
    flat(weights).forEach((value, i) => {
      mean[i] = (mean[i] as number) + (value - (flat(base)[i] as number)) / runs
    })
  }
  assert.ok(empty > 0, `${empty} rounds drew nobody`)
  const step = flat(whole.weights).map((value, i) => value - (flat(base)[i] as number))
  // six steps of a sixth of the rows each are nearly six whole steps, for they are small
  near(
    mean,
    step.map((value) => 6 * value),
    0.05,
  )
})

it('DP-Adam carries its moments from round to round', () => {
  const matrix = rowsOf(40, 4)
  const base = someWeights({ kind: 'logistic' }, 4)
  const training: TrainingSpec = { localEpochs: 2, batchRows: 10, learningRate: 0.05, l2: 0.01, optimiser: 'adam' }
  const round = {
    model: { kind: 'logistic' } as const,
    training,
    mechanism: { clipNorm: 1, noiseMultiplier: 2 },
    rows: matrix,
  }
  const chance = seeded('adam')
  const first = trainPrivately(round, base, null, chance)
  const second = trainPrivately(round, first.weights, first.adam, chance)
  const once = trainPrivately({ ...round, training: { ...training, localEpochs: 4 } }, base, null, seeded('adam'))
  assert.is(second.adam?.steps, 16)
  assert.is(first.adam?.moments.length, 2 * (parameterCount({ kind: 'logistic' }, 4).shared + 1))
  near(flat(second.weights), flat(once.weights), 1e-5)
})

const DELTA = 1e-3

/** An attacker who knows all but one row, and sees one step: how far it moved the way that row pulls. */
function boundByAttack(mechanism: Mechanism, runs: number): number {
  const model: ModelSpec = { kind: 'logistic' }
  const training: TrainingSpec = { localEpochs: 1, batchRows: 9, learningRate: 1, l2: 0, optimiser: 'sgd' }
  const target = { rows: 1, columns: 4, x: Float32Array.of(9, 9, 9, 9), y: Uint8Array.of(1) }
  const rest = { rows: 8, columns: 4, x: new Float32Array(32), y: new Uint8Array(8) }
  const both = {
    rows: 9,
    columns: 4,
    x: Float32Array.from([...rest.x, ...target.x]),
    y: Uint8Array.from([...rest.y, 1]),
  }
  const pulls = (rows: DesignMatrix, seed: string): number[] => {
    const chance = seeded('attack', seed)
    const base = initialWeights(model, 4, SEED)
    return Array.from({ length: runs }, () => {
      const { weights } = trainPrivately({ model, training, mechanism, rows }, base, null, chance)
      return weights.shared.reduce((sum, one) => sum + one, 0) * rows.rows
    })
  }
  const [present, absent] = [pulls(both, 'with'), pulls(rest, 'without')]
  const threshold = [...absent].sort((a, b) => b - a)[Math.floor(runs / 5)] as number
  const count = (values: number[]): number => values.filter((one) => one > threshold).length
  const found = clopperPearson(count(present), runs, 0.99).low
  const mistaken = clopperPearson(count(absent), runs, 0.99).high
  return Math.max(0, Math.log((found - DELTA) / mistaken))
}

it('an attack on what a step shows stays below its ε, and finds out who gives the variance for the deviation', () => {
  const claimed = { clipNorm: 1, noiseMultiplier: 9 }
  const epsilon = epsilonOf([{ sampleRate: 1, noiseMultiplier: 9, steps: 1 }], DELTA)
  const honest = boundByAttack(claimed, 8_000)
  assert.ok(honest > 0 && honest < epsilon, `ε ≥ ${honest}, claimed ${epsilon}`)
  const broken = boundByAttack({ ...claimed, noiseMultiplier: Math.sqrt(9) }, 8_000)
  assert.ok(broken > epsilon, `ε ≥ ${broken}, claimed ${epsilon}`)
})

function near(values: Float64Array, expected: Float64Array, tolerance: number): void {
  assert.is(values.length, expected.length)
  values.forEach((value, i) => {
    const gap = Math.abs(value - (expected[i] as number))
    assert.ok(gap <= tolerance * Math.max(1, Math.abs(expected[i] as number)), `${i}: ${value}, not ${expected[i]}`)
  })
}

it('where the output bias is shared it trains with the rest, and there is no head', () => {
  const model: ModelSpec = { kind: 'logistic', head: 'none' }
  const matrix = rowsOf(60, 4)
  const base = initialWeights(model, 4, SEED)
  const training = { localEpochs: 3, batchRows: 16, learningRate: 0.05, l2: 0.01, optimiser: 'adam' } as const
  const mechanism = { noiseMultiplier: 2, clipNorm: 1 }
  const { weights } = trainPrivately({ model, training, mechanism, rows: matrix }, base, null, seeded('no head'))
  assert.is(weights.shared.length, parameterCount(model, 4).shared)
  assert.is(weights.head.length, 0)
  assert.ok(weights.shared.every((one) => Number.isFinite(one) && one !== 0))
})

it.run()
