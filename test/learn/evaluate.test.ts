/** Evaluation against values worked out by hand, and against slower definitions. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { bootstrapInterval, evaluate } from '../../src/learn/evaluate.ts'
import { probability } from '../../src/learn/model.ts'

const it = suite('evaluate')

const near = (a: number, b: number, tolerance = 1e-12) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`)
const logit = (p: number) => Math.log(p / (1 - p))

it('seven rows worked out by hand', () => {
  // probabilities .9 .8 .8 .35 .3 .12 .1 with labels 1 1 0 1 0 0 0: of 12 pairs 10 are right and one is tied
  const logits = [0.9, 0.8, 0.8, 0.35, 0.3, 0.12, 0.1].map(logit)
  const result = evaluate(logits, Uint8Array.of(1, 1, 0, 1, 0, 0, 0))
  assert.is(result.examples, 7)
  assert.is(result.positives, 3)
  near(result.auc as number, 10.5 / 12)
  near(result.accuracy, 5 / 7)
  near(result.logLoss, -Math.log(0.9 * 0.8 * 0.2 * 0.35 * 0.7 * 0.88 * 0.9) / 7)
})

it('calibration error: ten bins, the gaps of one bin cancel and those of different bins do not', () => {
  // bin [.2,.3): .22 + .26 against one positive of two: |.48 − 1|; bin [.7,.8): .74 × 3 against 3: |2.22 − 3|; bin [.9,1]: .96 against 0
  const logits = [0.22, 0.26, 0.74, 0.74, 0.74, 0.96].map(logit)
  near(evaluate(logits, Uint8Array.of(0, 1, 1, 1, 1, 0)).calibrationError, (0.52 + 0.78 + 0.96) / 6)
})

it('a certain prediction falls into the last bin', () => {
  near(evaluate([800, 800, -800], Uint8Array.of(1, 0, 0)).calibrationError, 1 / 3)
})

it('ties in every row give an AUC of one half', () => {
  assert.is(evaluate([2, 2, 2, 2, 2], Uint8Array.of(1, 0, 1, 0, 0)).auc, 0.5)
})

it('one class only: no AUC, the rest stands', () => {
  const negatives = evaluate([-1, 2, -3], Uint8Array.of(0, 0, 0))
  assert.is(negatives.auc, null)
  near(negatives.accuracy, 2 / 3)
  assert.is(evaluate([-1, 2], Uint8Array.of(1, 1)).auc, null)
})

it('logits of ±1000 give a finite log-loss, right to the last digit', () => {
  near(evaluate([1000, -1000], Uint8Array.of(0, 0)).logLoss, 500)
  assert.is(evaluate([1000, -1000], Uint8Array.of(1, 0)).logLoss, 0)
})

it('a logit that is not finite, and no rows at all, are refused as our own bugs', () => {
  assert.throws(() => evaluate([1, Number.NaN], Uint8Array.of(0, 1)), /logit of row 1/)
  assert.throws(() => evaluate([], new Uint8Array(0)), /at least one row/)
})

const scored = fc.array(fc.tuple(fc.integer({ min: -6, max: 6 }), fc.integer({ min: 0, max: 1 })), {
  minLength: 1,
  maxLength: 60,
})

it('AUC is the share of pairs in the right order, ties half, as counted one by one', () => {
  fc.assert(
    fc.property(scored, (rows) => {
      const logits = rows.map(([value]) => value / 2)
      const labels = Uint8Array.from(rows, ([, label]) => label)
      let right = 0
      let pairs = 0
      rows.forEach(([a, positive]) => {
        for (const [b, other] of rows) {
          if (positive === 0 || other === 1) continue
          pairs++
          right += a > b ? 1 : a === b ? 0.5 : 0
        }
      })
      const { auc } = evaluate(logits, labels)
      if (pairs === 0) assert.is(auc, null)
      else near(auc as number, right / pairs)
    }),
  )
})

it('the order of the rows changes nothing but rounding, and a resample counts a row as often as it is drawn', () => {
  fc.assert(
    fc.property(scored, fc.array(fc.nat(), { minLength: 1, maxLength: 40 }), (rows, drawn) => {
      const logits = rows.map(([value]) => value / 3)
      const labels = Uint8Array.from(rows, ([, label]) => label)
      const picked = Uint32Array.from(drawn, (n) => n % rows.length)
      const resample = evaluate(logits, labels, picked)
      const copied = evaluate(
        Array.from(picked, (row) => logits[row] as number),
        Uint8Array.from(picked, (row) => labels[row] as number),
      )
      assert.equal(resample, copied)
    }),
  )
})

it('probability is exact in both tails', () => {
  near(probability(logit(0.2)), 0.2)
  assert.is(probability(-745) > 0, true)
  assert.is(probability(-2000), 0)
  assert.is(probability(2000), 1)
})

/** Normal scores by twelve uniforms: mean 0, deviation 1. */
function normal(rng: Rng): number {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += rng.float()
  return sum
}

it('bootstrap: the interval of a mean agrees with the normal one', () => {
  const rng = Rng.from('bootstrap-mean')
  const values = Array.from({ length: 400 }, () => 5 + 2 * normal(rng))
  const mean = (rows: Uint32Array) => rows.reduce((sum, row) => sum + (values[row] as number), 0) / rows.length
  const interval = bootstrapInterval(new Uint8Array(400), mean, rng, { resamples: 2_000 })
  const centre = values.reduce((a, b) => a + b) / 400
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / 400 / 400)
  near(interval?.low as number, centre - 1.96 * spread, 0.03)
  near(interval?.high as number, centre + 1.96 * spread, 0.03)
})

it('bootstrap: an interval at 80 % covers the true AUC about four times in five', () => {
  const truth = 0.7602 // Φ(1/√2): positives are shifted by one deviation
  let covered = 0
  for (let trial = 0; trial < 200; trial++) {
    const rng = Rng.from('bootstrap-coverage', trial)
    const labels = Uint8Array.from({ length: 60 }, (_, row) => (row % 3 === 0 ? 1 : 0))
    const logits = Float64Array.from(labels, (label) => normal(rng) + label)
    const interval = bootstrapInterval(labels, (rows) => evaluate(logits, labels, rows).auc, rng, {
      resamples: 150,
      level: 0.8,
    })
    if (interval !== null && interval.low <= truth && truth <= interval.high) covered++
  }
  assert.ok(covered > 140 && covered < 180, `covered ${covered} of 200`) // 160 ± 3.5 deviations of a binomial
})

it('bootstrap: every resample keeps the size of each stratum, and one seed gives one interval', () => {
  const strata = Uint8Array.from([7, 2, 7, 7, 2, 9])
  const seen = (rows: Uint32Array) => {
    assert.equal([...rows].map((row) => strata[row]).sort(), [2, 2, 7, 7, 7, 9])
    return rows.reduce((a, b) => a + b)
  }
  const once = bootstrapInterval(strata, seen, Rng.from(3), { resamples: 50 })
  assert.equal(bootstrapInterval(strata, seen, Rng.from(3), { resamples: 50 }), once)
})

it('bootstrap: a statistic that does not exist in a resample has no interval', () => {
  assert.is(
    bootstrapInterval(new Uint8Array(4), () => null, Rng.from(1)),
    null,
  )
})

it.run()
