/** The Gaussian mechanism on floating-point numbers that does not leak through their last bits. */
import { invariant } from '../../core/errors.ts'
import type { Chance } from './chance.ts'

/** How large one row's part of a sum is at most, and the noise's deviation over that. */
export interface Mechanism {
  readonly clipNorm: number
  readonly noiseMultiplier: number
}

const GRID_BITS = 24 // a grid of 2⁻²⁴ deviations: a sum of 65,536 clipped rows is still exact, and 100,000 parameters make the noise 0.02 % larger at σ 8
const SUMMATION = 1e-9 // share of a row's part by which float64 sums of neighbours may differ more, for the order in which they are summed

/**
 * Adds noise to a sum of clipped parts, in place. Which floating-point numbers can come out of value + noise betrays the value (Mironov
 * 2012). So the sum is rounded to a grid of a power of two, the noise is rounded to the same grid, and they are added exactly: what comes
 * out is the real-valued Gaussian mechanism of the rounded sum, rounded; and rounding afterwards costs no privacy (Balcer and Vadhan 2018,
 * for Laplace). Rounding before can move neighbours apart by one grid step a coordinate, for which the deviation is enlarged.
 */
export function addNoise(sum: Float64Array, { clipNorm, noiseMultiplier }: Mechanism, chance: Chance): void {
  const grid = 2 ** (Math.ceil(Math.log2(noiseMultiplier * clipNorm)) - GRID_BITS)
  const apart = clipNorm * (1 + SUMMATION) + grid * Math.sqrt(sum.length)
  const steps = (noiseMultiplier * apart) / grid
  for (let i = 0; i < sum.length; i++) {
    const onGrid = Math.round((sum[i] as number) / grid) + Math.round(steps * chance.normal())
    invariant(Math.abs(onGrid) < 2 ** 52, 'a sum on the grid is exact')
    sum[i] = onGrid * grid
  }
}
