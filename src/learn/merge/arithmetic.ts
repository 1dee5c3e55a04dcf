/** What merge rules ask of whole models, in plain TypeScript; `kernelArithmetic.ts` gives the same bytes, faster. */
import { squaredDistances } from './distances.ts'
import { weightedMean } from './mean.ts'
import { type Mixing, mix, type Vectors } from './nearest.ts'
import { sortingNetwork } from './network.ts'

/** Guarantees: every implementation gives the same bytes for the same arguments. Models are finite, of one length, and are not changed. */
export interface MergeArithmetic {
  /** As `weightedMean`; a new array. */
  weightedMean(models: Vectors, weights: readonly number[]): Float32Array
  /** As `squaredDistances`. */
  squaredDistances(models: Vectors): Float64Array
  /**
   * At each coordinate the mean of the values but for the `trimmed` lowest and as many highest; of the mixed models where `mixing` is given,
   * which are rounded to float32. Values are summed upwards in float64 and divided by their number, then rounded; 2 · trimmed < models.
   */
  trimmedMean(models: Vectors, mixing: Mixing | null, trimmed: number): Float32Array
}

/** Coordinates of one block: 64 models' slices as float64, 64 kB, stay in a second-level cache. */
export const TRIM_BLOCK = 128

export const PLAIN: MergeArithmetic = {
  weightedMean: (models, weights) => weightedMean(models, weights),
  squaredDistances,
  trimmedMean(models, mixing, trimmed) {
    const parameters = models[0]?.length ?? 0
    const out = new Float32Array(parameters)
    const rows = models.map(() => new Float32Array(TRIM_BLOCK))
    const network = sortingNetwork(models.length)
    for (let at = 0; at < parameters; at += TRIM_BLOCK) {
      const length = Math.min(TRIM_BLOCK, parameters - at)
      if (mixing === null)
        for (const [m, row] of rows.entries()) row.set((models[m] as Float32Array).subarray(at, at + length))
      else mix(models, mixing, at, length, rows)
      sortRows(rows, network, length)
      for (let i = 0; i < length; i++) out[at + i] = meanWithin(rows, trimmed, i)
    }
    return out
  },
}

function sortRows(rows: readonly Float32Array[], network: Uint32Array, length: number): void {
  for (let c = 0; c < network.length; c += 2) {
    const low = rows[network[c] as number] as Float32Array
    const high = rows[network[c + 1] as number] as Float32Array
    for (let i = 0; i < length; i++) {
      const [a, b] = [low[i] as number, high[i] as number]
      low[i] = a < b ? a : b
      high[i] = a < b ? b : a
    }
  }
}

function meanWithin(rows: readonly Float32Array[], trimmed: number, i: number): number {
  let sum = 0
  for (let r = trimmed; r < rows.length - trimmed; r++) sum += (rows[r] as Float32Array)[i] as number
  return sum / (rows.length - 2 * trimmed)
}
