/** Intervals for areas under ROC curves without resampling: DeLong, DeLong and Clarke-Pearson 1988, in the O(n log n) form of Sun and Xu 2014. */

import { invariant } from '../core/errors.ts'
import type { Estimate } from '../core/evaluation.ts'

/** Standard normal quantile of .975: two-sided 95 %. */
export const Z_95 = 1.959963984540054

/** One model's AUC with its structural components: of each positive and each negative row the share of the other class that it beats. */
interface Components {
  readonly auc: number
  readonly positives: Float64Array
  readonly negatives: Float64Array
}

/**
 * The AUC with DeLong's 95 % interval, cut at 0 and 1. Null where a class is absent; the ends are null where a class has one row, or
 * where the variance is 0, as when every positive row is above every negative one: the data then say nothing of how sure that is.
 */
export function aucEstimate(logits: ArrayLike<number>, labels: Uint8Array): Estimate | null {
  const parts = componentsOf(logits, labels)
  if (parts === null) return null
  const variance = covariance(parts, parts)
  return cut(withSpread(parts.auc, variance), 0)
}

/** AUC of `a` less that of `b` on the same rows, with the interval of the paired difference, cut at ±1. Null as for `aucEstimate`. */
export function aucDifference(a: ArrayLike<number>, b: ArrayLike<number>, labels: Uint8Array): Estimate | null {
  const [first, second] = [componentsOf(a, labels), componentsOf(b, labels)]
  if (first === null || second === null) return null
  const variance = covariance(first, first) + covariance(second, second) - 2 * covariance(first, second)
  return cut(withSpread(first.auc - second.auc, variance), -1)
}

const VARIANCE_MIN = 1e-15 // below it lies rounding: of one row the smallest variance of an AUC is far above

function withSpread(value: number, variance: number): Estimate {
  if (!(variance > VARIANCE_MIN)) return [value, null, null]
  const spread = Z_95 * Math.sqrt(variance)
  return [value, value - spread, value + spread]
}

function cut([value, low, high]: Estimate, least: number): Estimate {
  return [value, low === null ? null : Math.max(least, low), high === null ? null : Math.min(1, high)]
}

/** Sun and Xu 2014, Alg. 2: components from midranks within each class and in both together. */
function componentsOf(logits: ArrayLike<number>, labels: Uint8Array): Components | null {
  invariant(logits.length === labels.length, `${logits.length} logits for ${labels.length} labels`)
  const of = (label: number): Float64Array =>
    Float64Array.from({ length: labels.length }, (_, row) => row)
      .filter((row) => labels[row] === label)
      .map((row) => logits[row] as number)
  const [negatives, positives] = [of(0), of(1)]
  const [n, m] = [negatives.length, positives.length]
  if (n === 0 || m === 0) return null
  const together = new Float64Array(m + n)
  together.set(positives)
  together.set(negatives, m)
  const ranks = midranks(together)
  const [own, other] = [midranks(positives), midranks(negatives)]
  const beaten = own.map((rank, i) => ((ranks[i] as number) - rank) / n)
  return {
    auc: beaten.reduce((sum, value) => sum + value, 0) / m,
    positives: beaten,
    negatives: other.map((rank, j) => 1 - ((ranks[m + j] as number) - rank) / m),
  }
}

/** Of two AUCs on the same rows: sample covariances of the components, over their numbers (DeLong et al. 1988, eq. 5). */
function covariance(a: Components, b: Components): number {
  return (
    sampleCovariance(a.positives, b.positives) / a.positives.length +
    sampleCovariance(a.negatives, b.negatives) / a.negatives.length
  )
}

/** NaN of a single value. */
function sampleCovariance(a: Float64Array, b: Float64Array): number {
  const [meanA, meanB] = [meanOf(a), meanOf(b)]
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - meanA) * ((b[i] as number) - meanB)
  return sum / (a.length - 1)
}

const meanOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Ranks from 1; equal values share the mean of theirs. By a sort of the numbers alone, which is far faster than one of places. */
export function midranks(values: Float64Array): Float64Array {
  const sorted = values.slice().sort()
  const rankFrom = new Float64Array(sorted.length) // at the first of equal values
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1
    while (to < sorted.length && sorted[to] === sorted[from]) to++
    rankFrom[from] = (from + 1 + to) / 2
    from = to
  }
  return values.map((value) => rankFrom[firstOf(sorted, value)] as number)
}

/** Where the first of the values that equal `value` stands, which is there. */
function firstOf(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length - 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}
