/** Benchmark: local updates per second of the simulator's kernels against the same update in plain JavaScript over typed arrays. */
import { Rng } from '../../src/core/rng.ts'
import { KernelFleet } from '../../src/learn/kernels/kernelFleet.ts'
import type { DesignMatrix, ModelSpec, TrainingSpec, Weights } from '../../src/learn/learner.ts'
import { initialWeights, parameterCount } from '../../src/learn/model.ts'
import { type Figure, median } from './figures.ts'

const RUNS = 9 // interleaved, so that a neighbour's load falls on both alike
const RUN_MS = 150 // of each measurement, about
const TRAINING: TrainingSpec = { localEpochs: 1, batchRows: 32, learningRate: 0.05, l2: 0.001, optimiser: 'sgd' }

interface Case {
  readonly name: string
  readonly model: ModelSpec
  readonly columns: number
  readonly rows: number
  readonly nodes: number
  /** Times the plain loops' rate. */
  readonly target: number
}

const HIDDEN = 64
const MLP: ModelSpec = { kind: 'mlp', hidden: [HIDDEN] }

/** The first two are the sizes at which gossipy was measured (DECISIONS, "Simulators to beat"). */
const CASES: readonly Case[] = [
  { name: 'logistic, 57 columns, 41 rows', model: { kind: 'logistic' }, columns: 57, rows: 41, nodes: 100, target: 4 },
  { name: 'logistic, 57 columns, 4 rows', model: { kind: 'logistic' }, columns: 57, rows: 4, nodes: 1_000, target: 4 },
  { name: `MLP 30-${HIDDEN}-1, 32 rows`, model: MLP, columns: 30, rows: 32, nodes: 1_000, target: 10 },
]

/** One figure per case: the kernels' local updates per second over those of the plain loops, medians of interleaved runs. */
export async function bench(): Promise<Figure[]> {
  return CASES.map(measure)
}

function measure(one: Case): Figure {
  const { name, nodes, target } = one
  const data = Array.from({ length: nodes }, (_, node) => made(one, node))
  const kernels = kernelUpdates(one, data)
  const plain = plainUpdates(one, data)
  const rates = { kernels: [] as number[], plain: [] as number[] }
  const [kernelCount, plainCount] = [countFor(kernels), countFor(plain)]
  for (let run = -2; run < RUNS; run++) {
    const [fast, slow] = [rate(kernels, kernelCount), rate(plain, plainCount)]
    if (run < 0) continue // the first two compile
    rates.kernels.push(fast)
    rates.plain.push(slow)
  }
  const [ours, theirs] = [median(rates.kernels), median(rates.plain)]
  const ratio = ours / theirs
  const shown = (value: number) => `${Math.round(value / 1_000).toLocaleString('en')}k`
  const figure =
    `${shown(ours)} local updates/s (best ${shown(Math.max(...rates.kernels))}), plain JavaScript ${shown(theirs)} ` +
    `(best ${shown(Math.max(...rates.plain))}); ${nodes} nodes, batches of ${TRAINING.batchRows}, SGD, one core`
  return { name: `kernels: ${name}`, figure, ratio, target, ok: ratio >= target }
}

/** How many updates take about RUN_MS. */
function countFor(update: (i: number) => void): number {
  let count = 1_000
  rate(update, count)
  for (;;) {
    const perSecond = rate(update, count)
    if (count / perSecond > 0.02) return Math.ceil((perSecond * RUN_MS) / 1_000)
    count *= 4
  }
}

function rate(update: (i: number) => void, count: number): number {
  const start = performance.now()
  for (let i = 0; i < count; i++) update(i)
  return (count / (performance.now() - start)) * 1_000
}

function made({ columns, rows }: Case, node: number): DesignMatrix {
  const rng = Rng.from('bench', 'kernels', node)
  const x = Float32Array.from({ length: rows * columns }, () => 2 * rng.float() - 1)
  return { rows, columns, x, y: Uint8Array.from({ length: rows }, () => rng.below(2)) }
}

function kernelUpdates({ model, columns, nodes }: Case, data: readonly DesignMatrix[]): (i: number) => void {
  const rowsOf = (node: number) => ({ train: data[node] as DesignMatrix, test: data[node] as DesignMatrix })
  const fleet = KernelFleet.build({ model, training: TRAINING, columns, nodes, privateHeads: true, rowsOf })
  const slots = data.map(() => fleet.initial('5'.repeat(64) as never))
  return (i) => {
    const slot = slots[i % nodes] as number
    fleet.train(i % nodes, slot, slot, 1, i)
  }
}

/** The same updates as anybody would write them: typed arrays, no allocation, rows in order (a shuffle would only slow it). */
function plainUpdates({ model, columns, nodes }: Case, data: readonly DesignMatrix[]): (i: number) => void {
  const models = data.map(() => initialWeights(model, columns, '5'.repeat(64) as never))
  const gradient = new Float32Array(parameterCount(model, columns).shared)
  const step = model.kind === 'logistic' ? logisticBatch : mlpBatch
  return (i) => {
    const matrix = data[i % nodes] as DesignMatrix
    const weights = models[i % nodes] as Weights
    for (let at = 0; at < matrix.rows; at += TRAINING.batchRows) {
      const count = Math.min(TRAINING.batchRows, matrix.rows - at)
      gradient.fill(0)
      const head = step(weights, matrix, at, count, gradient)
      const { shared } = weights
      const { learningRate, l2 } = TRAINING
      const penalised = model.kind === 'logistic' ? columns : columns * HIDDEN
      for (let j = 0; j < shared.length; j++) {
        const w = shared[j] as number
        const decay = j < penalised || j >= penalised + HIDDEN ? l2 * w : 0
        shared[j] = w - learningRate * ((gradient[j] as number) + decay)
      }
      weights.head[0] = (weights.head[0] as number) - learningRate * head
    }
  }
}

function logisticBatch(
  { shared, head }: Weights,
  { x, y, columns }: DesignMatrix,
  from: number,
  count: number,
  gradient: Float32Array,
): number {
  let headGradient = 0
  for (let row = from; row < from + count; row++) {
    const at = row * columns
    let z = head[0] as number
    for (let j = 0; j < columns; j++) z += (shared[j] as number) * (x[at + j] as number)
    const error = (1 / (1 + Math.exp(-z)) - (y[row] as number)) / count
    for (let j = 0; j < columns; j++) gradient[j] = (gradient[j] as number) + error * (x[at + j] as number)
    headGradient += error
  }
  return headGradient
}

const activations = new Float32Array(HIDDEN)
const deltas = new Float32Array(HIDDEN)

function mlpBatch(
  { shared, head }: Weights,
  { x, y, columns }: DesignMatrix,
  from: number,
  count: number,
  gradient: Float32Array,
): number {
  const biasAt = columns * HIDDEN
  const outAt = biasAt + HIDDEN
  let headGradient = 0
  for (let row = from; row < from + count; row++) {
    const at = row * columns
    for (let j = 0; j < HIDDEN; j++) activations[j] = shared[biasAt + j] as number
    for (let i = 0; i < columns; i++) {
      const value = x[at + i] as number
      const kernel = i * HIDDEN
      for (let j = 0; j < HIDDEN; j++)
        activations[j] = (activations[j] as number) + value * (shared[kernel + j] as number)
    }
    let z = head[0] as number
    for (let j = 0; j < HIDDEN; j++) {
      const open = Math.max(0, activations[j] as number)
      activations[j] = open
      z += open * (shared[outAt + j] as number)
    }
    const error = (1 / (1 + Math.exp(-z)) - (y[row] as number)) / count
    headGradient += error
    for (let j = 0; j < HIDDEN; j++) {
      const open = activations[j] as number
      gradient[outAt + j] = (gradient[outAt + j] as number) + error * open
      const delta = open > 0 ? error * (shared[outAt + j] as number) : 0
      deltas[j] = delta
      gradient[biasAt + j] = (gradient[biasAt + j] as number) + delta
    }
    for (let i = 0; i < columns; i++) {
      const value = x[at + i] as number
      const kernel = i * HIDDEN
      for (let j = 0; j < HIDDEN; j++)
        gradient[kernel + j] = (gradient[kernel + j] as number) + value * (deltas[j] as number)
    }
  }
  return headGradient
}
