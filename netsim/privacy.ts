/** Differential privacy in a simulation: the product's own training, with chance that repeats in place of secret chance. */
import { Rng } from '../src/core/rng.ts'
import type { Fill } from '../src/learn/privacy/chance.ts'

/** The bits of one node's noise and sampling. Whoever knows the seed can take the noise off: simulations alone may do so. */
export function seededFill(seed: number, node: number): Fill {
  const rng = Rng.from('netsim', seed, 'privacy', node)
  return (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at + 4 <= bytes.length; at += 4) view.setUint32(at, rng.u32(), true)
  }
}
