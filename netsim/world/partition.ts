/** Deals rows without sites to nodes: how many each gets, which ones, and how its columns are moved. */
import type { Rng } from '../../src/core/rng.ts'
import type { Scenario } from '../scenario/schema.ts'
import { apportion } from './apportion.ts'
import { dirichlet, normals } from './draws.ts'
import { TRAIN_ROWS_MIN } from './heldOut.ts'

export type SplitSpec = Extract<Scenario['data'], { kind: 'table' }>['split']

/** Where each node's rows begin, `nodes` + 1 long: all alike to one row, or from a Dirichlet; 3 rows at least where there are so many. */
export function sizesOf(split: SplitSpec, rows: number, nodes: number, rng: Rng): Uint32Array {
  const least = Math.min(Math.floor(rows / nodes), TRAIN_ROWS_MIN + 1)
  const weights = new Float64Array(nodes).fill(split.kind === 'quantity' ? split.alpha : 1)
  const sizes = apportion(rows, split.kind === 'quantity' ? dirichlet(rng, weights) : weights, least)
  const from = new Uint32Array(nodes + 1)
  for (let node = 0; node < nodes; node++) from[node + 1] = (from[node] as number) + (sizes[node] as number)
  return from
}

/**
 * Share of positive labels at each node: the table's own everywhere, or drawn from a Dirichlet with α × the shares of the classes (Hsu et
 * al. 2019), so that a small α gives nodes with one class.
 */
export function positiveShares(split: SplitSpec, positiveShare: number, nodes: number, rng: Rng): Float64Array {
  const shares = new Float64Array(nodes).fill(positiveShare)
  if (split.kind !== 'dirichlet') return shares
  const alphas = [split.alpha * positiveShare, split.alpha * (1 - positiveShare)]
  return shares.map(() => dirichlet(rng, alphas)[0] as number)
}

/**
 * Row numbers in the order of nodes, each once. Without label skew in a random order; with it node after node, in a random order, draws the
 * label of each of its rows by its own share, from those that are left: once a label has run out, the last nodes get the other alone.
 */
export function dealtRows(split: SplitSpec, labels: Uint8Array, from: Uint32Array, rng: Rng): Uint32Array {
  const order = rng.shuffle(Uint32Array.from(labels, (_, row) => row))
  if (split.kind !== 'dirichlet') return order
  const nodes = from.length - 1
  const pools = [0, 1].map((label) => order.filter((row) => labels[row] === label)) as [Uint32Array, Uint32Array]
  const shares = positiveShares(split, pools[1].length / labels.length, nodes, rng)
  const taken: [number, number] = [0, 0]
  const dealt = new Uint32Array(labels.length)
  for (const node of rng.shuffle(Uint32Array.from(shares, (_, i) => i))) {
    for (let place = from[node] as number; place < (from[node + 1] as number); place++) {
      const wanted = rng.float() < (shares[node] as number) ? 1 : 0
      const other = wanted === 1 ? 0 : 1
      const label = taken[wanted] < pools[wanted].length ? wanted : other
      dealt[place] = pools[label][taken[label]++] as number
    }
  }
  return dealt
}

/** What is added to each column of one node, in the column's own unit: a normal draw × `deviation` × the column's deviation. */
export function shiftOf(deviation: number, columns: Float64Array, rng: Rng): Float64Array {
  const shift = new Float64Array(columns.length)
  normals(rng, shift)
  for (let i = 0; i < shift.length; i++) shift[i] = (shift[i] as number) * deviation * (columns[i] as number)
  return shift
}
