/** Which rows each node holds out. */
import type { Rng } from '../../src/core/rng.ts'
import { stratifiedSplit } from '../../src/data/split.ts'

export const TRAIN_ROWS_MIN = 2 // one row has one class only, and gives a model nothing to tell apart

/**
 * 1 for each held-out row: node by node the product's own stratified split, which holds out at least one row of each class that has two;
 * then as many of them train after all as are needed for two training rows. A node with 3 rows or more holds out at least one.
 */
export function heldOut(labels: Uint8Array, from: Uint32Array, testShare: number, rng: Rng): Uint8Array {
  const test = new Uint8Array(labels.length)
  for (let node = 0; node + 1 < from.length; node++) {
    const start = from[node] as number
    const own = labels.subarray(start, from[node + 1] as number)
    const { testRows } = stratifiedSplit(own, testShare, rng)
    const most = Math.max(own.length - TRAIN_ROWS_MIN, 0)
    for (const row of testRows.subarray(0, most)) test[start + row] = 1
  }
  return test
}
