/** The order in which an epoch sees the rows, and the rows of one batch. */
import { Rng } from '../core/rng.ts'
import type { DesignMatrix } from './learner.ts'

/** Rows copied out of a design matrix: `x` row-major, `y` 0 or 1 as float32. */
export interface Batch {
  readonly rows: number
  readonly x: Float32Array
  readonly y: Float32Array
}

/** Splits one epoch's rows, shuffled by `seed` and `epoch`, into batches of `batchRows`; the last may be smaller. Those of `span`, or all. */
export function* batches(
  matrix: DesignMatrix,
  batchRows: number,
  seed: string,
  epoch: number,
  span: { readonly from: number; readonly to: number } = { from: 0, to: Math.ceil(matrix.rows / batchRows) },
): Generator<Batch> {
  const order = Rng.from(seed, epoch).shuffle(Uint32Array.from({ length: matrix.rows }, (_, row) => row))
  for (let b = span.from; b < span.to; b++) yield gather(matrix, order.subarray(b * batchRows, (b + 1) * batchRows))
}

function gather(matrix: DesignMatrix, rows: Uint32Array): Batch {
  const { columns } = matrix
  const x = new Float32Array(rows.length * columns)
  const y = new Float32Array(rows.length)
  rows.forEach((row, i) => {
    x.set(matrix.x.subarray(row * columns, (row + 1) * columns), i * columns)
    y[i] = matrix.y[row] as number
  })
  return { rows: rows.length, x, y }
}
