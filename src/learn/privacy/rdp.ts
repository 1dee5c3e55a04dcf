/** Rényi differential privacy of DP-SGD's steps: the quick accountant, a bound that is somewhat loose. */
import type { PrivacySteps } from '../../core/privacy.ts'
import { logErfc } from './normal.ts'

/** Orders α at which the divergence is bounded: dense where many steps lead, and up to where a few do (Opacus' and DECISIONS'). */
export const ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => (11 + i) / 10),
  ...Array.from({ length: 52 }, (_, i) => 12 + i),
]

/**
 * An ε for `delta` after all of `spent`, by composing at each order and converting the best one. Mironov, Talwar and Zhang 2019, §3.3;
 * the conversion is Canonne, Kamath and Steinke's 2020, Prop. 12. Infinity where no order bounds it; 0 where nothing was spent.
 */
export function epsilonByRdp(spent: readonly PrivacySteps[], delta: number): number {
  if (spent.every(({ steps }) => steps === 0)) return 0
  let best = Number.POSITIVE_INFINITY
  ORDERS.forEach((order, i) => {
    let divergence = 0
    for (const { sampleRate, noiseMultiplier, steps } of spent)
      divergence += steps * (divergences(sampleRate, noiseMultiplier)[i] as number)
    const epsilon = divergence + Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1)
    if (epsilon < best) best = epsilon
  })
  return Math.max(0, best)
}

const KEPT_MAX = 256 // hospitals of one simulation; each entry is 1.2 kB
const kept = new Map<string, Float64Array>()

/** The divergence of one step at each of `ORDERS`. */
function divergences(q: number, sigma: number): Float64Array {
  const key = `${q} ${sigma}`
  const found = kept.get(key)
  if (found !== undefined) return found
  if (kept.size >= KEPT_MAX) kept.clear()
  const values = Float64Array.from(ORDERS, (order) => divergence(q, sigma, order))
  kept.set(key, values)
  return values
}

/** D_α of one step, Mironov et al. 2019: §3.3 for whole orders and for those between, where Gaussian tails weigh the terms. */
export function divergence(q: number, sigma: number, order: number): number {
  if (q === 1) return order / (2 * sigma * sigma)
  const logMoment = Number.isInteger(order) ? wholeOrder(q, sigma, order) : betweenOrders(q, sigma, order)
  return logMoment / (order - 1)
}

/** log Σ C(α, k) (1 − q)^(α−k) q^k exp((k² − k) / 2σ²). */
function wholeOrder(q: number, sigma: number, order: number): number {
  let sum = Number.NEGATIVE_INFINITY
  let logBinomial = 0
  for (let k = 0; k <= order; k++) {
    const term = logBinomial + k * Math.log(q) + (order - k) * Math.log1p(-q) + (k * k - k) / (2 * sigma * sigma)
    sum = logAdd(sum, term)
    logBinomial += Math.log(order - k) - Math.log(k + 1)
  }
  return sum
}

const TERMS_MAX = 10_000 // the series ends after α and some; a bound against a fault of ours
const NEGLIGIBLE = -30 // e⁻³⁰ = 1e-13 of what there is

/** The integral split where both parts of the mixture are equal, each half a binomial series of its own. */
function betweenOrders(q: number, sigma: number, order: number): number {
  const split = sigma * sigma * Math.log(1 / q - 1) + 0.5
  const [logQ, logRest, twice] = [Math.log(q), Math.log1p(-q), 2 * sigma * sigma]
  let [positive, negative] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  let [logSize, sign] = [0, 1]
  for (let i = 0; i < TERMS_MAX; i++) {
    const j = order - i
    const below = i * logQ + j * logRest + (i * i - i) / twice + logErfc((i - split) / (Math.SQRT2 * sigma))
    const above = j * logQ + i * logRest + (j * j - j) / twice + logErfc((split - j) / (Math.SQRT2 * sigma))
    const term = logSize + Math.log(0.5) + logAdd(below, above)
    if (sign > 0) positive = logAdd(positive, term)
    else negative = logAdd(negative, term)
    if (i > order && term - positive < NEGLIGIBLE) break
    logSize += Math.log(Math.abs(j)) - Math.log(i + 1)
    if (j < 0) sign = -sign
  }
  return positive + Math.log1p(-Math.exp(negative - positive))
}

function logAdd(a: number, b: number): number {
  const [low, high] = a < b ? [a, b] : [b, a]
  return low === Number.NEGATIVE_INFINITY ? high : high + Math.log1p(Math.exp(low - high))
}
