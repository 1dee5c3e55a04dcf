/** Two Gaussian classes, made up: each node's rows come from its own stream whenever they are asked for, and lie nowhere in between. */
import { Rng } from '../../src/core/rng.ts'
import type { Scenario } from '../scenario/schema.ts'
import { dealDigest, rowsMaxOf } from './dealDigest.ts'
import { normals } from './draws.ts'
import { fault } from './fault.ts'
import { heldOut } from './heldOut.ts'
import { Keyed } from './keyed.ts'
import { positiveShares, shiftOf, sizesOf } from './partition.ts'
import type { DealFacts } from './tableDeal.ts'
import type { Deal } from './world.ts'

const ROWS_MAX = 1_000_000_000 // of all nodes: 2 GB of labels and marks
const LABEL = { name: 'label', positive: '1', negative: '0' } as const

/**
 * Features x1 … have deviation 1 within a class; the means of the classes lie `separation` apart along one random direction, half of it
 * either side of 0. Labels are drawn one by one with the node's share. Errors: `scenario-data`.
 */
export function syntheticDeal(data: Extract<Scenario['data'], { kind: 'synthetic' }>, facts: DealFacts): Deal {
  const { nodes, seed, testShare } = facts
  if (nodes * data.rows > ROWS_MAX)
    throw fault('data', `data.rows: ${data.rows} for each of ${nodes} nodes was given, ${ROWS_MAX} for all is allowed`)
  const width = data.features
  const rng = Rng.from('netsim', seed, 'deal')
  const step = directionOf(width, data.separation, rng)
  const from = sizesOf(data.split, nodes * data.rows, nodes, rng)
  const labels = drawnLabels(from, positiveShares(data.split, data.positiveShare, nodes, rng), rng)
  const keyed = new Keyed(Rng.from('netsim', seed, 'rows'))
  const shift = data.split.kind === 'feature-shift' ? data.split.deviation : null
  const deviations = step.map((way) => Math.sqrt(1 + data.positiveShare * (1 - data.positiveShare) * way * way))
  const fill = (node: number, out: Float32Array): void => {
    const [start, end] = [from[node] as number, from[node + 1] as number]
    normals(keyed.rng(node), out, 0, (end - start) * width)
    const moved = shift === null ? null : shiftOf(shift, deviations, keyed.rng(node, 1))
    for (let row = start, at = 0; row < end; row++) {
      const side = (labels[row] as number) - 0.5
      for (let i = 0; i < width; i++, at++)
        out[at] = (out[at] as number) + side * (step[i] as number) + (moved === null ? 0 : (moved[i] as number))
    }
  }
  const deal = {
    nodes,
    features: Array.from({ length: width }, (_, i) => {
      return { name: `x${i + 1}`, kind: 'number', unit: '1', range: null, missing: 'mean' } as const
    }),
    label: LABEL,
    labels,
    from,
    test: heldOut(labels, from, testShare, Rng.from('netsim', seed, 'held out')),
    rowsMax: rowsMaxOf(from),
    fill,
    nameOf: String,
  }
  let digest: string | null = null
  return {
    ...deal,
    get digest() {
      digest ??= dealDigest(deal)
      return digest
    },
  }
}

/** From the mean of the negatives to that of the positives. */
function directionOf(width: number, length: number, rng: Rng): Float64Array {
  const way = new Float64Array(width)
  normals(rng, way)
  let squares = 0
  for (const part of way) squares += part * part
  return way.map((part) => (part * length) / Math.sqrt(squares))
}

function drawnLabels(from: Uint32Array, shares: Float64Array, rng: Rng): Uint8Array {
  const labels = new Uint8Array(from[shares.length] as number)
  for (let node = 0; node < shares.length; node++) {
    const share = shares[node] as number
    for (let row = from[node] as number; row < (from[node + 1] as number); row++)
      labels[row] = rng.float() < share ? 1 : 0
  }
  return labels
}
