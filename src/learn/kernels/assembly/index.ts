/**
 * The simulator's learner, compiled to `kernels.wasm` by `scripts/buildKernels.ts`. The files of this folder are AssemblyScript, not TypeScript:
 * its types are those of WebAssembly, and `@inline` stands before functions, so tsc and biome leave the folder out. No function
 * allocates; whoever calls gives pointers. Reads may go up to 64 bytes beyond a block, which the arena keeps within the memory.
 */
export { logits } from './forward'
export { copy, clear, digest, elementwise, flip, logLoss, squaredDistance, sumOfSquares } from './measure'
export { merge } from './merge'
export { pack, spread, unpack } from './pack'
export { train } from './train'
import { KERNELS_VERSION } from '../planLayout'

/** What the loader compares with its own. */
export function version(): u32 {
  return KERNELS_VERSION
}
