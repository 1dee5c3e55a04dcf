/** How good a model is on held-out rows: discrimination, log-loss, accuracy, calibration, and intervals for any of them. */

import { invariant } from '../core/errors.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Rng } from '../core/rng.ts'
import type { Told } from '../core/told.ts'
import { probability } from './model.ts'

export const CALIBRATION_BINS = 10 // Guo et al. 2017 use 15 on thousands of rows; a clinic's test rows fill ten at best

/**
 * Evaluates `logits` against `labels` (0 or 1), at `rows` only where given (row numbers, repeats allowed: a resample).
 * Accuracy calls a row positive when its probability is above ½. At least one row and only finite logits are expected.
 */
export function evaluate(logits: ArrayLike<number>, labels: Uint8Array, rows?: Uint32Array): Metrics {
  invariant(logits.length === labels.length, `${logits.length} logits for ${labels.length} labels`)
  const picked = rows ?? Uint32Array.from(labels, (_, row) => row)
  invariant(picked.length > 0, 'an evaluation needs at least one row')
  let positives = 0
  let right = 0
  let loss = 0
  let squares = 0
  for (const row of picked) {
    const logit = logits[row] as number
    const label = labels[row] as number
    invariant(Number.isFinite(logit), `the logit of row ${row} is ${logit}`)
    positives += label
    if (logit > 0 === (label === 1)) right++
    loss += logLossOf(logit, label)
    squares += (probability(logit) - label) ** 2
  }
  return {
    examples: picked.length,
    positives,
    auc: auc(logits, labels, picked, positives),
    accuracy: right / picked.length,
    logLoss: loss / picked.length,
    brier: squares / picked.length,
    calibrationError: calibrationError(logits, labels, picked),
  }
}

/** The same of the rows that may be told of; AUC and `positives` are of those that tell the classes apart, where there are enough. */
export function evaluateTold(logits: ArrayLike<number>, labels: Uint8Array, { all, classes }: Told): Metrics {
  const whole = evaluate(logits, labels, all)
  if (classes === null) return whole
  const { auc, positives } = evaluate(logits, labels, classes)
  return { ...whole, auc, positives }
}

/**
 * An interval for `statistic` by the stratified percentile bootstrap (Efron and Tibshirani 1993, §13.3): each resample draws, with
 * replacement, as many rows of each stratum as there are. `strata` numbers each row's stratum (the label; clinic and label together).
 * Returns null where the statistic is null in any resample. Quantiles interpolate linearly (Hyndman and Fan 1996, type 7).
 */
export function bootstrapInterval(
  strata: ArrayLike<number>,
  statistic: (rows: Uint32Array) => number | null,
  rng: Rng,
  options: { readonly resamples?: number; readonly level?: number } = {},
): { readonly low: number; readonly high: number } | null {
  const { resamples = 1000, level = 0.95 } = options
  const groups = rowsByStratum(strata)
  const values = new Float64Array(resamples)
  const rows = new Uint32Array(strata.length)
  for (let i = 0; i < resamples; i++) {
    let at = 0
    for (const group of groups) {
      for (let k = 0; k < group.length; k++) rows[at++] = group[rng.below(group.length)] as number
    }
    const value = statistic(rows)
    if (value === null) return null
    values[i] = value
  }
  values.sort()
  return { low: quantile(values, (1 - level) / 2), high: quantile(values, (1 + level) / 2) }
}

/** −log of the probability given to `label`: log(1 + e^−|z|) + max(z, 0) − z·label, which overflows for no z. */
export function logLossOf(logit: number, label: number): number {
  return Math.log1p(Math.exp(-Math.abs(logit))) + Math.max(logit, 0) - logit * label
}

/**
 * The chance that a positive row's logit is above a negative row's, ties counting half: Mann and Whitney's U over its maximum
 * (Hanley and McNeil 1982), from midranks in O(n log n). Null where a class is absent.
 */
function auc(logits: ArrayLike<number>, labels: Uint8Array, rows: Uint32Array, positives: number): number | null {
  const negatives = rows.length - positives
  if (positives === 0 || negatives === 0) return null
  const sorted = rows.slice().sort((a, b) => (logits[a] as number) - (logits[b] as number))
  let rankSum = 0
  for (let from = 0; from < sorted.length; ) {
    const value = logits[sorted[from] as number]
    let to = from
    let tiedPositives = 0
    while (to < sorted.length && logits[sorted[to] as number] === value) {
      tiedPositives += labels[sorted[to] as number] as number
      to++
    }
    rankSum += (tiedPositives * (from + 1 + to)) / 2
    from = to
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives)
}

/**
 * Expected calibration error: rows in ten bins of equal width by predicted probability of the positive class, the gap between mean
 * prediction and observed rate in each, averaged by rows (Naeini et al. 2015, the binary form of Guo et al. 2017, eq. 3).
 */
function calibrationError(logits: ArrayLike<number>, labels: Uint8Array, rows: Uint32Array): number {
  const gaps = new Float64Array(CALIBRATION_BINS)
  for (const row of rows) {
    const p = probability(logits[row] as number)
    const bin = calibrationBin(p)
    gaps[bin] = (gaps[bin] as number) + p - (labels[row] as number)
  }
  return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / rows.length
}

/** Of the calibration error's bins, which one `p` falls into. */
export function calibrationBin(p: number): number {
  return Math.min(CALIBRATION_BINS - 1, Math.floor(p * CALIBRATION_BINS))
}

function rowsByStratum(strata: ArrayLike<number>): number[][] {
  const groups = new Map<number, number[]>()
  for (let row = 0; row < strata.length; row++) {
    const stratum = strata[row] as number
    const group = groups.get(stratum)
    if (group) group.push(row)
    else groups.set(stratum, [row])
  }
  return [...groups.keys()].sort((a, b) => a - b).map((stratum) => groups.get(stratum) as number[])
}

/** Of ascending values, between two of them by linear interpolation (Hyndman and Fan 1996, type 7). */
export function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1)
  const below = sorted[Math.floor(at)] as number
  const above = sorted[Math.ceil(at)] as number
  return below + (above - below) * (at - Math.floor(at))
}
