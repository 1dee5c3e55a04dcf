/** The whole evaluation: what it tells, what it withholds, and that its intervals are those of slower code. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Estimate, Evaluation } from '../../src/core/evaluation.ts'
import { Rng } from '../../src/core/rng.ts'
import { assess, type Judged, wilson } from '../../src/learn/assess.ts'
import { bootstrapInterval, evaluate } from '../../src/learn/evaluate.ts'

const it = suite('assess')
const near = (a: number, b: number, tolerance: number) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`)
const bell = (rng: Rng) => Array.from({ length: 12 }, () => rng.float()).reduce((sum, value) => sum + value, -6)

/** Rows with two models, the first the better one. */
function judged(rows: number): Judged {
  const rng = Rng.from('assess', rows)
  const labels = Uint8Array.from({ length: rows }, (_, row) => (row % 3 === 0 ? 1 : 0))
  const shared = Float64Array.from(labels, (label) => 2 * label - 1.4 + bell(rng))
  const alone = shared.map((logit) => 0.6 * logit + bell(rng))
  return { labels, shared, alone, groupings: [{ groups: 3, of: labels.map((_, row) => row % 2) }], numbers: null }
}

let breaths = 0
const options = (cohort = 10) => ({
  cohort,
  threshold: 0.4,
  rng: Rng.from('chance'),
  breathe: async () => void breaths++,
})

it('below the minimum cohort nothing is told', async () => {
  assert.is(await assess(judged(9), options()), null)
  assert.is((await assess(judged(30), options()))?.examples, 30)
})

it('points are those of evaluate, intervals those of the slow bootstrap', async () => {
  const rows = judged(240)
  const found = (await assess(rows, options())) as Evaluation
  const point = evaluate(rows.shared, rows.labels)
  const slow = (measure: 'accuracy' | 'logLoss' | 'brier' | 'calibrationError') =>
    bootstrapInterval(rows.labels, (drawn) => evaluate(rows.shared, rows.labels, drawn)[measure], Rng.from('slow'))
  for (const measure of ['accuracy', 'logLoss', 'brier', 'calibrationError'] as const) {
    const [value, low, high] = found.shared[measure] as [number, number, number]
    near(value, point[measure], 1e-12)
    const expected = slow(measure)
    const width = (expected?.high as number) - (expected?.low as number)
    near(low, expected?.low as number, width / 8)
    near(high, expected?.high as number, width / 8)
  }
  near(found.shared.auc?.[0] as number, point.auc as number, 1e-12)
})

it('gains are those of the shared model, paired: narrower than two intervals apart', async () => {
  const rows = judged(240)
  const found = await assess(rows, options())
  const [shared, alone] = [rows.shared, rows.alone as ArrayLike<number>].map((logits) => evaluate(logits, rows.labels))
  near(found?.aucGain?.[0] as number, (shared?.auc as number) - (alone?.auc as number), 1e-12)
  near(found?.lossGain?.[0] as number, (alone?.logLoss as number) - (shared?.logLoss as number), 1e-12)
  const width = (estimate: Estimate | null | undefined) => (estimate?.[2] as number) - (estimate?.[1] as number)
  assert.ok(width(found?.lossGain) < width(found?.shared.logLoss) + width(found?.alone?.logLoss))
  assert.ok((found?.lossGain?.[1] as number) < (found?.lossGain?.[0] as number))
})

it('without a model trained alone there is nothing to gain', async () => {
  const found = await assess({ ...judged(60), alone: null }, options())
  assert.equal([found?.alone, found?.aucGain, found?.lossGain], [null, null, null])
})

it('where a class is smaller than the cohort nothing tells its size or its ranks, of either model', async () => {
  const found = await assess(judged(45), options(16)) // 15 of 45 are positive
  const rates = [found?.positives, found?.truePositiveRate, found?.falsePositiveRate, found?.aucGain]
  assert.equal(rates, [null, null, null, null])
  assert.equal(found?.bins, [])
  for (const model of [found?.shared, found?.alone]) {
    assert.equal([model?.auc, model?.calibrationSlope, model?.calibrationIntercept], [null, null, null])
    assert.ok(model?.logLoss[0])
  }
  const shown = await assess(judged(45), options(15))
  assert.equal([shown?.positives, shown?.bins.length], [15, 1])
  assert.ok(shown?.aucGain && shown.shared.auc && shown.alone?.calibrationSlope)
})

it('the same input and chance give the same figures, and it lets others work in between', async () => {
  breaths = 0
  const once = await assess(judged(900), options())
  assert.ok(breaths >= 4, `${breaths} breaths`)
  assert.equal(await assess(judged(900), options()), once)
})

it('Wilson: 0 of 20 and 81 of 263 as published', () => {
  // Newcombe 1998, Statistics in Medicine 17:857, table I: 0/20 gives 0 to .1611, 81/263 gives .2553 to .3662
  const [, , high] = wilson(0, 20)
  near(high as number, 0.1611, 5e-5)
  const [, low, top] = wilson(81, 263)
  near(low as number, 0.2553, 5e-5)
  near(top as number, 0.3662, 5e-5)
})

it.run()
