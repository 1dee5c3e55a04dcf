/** Models to merge, as many and as large as a benchmark wants. */
import { Rng } from '../../src/core/rng.ts'

const TURN = 9_973 // each model is the same pool turned by another amount: a second to make, not half a minute

/** `count` models of `parameters` numbers from −½ to ½; the same for the same `seed`. */
export function randomModels(count: number, parameters: number, seed: string): Float32Array[] {
  const rng = Rng.from('bench', seed)
  const pool = Float32Array.from({ length: parameters }, () => rng.float() - 0.5)
  return Array.from({ length: count }, (_, m) => {
    const model = new Float32Array(parameters)
    const from = (m * TURN) % parameters
    model.set(pool.subarray(from))
    model.set(pool.subarray(0, from), parameters - from)
    return model
  })
}
