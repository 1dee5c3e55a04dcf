/** How far from the truth noised counts may be: exact tails of sums of two-sided geometric noise. */
import { MILLION } from '../core/geometric.ts'

const SHARE = 0.95
const DEVIATION_MAX = 60 // of the defaults' noise summed over 64 hospitals: exact up to it, in milliseconds
const DEVIATIONS = 24 // beyond so many the noise is nowhere: less than 10⁻¹⁰ of it

/** Of any single-peaked noise at most 1 − SHARE lies further out: √(4 / (9·0.05)) deviations (Vysochanskij and Petunin 1980). */
const WIDE = Math.sqrt(4 / (9 * (1 - SHARE)))

/**
 * The least k such that the sum of one draw for each of these ε, in millionths, is at most k away from 0 in 95 of 100 cases. From the
 * characteristic function, ∏ (1−α)² / (1−2α·cos t+α²) with α = e^−ε, at as many points as the sum has values.
 * Of one draw alone it is 2·α^(k+1)/(1+α) that lies further out. Of a very wide sum k is a bound, and not the least: others' ε are not checked.
 */
export function noiseWidth(microEpsilons: readonly number[]): number {
  const [first] = microEpsilons
  if (first === undefined) return 0
  if (microEpsilons.length === 1) return widthOfOne(first)
  const alphas = microEpsilons.map((micro) => Math.exp(-micro / MILLION))
  const variance = alphas.reduce((sum, alpha) => sum + (2 * alpha) / (1 - alpha) ** 2, 0)
  if (!(variance <= DEVIATION_MAX ** 2)) return Math.ceil(WIDE * Math.sqrt(variance))
  const points = 2 * Math.ceil(DEVIATIONS * Math.sqrt(variance) + 32)
  const weights = Float64Array.from(
    { length: points },
    (_, j) => characteristic(alphas, (2 * Math.PI * j) / points) / points,
  )
  const within = (k: number): number => weights.reduce((sum, weight, j) => sum + weight * kernel(k, j, points), 0)
  let [low, high] = [-1, Math.ceil(points / 2)]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (within(middle) >= SHARE) high = middle
    else low = middle
  }
  return high
}

function widthOfOne(microEpsilon: number): number {
  const epsilon = microEpsilon / MILLION
  const alpha = Math.exp(-epsilon)
  return Math.max(0, Math.ceil(Math.log(2 / ((1 - SHARE) * (1 + alpha))) / epsilon) - 1)
}

function characteristic(alphas: readonly number[], t: number): number {
  const cosine = Math.cos(t)
  return alphas.reduce((product, alpha) => (product * (1 - alpha) ** 2) / (1 - 2 * alpha * cosine + alpha ** 2), 1)
}

/** Σ cos(y·t) over |y| ≤ k, at t = 2πj/points. */
function kernel(k: number, j: number, points: number): number {
  if (j === 0) return 2 * k + 1
  const half = (Math.PI * j) / points
  return Math.sin((2 * k + 1) * half) / Math.sin(half)
}
