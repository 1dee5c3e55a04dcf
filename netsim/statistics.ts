/** Means with intervals over seeds, paired tests, and what several tests at once need. Two-sided throughout. */
import { invariant } from '../src/core/errors.ts'

/** A mean with its 95 % interval; NaN bounds where one value says nothing of spread. */
export interface Estimate {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** A test of paired differences against 0. */
export interface PairedTest {
  /** Two-sided. */
  readonly p: number
  /** Pairs that counted. */
  readonly pairs: number
}

const LEVEL = 0.975 // the upper end of a 95 % interval
const EXACT_PAIRS_MAX = 200 // the exact distribution takes pairs³ steps: 8 million
const NORMAL_LIMIT = 200_000 // degrees of freedom from which t is normal to six digits

/** The mean; NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** The standard deviation of a sample, n − 1; NaN of fewer than two. */
export function deviation(values: readonly number[]): number {
  if (values.length > 1 && values.every((value) => value === values[0])) return 0 // their mean may be off by a bit
  const centre = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1))
}

/** Student's 95 % interval for the mean of independent values (paired differences too). */
export function estimate(values: readonly number[]): Estimate {
  const centre = mean(values)
  if (values.length < 2) return { mean: centre, low: Number.NaN, high: Number.NaN }
  const half = (studentQuantile(values.length - 1) * deviation(values)) / Math.sqrt(values.length)
  return { mean: centre, low: centre - half, high: centre + half }
}

/** Probability that |t| stays below `t` with `freedom` (whole) degrees: the finite series of Abramowitz and Stegun 1964, 26.7.3 and 26.7.4. */
export function studentWithin(t: number, freedom: number): number {
  invariant(Number.isInteger(freedom) && freedom > 0, 'degrees of freedom are whole and positive')
  if (t === Number.POSITIVE_INFINITY) return 1
  const nu = Math.min(freedom, NORMAL_LIMIT)
  const angle = Math.atan(t / Math.sqrt(nu))
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)]
  const odd = nu % 2 === 1
  let term = odd ? cosine : 1
  let sum = nu === 1 ? 0 : term
  for (let k = odd ? 3 : 2; k <= nu - 2; k += 2) {
    term *= (cosine * cosine * (k - 1)) / k
    sum += term
  }
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum
}

/** The point of Student's t below which the share `level` lies, by bisection; 0.5 < level < 1. */
export function studentQuantile(freedom: number, level = LEVEL): number {
  invariant(level > 0.5 && level < 1, 'a level lies between 0.5 and 1')
  const within = 2 * level - 1
  let [low, high] = [0, 1]
  while (studentWithin(high, freedom) < within) high *= 2
  while (high - low > 1e-12 * high) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (studentWithin(middle, freedom) < within) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Student's paired t-test; null with fewer than two pairs. Without any spread, p is 1 (no difference) or 0. */
export function pairedT(differences: readonly number[]): PairedTest | null {
  const pairs = differences.length
  if (pairs < 2) return null
  const spread = deviation(differences)
  const centre = mean(differences)
  if (spread === 0) return { p: centre === 0 ? 1 : 0, pairs }
  const t = Math.abs(centre) / (spread / Math.sqrt(pairs))
  return { p: Math.max(0, 1 - studentWithin(t, pairs - 1)), pairs }
}

/**
 * Wilcoxon's signed-rank test (1945): zeros are left out, ties get the mean of their ranks. The distribution given the ranks is
 * exact up to 200 pairs; beyond, normal with the tie-corrected variance and a continuity correction. Null without any difference.
 */
export function wilcoxonSignedRank(differences: readonly number[]): PairedTest | null {
  const present = differences.filter((difference) => difference !== 0)
  const pairs = present.length
  if (pairs === 0) return null
  const doubled = doubledRanks(present.map(Math.abs)) // twice the rank is whole, with ties too
  const total = doubled.reduce((sum, rank) => sum + rank, 0)
  const positive = present.reduce((sum, difference, i) => (difference > 0 ? sum + (doubled[i] as number) : sum), 0)
  const smaller = Math.min(positive, total - positive)
  const p = pairs <= EXACT_PAIRS_MAX ? exactTail(doubled, smaller) : normalTail(doubled, smaller, total)
  return { p: Math.min(1, 2 * p), pairs }
}

/** The least p that Wilcoxon's test can give with this many pairs. */
export function wilcoxonLeast(pairs: number): number {
  return Math.min(1, 2 ** (1 - pairs))
}

function doubledRanks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number))
  const ranks = new Array<number>(values.length)
  for (let from = 0; from < order.length; ) {
    let to = from
    while (to + 1 < order.length && values[order[to + 1] as number] === values[order[from] as number]) to++
    for (let i = from; i <= to; i++) ranks[order[i] as number] = from + to + 2
    from = to + 1
  }
  return ranks
}

/** Share of the 2^n choices of signs whose positive ranks sum to at most `limit`. */
function exactTail(ranks: readonly number[], limit: number): number {
  const share = new Float64Array(limit + 1)
  share[0] = 1
  for (const rank of ranks) {
    for (let sum = limit; sum >= 0; sum--) {
      share[sum] = ((share[sum] as number) + (sum >= rank ? (share[sum - rank] as number) : 0)) / 2
    }
  }
  return share.reduce((sum, value) => sum + value, 0)
}

function normalTail(ranks: readonly number[], smaller: number, total: number): number {
  const variance = ranks.reduce((sum, rank) => sum + rank * rank, 0) / 4
  const z = Math.max(0, total / 2 - smaller - 1) / Math.sqrt(variance) // ranks are doubled, so is the half of the correction
  return (1 - studentWithin(z, NORMAL_LIMIT)) / 2
}

/** Holm's step-down correction (1979): p-values such that rejecting those below α errs at all with at most α. In the order given. */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number))
  const corrected = new Array<number>(values.length)
  let least = 0
  for (const [rank, i] of order.entries()) {
    least = Math.max(least, Math.min(1, (values[i] as number) * (values.length - rank)))
    corrected[i] = least
  }
  return corrected
}
