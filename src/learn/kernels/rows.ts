/** Design matrices in the kernels' memory. */
import { invariant } from '../../core/errors.ts'
import type { DesignMatrix } from '../learner.ts'
import type { Memory } from './kernels.ts'

/** Rows as the kernels read them: each padded with zeros to a multiple of 16 bytes; labels one byte each. Pointers are in bytes. */
export interface RowBlock {
  readonly rows: number
  readonly x: number
  readonly y: number
}

/** Copies a matrix in; the matrix may be forgotten afterwards. `rowBytes` as the plan has it. Errors: `kernels-memory`. */
export function loadRows(memory: Memory, rowBytes: number, matrix: DesignMatrix): RowBlock {
  const { rows, columns, x, y } = matrix
  const { kernels } = memory
  invariant(x.length === rows * columns && y.length === rows, 'x and y have as many rows as said')
  const block = { rows, x: memory.alloc(rows * rowBytes), y: memory.alloc(rows) }
  kernels.f32.set(x, block.x / 4)
  if (4 * columns < rowBytes) kernels.run.spread(block.x, rows, columns, rowBytes)
  kernels.u8.set(y, block.y)
  return block
}
