/** Percentile intervals of many means at once, from the same resamples. */
import type { Rng } from '../core/rng.ts'
import { CALIBRATION_BINS, calibrationBin, quantile } from './evaluate.ts'
import { probability } from './model.ts'

/** A figure of each row, whose mean is wanted. */
export type MeanColumn = Float64Array

/** What is resampled: rows with their label, what is to be averaged, and models whose calibration error is wanted. */
export interface Resampled {
  readonly labels: Uint8Array
  readonly columns: readonly MeanColumn[]
  readonly logits: readonly ArrayLike<number>[]
}

/** 95 % intervals, in the order of what was given. */
export interface Spans {
  readonly means: readonly (readonly [low: number, high: number])[]
  readonly calibrationErrors: readonly (readonly [low: number, high: number])[]
}

const RESAMPLES = 1_000 // the ends then move by a few hundredths of the interval from seed to seed (Efron and Tibshirani 1993, §14.3)
const LEVEL = 0.95
const DRAWS_AT_ONCE = 200_000 // about 5 ms

/**
 * Stratified percentile bootstrap (Efron and Tibshirani 1993, §13.3): each resample draws as many positive and as many negative rows as there
 * are. Every column sees the same draws, so that a column of differences is paired. `breathe` is awaited every few milliseconds of work.
 */
export async function pairedBootstrap(
  { labels, columns, logits }: Resampled,
  rng: Rng,
  breathe: () => Promise<void>,
): Promise<Spans> {
  const strata = [0, 1].map((label) => Uint32Array.from(labels.keys()).filter((row) => labels[row] === label))
  const models = logits.map((one) => gapsOf(one, labels))
  const means = columns.map(() => new Float64Array(RESAMPLES))
  const errors = models.map(() => new Float64Array(RESAMPLES))
  const rows = new Uint32Array(labels.length)
  let drawn = 0
  for (let i = 0; i < RESAMPLES; i++) {
    draw(strata, rows, rng)
    for (const [c, column] of columns.entries()) (means[c] as Float64Array)[i] = meanAt(column, rows)
    for (const [m, model] of models.entries()) (errors[m] as Float64Array)[i] = errorAt(model, rows)
    drawn += rows.length
    if (drawn < DRAWS_AT_ONCE) continue
    drawn = 0
    await breathe()
  }
  return { means: means.map(ends), calibrationErrors: errors.map(ends) }
}

function draw(strata: readonly Uint32Array[], rows: Uint32Array, rng: Rng): void {
  let at = 0
  for (const stratum of strata) {
    for (let k = 0; k < stratum.length; k++) rows[at++] = stratum[rng.below(stratum.length)] as number
  }
}

function meanAt(column: MeanColumn, rows: Uint32Array): number {
  let sum = 0
  for (let i = 0; i < rows.length; i++) sum += column[rows[i] as number] as number
  return sum / rows.length
}

/** Of each row the calibration error's bin, and what the prediction is above the label. */
interface Gaps {
  readonly bins: Uint8Array
  readonly gaps: Float64Array
}

function gapsOf(logits: ArrayLike<number>, labels: Uint8Array): Gaps {
  const probabilities = Float64Array.from(labels, (_, row) => probability(logits[row] as number))
  return {
    bins: Uint8Array.from(probabilities, calibrationBin),
    gaps: probabilities.map((p, row) => p - (labels[row] as number)),
  }
}

function errorAt({ bins, gaps }: Gaps, rows: Uint32Array): number {
  const sums = new Float64Array(CALIBRATION_BINS)
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number
    const bin = bins[row] as number
    sums[bin] = (sums[bin] as number) + (gaps[row] as number)
  }
  return sums.reduce((sum, gap) => sum + Math.abs(gap), 0) / rows.length
}

function ends(values: Float64Array): readonly [number, number] {
  values.sort()
  return [quantile(values, (1 - LEVEL) / 2), quantile(values, (1 + LEVEL) / 2)]
}
