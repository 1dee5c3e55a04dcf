/** Refits intercept and temperature of a model on a hospital's validation rows (Platt 1999; Guo et al. 2017). */

import { invariant } from '../core/errors.ts'
import type { Calibration } from '../core/figures.ts'
import { probability } from './model.ts'

const CLASS_ROWS_MIN = 3 // of each class: below it an intercept is a guess
const SLOPE_MIN = 0.05 // flatter, or falling: the ranking would be lost for calibration's sake
const SLOPE_DEVIATION = 0.5 // a priori the model's own logits are right: this and the next line draw (1, 0) into what few rows say,
const INTERCEPT_DEVIATION = 1 // and keep separable rows, for which the likelihood has no maximum, finite
const STEPS_MAX = 50 // Newton's method on a convex function of two variables needs about six
const HALVINGS_MAX = 30
const ENOUGH = 1e-10 // gradient, per row

/**
 * The slope and intercept that give `labels` (0 or 1) the greatest posterior probability: log-loss of slope·logit + intercept over all rows, with
 * normal priors around the identity, by Newton's method with step halving (Lin, Lin and Weng 2007, without their smoothed targets: the prior does
 * that). Null where rows are too few, or where the fit would turn the ranking around.
 */
export function fitCalibration(logits: ArrayLike<number>, labels: Uint8Array): Calibration | null {
  invariant(logits.length === labels.length, `${logits.length} logits for ${labels.length} labels`)
  const positives = labels.reduce((sum, label) => sum + label, 0)
  if (Math.min(positives, labels.length - positives) < CLASS_ROWS_MIN) return null
  let at = { slope: 1, intercept: 0 }
  let loss = lossAt(logits, labels, at)
  for (let i = 0; i < STEPS_MAX; i++) {
    const step = newtonStep(logits, labels, at)
    if (step === null) break
    const next = descended(logits, labels, at, step, loss)
    if (next === null) break
    ;({ at, loss } = next)
  }
  return at.slope < SLOPE_MIN ? null : { ...at, rows: labels.length }
}

/** Calibrated logits. */
export function calibrated(logits: ArrayLike<number>, { slope, intercept }: Calibration): Float64Array {
  return Float64Array.from(logits, (logit) => slope * logit + intercept)
}

interface Line {
  readonly slope: number
  readonly intercept: number
}

function lossAt(logits: ArrayLike<number>, labels: Uint8Array, { slope, intercept }: Line): number {
  let sum = ((slope - 1) / SLOPE_DEVIATION) ** 2 / 2 + (intercept / INTERCEPT_DEVIATION) ** 2 / 2
  for (let i = 0; i < labels.length; i++) {
    const z = slope * (logits[i] as number) + intercept
    sum += Math.log1p(Math.exp(-Math.abs(z))) + Math.max(z, 0) - z * (labels[i] as number)
  }
  return sum
}

/** −H⁻¹g; null where the gradient is as good as 0. The priors keep H positive definite. */
function newtonStep(logits: ArrayLike<number>, labels: Uint8Array, { slope, intercept }: Line): Line | null {
  const [ps, pi] = [1 / SLOPE_DEVIATION ** 2, 1 / INTERCEPT_DEVIATION ** 2]
  let [gs, gi] = [(slope - 1) * ps, intercept * pi]
  let [hss, hsi, hii] = [ps, 0, pi]
  for (let i = 0; i < labels.length; i++) {
    const z = logits[i] as number
    const p = probability(slope * z + intercept)
    const [error, spread] = [p - (labels[i] as number), p * (1 - p)]
    gs += error * z
    gi += error
    hss += spread * z * z
    hsi += spread * z
    hii += spread
  }
  if (gs * gs + gi * gi <= (ENOUGH * labels.length) ** 2) return null
  const determinant = hss * hii - hsi * hsi
  return { slope: (hsi * gi - hii * gs) / determinant, intercept: (hsi * gs - hss * gi) / determinant }
}

/** The longest of halved steps that lowers the loss; null where none does. */
function descended(logits: ArrayLike<number>, labels: Uint8Array, from: Line, step: Line, loss: number) {
  for (let i = 0, share = 1; i < HALVINGS_MAX; i++, share /= 2) {
    const at = { slope: from.slope + share * step.slope, intercept: from.intercept + share * step.intercept }
    const lower = lossAt(logits, labels, at)
    if (lower < loss) return { at, loss: lower }
  }
  return null
}
