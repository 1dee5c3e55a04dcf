/** Whether predicted probabilities come true: a curve over bins, and Cox's slope and intercept. */
import { invariant } from '../core/errors.ts'
import type { CalibrationBin, Estimate } from '../core/evaluation.ts'
import { classesShow } from '../core/metrics.ts'
import { Z_95 } from './delong.ts'
import { probability } from './model.ts'

const BINS_MAX = 10 // deciles of predicted risk, as clinical papers draw them

/**
 * Rows in order of their prediction, in at most ten bins of at least a tenth each; equal predictions stay together. A bin takes in more until
 * it has `cohort` rows of either class, for its rate would tell how many of a few patients are ill; so there are as many bins as can be. Of each
 * rows, mean prediction and observed rate. Empty where all rows have fewer of a class.
 */
export function calibrationCurve(logits: ArrayLike<number>, labels: Uint8Array, cohort: number): CalibrationBin[] {
  const examples = labels.length
  const order = Uint32Array.from(labels, (_, i) => i).sort((a, b) => (logits[a] as number) - (logits[b] as number))
  const wanted = Math.ceil(examples / BINS_MAX)
  const bins: CalibrationBin[] = []
  let rest = { examples, positives: labels.reduce((sum, label) => sum + label, 0) }
  for (let from = 0, at = 0, positives = 0; classesShow(rest, cohort); at++) {
    positives += labels[order[at] as number] as number
    const to = at + 1
    const isTied = logits[order[to] as number] === logits[order[at] as number]
    const isFull = to - from >= wanted && classesShow({ examples: to - from, positives }, cohort)
    if (to < examples && (isTied || !isFull)) continue
    const after = { examples: examples - to, positives: rest.positives - positives }
    const isLast = !classesShow(after, cohort) // what is left would be too small a bin
    bins.push(binOf(logits, labels, order.subarray(from, isLast ? examples : to)))
    ;[rest, from, positives] = [after, to, 0]
  }
  return bins
}

function binOf(logits: ArrayLike<number>, labels: Uint8Array, rows: Uint32Array): [number, number, number] {
  let [predicted, observed] = [0, 0]
  for (const row of rows) {
    predicted += probability(logits[row] as number)
    observed += labels[row] as number
  }
  return [rows.length, predicted / rows.length, observed / rows.length]
}

/** Slope and intercept of calibration with Wald's intervals (Cox 1958; the names as in Van Calster et al. 2019). */
export interface CalibrationFit {
  /** b of logit P(y = 1) = a + b · logit; null where no finite one is the most likely, as with one class, or classes that are parted. */
  readonly slope: Estimate | null
  /** a of logit P(y = 1) = a + logit: calibration in the large; null with one class. */
  readonly intercept: Estimate | null
}

/** Both by Newton's method, in logits. */
export function calibrationFit(logits: ArrayLike<number>, labels: Uint8Array): CalibrationFit {
  invariant(logits.length === labels.length, `${logits.length} logits for ${labels.length} labels`)
  const positives = labels.reduce((sum, label) => sum + label, 0)
  if (positives === 0 || positives === labels.length) return { slope: null, intercept: null }
  const slope = areParted(logits, labels) ? null : maximise(logits, labels, true)
  const intercept = maximise(logits, labels, false)
  return {
    slope: slope && estimate(slope.b, slope.variance),
    intercept: intercept && estimate(intercept.a, intercept.variance),
  }
}

/** Whether some threshold has one class at or below it and the other at or above: then the likelihood grows with the slope for ever. */
function areParted(logits: ArrayLike<number>, labels: Uint8Array): boolean {
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  const most = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let row = 0; row < labels.length; row++) {
    const [label, logit] = [labels[row] as number, logits[row] as number]
    least[label] = Math.min(least[label] as number, logit)
    most[label] = Math.max(most[label] as number, logit)
  }
  const [lowest, highest] = [least as [number, number], most as [number, number]]
  return highest[0] <= lowest[1] || highest[1] <= lowest[0]
}

const estimate = (value: number, variance: number): Estimate => {
  const spread = Z_95 * Math.sqrt(variance)
  return [value, value - spread, value + spread]
}

const STEPS_MAX = 100 // Newton takes about six; where it takes so many there is no maximum
const HALVINGS_MAX = 30 // of a step that went too far
const CLOSE = 1e-16 // of the likelihood that one more step would win: what rounding loses

interface Maximum {
  readonly a: number
  readonly b: number
  /** Of b where it is free, else of a. */
  readonly variance: number
}

function maximise(logits: ArrayLike<number>, labels: Uint8Array, slopeIsFree: boolean): Maximum | null {
  let at = look(logits, labels, 0, 1)
  for (let step = 0; step < STEPS_MAX; step++) {
    const { aa, ab, bb, ga, gb } = at
    const determinant = slopeIsFree ? aa * bb - ab * ab : aa
    if (!(determinant > 0)) return null
    const da = slopeIsFree ? (bb * ga - ab * gb) / determinant : ga / aa
    const db = slopeIsFree ? (aa * gb - ab * ga) / determinant : 0
    if (ga * da + gb * db < CLOSE) return { a: at.a, b: at.b, variance: slopeIsFree ? aa / determinant : 1 / aa }
    let next = look(logits, labels, at.a + da, at.b + db)
    for (let half = 1; half <= HALVINGS_MAX && !(next.likelihood > at.likelihood); half++)
      next = look(logits, labels, at.a + da / 2 ** half, at.b + db / 2 ** half)
    if (!(next.likelihood > at.likelihood))
      return { a: at.a, b: at.b, variance: slopeIsFree ? aa / determinant : 1 / aa }
    at = next
  }
  return null
}

/** Log-likelihood at (a, b), its gradient and its information. */
function look(logits: ArrayLike<number>, labels: Uint8Array, a: number, b: number) {
  let [likelihood, ga, gb, aa, ab, bb] = [0, 0, 0, 0, 0, 0]
  for (let row = 0; row < labels.length; row++) {
    const x = logits[row] as number
    const z = a + b * x
    const p = probability(z)
    const residual = (labels[row] as number) - p
    const weight = p * (1 - p)
    likelihood += (labels[row] as number) * z - Math.max(z, 0) - Math.log1p(Math.exp(-Math.abs(z)))
    ga += residual
    gb += residual * x
    aa += weight
    ab += weight * x
    bb += weight * x * x
  }
  return { a, b, likelihood, ga, gb, aa, ab, bb }
}
