/** The same learning in a few lines of plain JavaScript, for three tiny hospitals: what the experiments are held against. */
import type { Federation } from '../../../netsim/experiments/federation.ts'
import { type ExperimentOptions, Trial } from '../../../netsim/experiments/frame.ts'
import type { DesignMatrix } from '../../../src/learn/learner.ts'

export const RATE = 0.7
export const L2 = 0.25

/** Of each node, rows of [x1, x2, label]: two, three and four to train on, so that nobody counts like another. */
const TRAIN = [
  [
    [1, 2, 1],
    [-0.5, 0.25, 0],
  ],
  [
    [0.5, -1, 0],
    [2, 1, 1],
    [-1, -3, 0],
  ],
  [
    [3, -2, 1],
    [0.25, 0.5, 0],
    [-2, 1.5, 0],
    [1, 1, 1],
  ],
]
const TEST = [
  [
    [1, 1, 1],
    [-1, 0.5, 0],
  ],
  [
    [0.5, 2, 1],
    [0.75, -1, 0],
    [0.1, 0.2, 1],
  ],
  [[-1.5, 1, 0]],
]

function matrix(rows: readonly (readonly number[])[]): DesignMatrix {
  return {
    rows: rows.length,
    columns: 2,
    x: Float32Array.from(rows.flatMap(([a, b]) => [a as number, b as number])),
    y: Uint8Array.from(rows, ([, , label]) => label as number),
  }
}

/** Node i has row set i mod 3. One local update is one gradient step on all rows, with l2. */
export function tiny(nodes = 3): Federation {
  const all = Array.from({ length: 3 }, (_, i) => ({ train: matrix(TRAIN[i] ?? []), test: matrix(TEST[i] ?? []) }))
  return {
    nodes,
    columns: 2,
    model: { kind: 'logistic' },
    training: { localEpochs: 1, batchRows: 100, learningRate: RATE, l2: L2, optimiser: 'sgd' },
    rowsOf: (node) => all[node % 3] as (typeof all)[number],
  }
}

/** Options for `tiny`. */
export function tinyOptions(more: Partial<ExperimentOptions> = {}): ExperimentOptions {
  return { federation: tiny(), seed: 7, rounds: 3, loss: 0, offlineShare: 0, head: 'shared', measureEvery: 1, ...more }
}

/** [w1, w2, b]. */
export type Plain = readonly number[]

/** `steps` gradient steps of node `node` from `model`; the penalty is on weights, not on b. */
export function stepped(node: number, model: Plain, steps = 1): Plain {
  let now = model
  for (let step = 0; step < steps; step++) {
    const rows = TRAIN[node % 3] as number[][]
    const gradient = [L2 * (now[0] as number), L2 * (now[1] as number), 0]
    for (const [a, b, label] of rows as [number, number, number][]) {
      const z = a * (now[0] as number) + b * (now[1] as number) + (now[2] as number)
      const error = (1 / (1 + Math.exp(-z)) - label) / rows.length
      gradient[0] = (gradient[0] as number) + error * a
      gradient[1] = (gradient[1] as number) + error * b
      gradient[2] = (gradient[2] as number) + error
    }
    now = now.map((value, i) => value - RATE * (gradient[i] as number))
  }
  return now
}

/** Σ shares[i] · models[i]. */
export function combined(models: readonly Plain[], shares: readonly number[]): Plain {
  return [0, 1, 2].map((i) => models.reduce((sum, model, m) => sum + (shares[m] as number) * (model[i] as number), 0))
}

export const rowsOf = (node: number): number => (TRAIN[node % 3] as number[][]).length

/** A trial that remembers each node's model at every measurement. */
export class Watched extends Trial {
  readonly seen: Plain[][] = []

  override measure(round: number, slots: readonly number[], fleet = this.fleet): void {
    this.seen.push(
      slots.map((slot) => {
        const { shared, head } = fleet.read(slot)
        return [...shared, ...head]
      }),
    )
    super.measure(round, slots, fleet)
  }
}

/** Whether models are the same but for float32's rounding. */
export function alike(a: readonly Plain[], b: readonly Plain[]): boolean {
  const near = (x: Plain, y: Plain): boolean => x.every((value, i) => Math.abs(value - (y[i] as number)) < 2e-6)
  return a.length === b.length && a.every((model, i) => near(model, b[i] as Plain))
}

/** Three models that differ in every number. */
export const SOME: readonly Plain[] = [
  [0.5, -1, 0.25],
  [2, 0.75, -0.5],
  [-1, 3, 1.5],
]
