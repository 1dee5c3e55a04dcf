/** The refit of intercept and temperature: where it must come out, and where it must keep its hands off. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { calibrated, fitCalibration } from '../../src/learn/calibrate.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import { probability } from '../../src/learn/model.ts'

const it = suite('calibration')

/** Rows whose chance of a 1 is that of slope · logit + intercept. */
function drawn(rows: number, slope: number, intercept: number, seed: string) {
  const rng = Rng.from('calibration', seed)
  const logits = Float32Array.from({ length: rows }, () => 6 * rng.float() - 3)
  const labels = Uint8Array.from(logits, (logit) => (rng.float() < probability(slope * logit + intercept) ? 1 : 0))
  return { logits, labels }
}

it('finds the slope and the intercept that the labels were drawn with', () => {
  for (const [slope, intercept] of [
    [0.5, 1.2],
    [2, -0.7],
    [1, 0],
  ] as const) {
    const { logits, labels } = drawn(20_000, slope, intercept, `${slope}`)
    const fit = fitCalibration(logits, labels)
    assert.ok(fit)
    assert.ok(Math.abs(fit.slope - slope) < 0.06, `slope ${fit.slope} of ${slope}`)
    assert.ok(Math.abs(fit.intercept - intercept) < 0.06, `intercept ${fit.intercept} of ${intercept}`)
    assert.is(fit.rows, 20_000)
  }
})

it('is at the posterior’s maximum: the gradient, priors included, is 0', () => {
  const { logits, labels } = drawn(40, 0.6, -0.8, 'small')
  const fit = fitCalibration(logits, labels)
  assert.ok(fit)
  let [byslope, byIntercept] = [(fit.slope - 1) / 0.25, fit.intercept]
  logits.forEach((logit, i) => {
    const error = probability(fit.slope * logit + fit.intercept) - (labels[i] as number)
    byslope += error * logit
    byIntercept += error
  })
  assert.ok(Math.abs(byslope) < 1e-6 && Math.abs(byIntercept) < 1e-6, `${byslope} ${byIntercept}`)
})

it('lowers the log-loss and the calibration error of rows it has not seen, and leaves their ranking', () => {
  const [seen, unseen] = [drawn(150, 0.4, 0.9, 'seen'), drawn(4_000, 0.4, 0.9, 'unseen')]
  const fit = fitCalibration(seen.logits, seen.labels)
  assert.ok(fit)
  const [before, after] = [
    evaluate(unseen.logits, unseen.labels),
    evaluate(calibrated(unseen.logits, fit), unseen.labels),
  ]
  assert.ok(after.logLoss < before.logLoss - 0.1, `${before.logLoss} → ${after.logLoss}`)
  assert.ok(after.calibrationError < 0.5 * before.calibrationError)
  assert.is(after.auc, before.auc)
})

it('few rows change little, separable ones stay finite, and one class or a falling line changes nothing', () => {
  const few = fitCalibration([2, 1.5, 1, -1, -2, -0.5], Uint8Array.of(1, 1, 1, 0, 0, 0))
  assert.ok(few && few.slope > 1 && few.slope < 2 && Math.abs(few.intercept) < 0.5, JSON.stringify(few))
  const separable = fitCalibration(
    Float32Array.from({ length: 40 }, (_, i) => i - 19.5),
    Uint8Array.from({ length: 40 }, (_, i) => (i > 19 ? 1 : 0)),
  )
  assert.ok(separable && Number.isFinite(separable.slope))
  assert.is(fitCalibration([1, 2, 3, 4, -1], Uint8Array.of(1, 1, 1, 1, 0)), null, 'one row of a class')
  const falling = Float32Array.from({ length: 200 }, (_, i) => (i < 100 ? 3 : -3))
  assert.is(
    fitCalibration(
      falling,
      Uint8Array.from({ length: 200 }, (_, i) => (i < 100 ? 0 : 1)),
    ),
    null,
  )
  const huge = fitCalibration([1e6, 1e6, 1e6, -1e6, -1e6, -1e6], Uint8Array.of(1, 0, 1, 0, 1, 0))
  assert.ok(huge === null || Number.isFinite(huge.slope))
})

it.run()
