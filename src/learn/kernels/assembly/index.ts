/**
 * The simulator's learner, compiled to `kernels.wasm` by `scripts/buildKernels.ts`. The files of this folder are AssemblyScript, not TypeScript:
 * its types are those of WebAssembly, and `@inline` stands before functions, so tsc and biome leave the folder out. No function
 * allocates; whoever calls gives pointers. Reads may go up to 64 bytes beyond a block, which the arena keeps within the memory.
 */
import { KERNELS_VERSION } from '../planLayout.ts'
import { logits } from './forward.ts'
import { clear, copy, digest, elementwise, flip, logLoss, squaredDistance, sumOfSquares } from './measure.ts'
import { merge } from './merge.ts'
import { identity, seedOrder, shuffle } from './order.ts'
import { pack, spread, unpack } from './pack.ts'
import { addSquaredDistances, exchangeRows, meanOfRows, mixRows, widenRows } from './robust.ts'
import { train, trainSteps } from './train.ts'

export {
  addSquaredDistances, exchangeRows, meanOfRows, mixRows, widenRows,
  clear, copy, digest, elementwise, flip, identity, logits, logLoss, merge, pack, seedOrder, shuffle, spread, squaredDistance, sumOfSquares,
  train, trainSteps, unpack,
}

/** What the loader compares with its own. */
export function version(): u32 {
  return KERNELS_VERSION
}
