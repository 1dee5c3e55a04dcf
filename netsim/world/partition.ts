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
 * Row numbers in the order of nodes, each once. Without label skew in a random order; with it each place draws its label by its node's
 * share, places in a random order, and takes the other label once one has run out.
 */
export function dealtRows(split: SplitSpec, labels: Uint8Array, from: Uint32Array, rng: Rng): Uint32Array {
  const order = rng.shuffle(Uint32Array.from(labels, (_, row) => row))
  if (split.kind !== 'dirichlet') return order
  const nodes = from.length - 1
  const [negative, positive] = [0, 1].map((label) => order.filter((row) => labels[row] === label))
  const shares = positiveShares(split, (positive as Uint32Array).length / labels.length, nodes, rng)
  const pools = [negative as Uint32Array, positive as Uint32Array]
  const taken = [0, 0]
  const nodeAt = new Uint32Array(labels.length)
  for (let node = 0; node < nodes; node++) nodeAt.fill(node, from[node], from[node + 1])
  const dealt = new Uint32Array(labels.length)
  for (const place of rng.shuffle(Uint32Array.from(labels, (_, i) => i))) {
    const wanted = rng.float() < (shares[nodeAt[place] as number] as number) ? 1 : 0
    const label = (taken[wanted] as number) < (pools[wanted] as Uint32Array).length ? wanted : 1 - wanted
    const at = taken[label] as number
    taken[label] = at + 1
    dealt[place] = (pools[label] as Uint32Array)[at] as number
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
