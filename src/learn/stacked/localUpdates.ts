/** Local updates of many nodes at once: their epochs, batch by batch, and the optimiser's steps. */
import { invariant } from '../../core/errors.ts'
import type { DesignMatrix, TrainingSpec } from '../learner.ts'
import { ADAM, type AdamState } from '../optimiserState.ts'
import type { Gradients, Network, StepRows } from './network.ts'

/** One node's local update. */
export interface LocalUpdate {
  readonly rows: DesignMatrix
  /** The rows' order, epoch after epoch; null: as they lie. */
  readonly order: Uint32Array | null
  /** All parameters, the head last; changed into the result. */
  readonly weights: Float32Array
  /** Of the node until now, not changed; null for SGD. */
  readonly adam: AdamState | null
}

/** What became of it besides the weights. */
export interface Updated {
  readonly adam: AdamState | null
  /** Mean log-loss of the last epoch, nats. */
  readonly loss: number
}

/** The stack of several nodes: an array per parameter, [nodes × its size]. */
interface Stack {
  readonly values: readonly Float32Array[]
  readonly gradients: readonly Float32Array[]
  readonly first: readonly Float32Array[]
  readonly second: readonly Float32Array[]
  /** Adam's steps so far, by node. */
  readonly steps: Float64Array
}

/** How many steps an epoch of `rows` rows has. */
export const stepsOf = (rows: number, { batchRows }: TrainingSpec): number => Math.ceil(rows / batchRows)

/** Does all of `updates`, whose epochs must have equally many steps. Where the last batches differ in rows, the smaller ones are padded. */
export function runUpdates(
  network: Network,
  compute: Gradients,
  training: TrainingSpec,
  updates: readonly LocalUpdate[],
): Updated[] {
  const steps = stepsOf(updates[0]?.rows.rows ?? 0, training)
  invariant(
    updates.every(({ rows }) => stepsOf(rows.rows, training) === steps),
    'nodes that are trained together take equally many steps',
  )
  const stack = stacked(network, training, updates)
  const losses = new Float64Array(updates.length)
  const sums = new Float64Array(updates.length)
  for (let epoch = 0; epoch < training.localEpochs; epoch++) {
    sums.fill(0)
    for (let step = 0; step < steps; step++) {
      const rows = batchOf(updates, training, epoch, step)
      compute.step(stack.values, rows, stack.gradients, losses)
      advance(network, training, stack)
      for (let i = 0; i < sums.length; i++)
        sums[i] = (sums[i] as number) + (losses[i] as number) * (rows.counts[i] as number)
    }
  }
  return updates.map((update, i) => unstacked(network, stack, update, i, sums[i] as number))
}

function stacked({ parameters }: Network, { optimiser }: TrainingSpec, updates: readonly LocalUpdate[]): Stack {
  const count = updates.length
  const room = (): Float32Array[] => parameters.map(({ size }) => new Float32Array(count * size))
  const moments = (): Float32Array[] => (optimiser === 'adam' ? room() : [])
  const stack = { values: room(), gradients: room(), first: moments(), second: moments() }
  const steps = Float64Array.from(updates, ({ adam }) => adam?.steps ?? 0)
  updates.forEach(({ weights, adam }, i) => {
    let at = 0
    parameters.forEach(({ size }, p) => {
      stack.values[p]?.set(weights.subarray(at, at + size), i * size)
      if (adam !== null) {
        const second = weights.length + at
        stack.first[p]?.set(adam.moments.subarray(at, at + size), i * size)
        stack.second[p]?.set(adam.moments.subarray(second, second + size), i * size)
      }
      at += size
    })
  })
  return { ...stack, steps }
}

function unstacked({ parameters }: Network, stack: Stack, { weights, rows }: LocalUpdate, i: number, sum: number) {
  const adam =
    stack.first.length === 0 ? null : { steps: stack.steps[i] as number, moments: new Float32Array(2 * weights.length) }
  let at = 0
  parameters.forEach(({ size }, p) => {
    const own = (from: readonly Float32Array[]) => (from[p] as Float32Array).subarray(i * size, (i + 1) * size)
    weights.set(own(stack.values), at)
    adam?.moments.set(own(stack.first), at)
    adam?.moments.set(own(stack.second), weights.length + at)
    at += size
  })
  return { adam, loss: sum / rows.rows }
}

/** The rows of one step of all nodes, padded to those of the node with most. */
function batchOf(updates: readonly LocalUpdate[], { batchRows }: TrainingSpec, epoch: number, step: number): StepRows {
  const from = step * batchRows
  const counts = Uint32Array.from(updates, ({ rows }) => Math.min(batchRows, rows.rows - from))
  const most = counts.reduce((a, b) => Math.max(a, b), 0)
  const columns = updates[0]?.rows.columns ?? 0
  const x = new Float32Array(updates.length * most * columns)
  const y = new Float32Array(updates.length * most)
  updates.forEach(({ rows, order }, i) => {
    const count = counts[i] as number
    const at = i * most
    if (order === null) x.set(rows.x.subarray(from * columns, (from + count) * columns), at * columns)
    for (let k = 0; k < count; k++) {
      const row = order === null ? from + k : (order[epoch * rows.rows + from + k] as number)
      y[at + k] = rows.y[row] as number
      if (order !== null) x.set(rows.x.subarray(row * columns, (row + 1) * columns), (at + k) * columns)
    }
  })
  return { nodes: updates.length, rows: most, counts, x, y }
}

/** One step of the optimiser at all nodes, each with its own count of steps. The penalty ½·l2·‖kernels‖² enters as its gradient, l2 · kernel. */
function advance({ parameters }: Network, training: TrainingSpec, stack: Stack): void {
  const { steps } = stack
  for (let i = 0; i < steps.length; i++) steps[i] = (steps[i] as number) + 1
  parameters.forEach(({ size, kernel }, p) => {
    const l2 = kernel ? training.l2 : 0
    if (training.optimiser === 'sgd') sgd(stack, p, training.learningRate, l2)
    else
      for (let i = 0; i < steps.length; i++)
        adam(stack, p, i * size, (i + 1) * size, training.learningRate, l2, steps[i] as number)
  })
}

function sgd(stack: Stack, p: number, rate: number, l2: number): void {
  const w = stack.values[p] as Float32Array
  const g = stack.gradients[p] as Float32Array
  for (let j = 0; j < w.length; j++) w[j] = (w[j] as number) - rate * ((g[j] as number) + l2 * (w[j] as number))
}

/** Kingma and Ba 2015, Alg. 1, over the numbers of one node, which is at its step `t`. */
function adam(stack: Stack, p: number, from: number, to: number, rate: number, l2: number, t: number): void {
  const w = stack.values[p] as Float32Array
  const gradient = stack.gradients[p] as Float32Array
  const first = stack.first[p] as Float32Array
  const second = stack.second[p] as Float32Array
  const { beta1, beta2, epsilon } = ADAM
  const correction1 = 1 / (1 - beta1 ** t)
  const correction2 = 1 / (1 - beta2 ** t)
  for (let j = from; j < to; j++) {
    const g = (gradient[j] as number) + l2 * (w[j] as number)
    const m = beta1 * (first[j] as number) + (1 - beta1) * g
    const v = beta2 * (second[j] as number) + (1 - beta2) * g * g
    first[j] = m
    second[j] = v
    w[j] = (w[j] as number) - (rate * m * correction1) / (Math.sqrt(v * correction2) + epsilon)
  }
}
