/** DeLong's intervals against the definition, pair by pair, against resampling, and against the truth. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { aucDifference, aucEstimate, midranks } from '../../src/learn/delong.ts'
import { bootstrapInterval, evaluate } from '../../src/learn/evaluate.ts'

const it = suite('delong')
const near = (a: number, b: number, tolerance = 1e-12) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`)
const Z = 1.959963984540054

/** DeLong et al. 1988, eq. 3 to 5, as they stand: every positive against every negative row. */
function bySlowDefinition(all: readonly (readonly number[])[], labels: readonly number[]) {
  const rows = (label: number) => labels.flatMap((one, row) => (one === label ? [row] : []))
  const [negatives, positives] = [rows(0), rows(1)]
  const beats = (a: number, b: number) => (a > b ? 1 : a === b ? 0.5 : 0)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const models = all.map((s) => ({
    v10: positives.map((i) => mean(negatives.map((j) => beats(s[i] as number, s[j] as number)))),
    v01: negatives.map((j) => mean(positives.map((i) => beats(s[i] as number, s[j] as number)))),
  }))
  const covariance = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + (value - mean(a)) * ((b[i] as number) - mean(b)), 0) / (a.length - 1)
  const s = (k: number, l: number) => {
    const [a, b] = [models[k], models[l]] as [(typeof models)[0], (typeof models)[0]]
    return covariance(a.v10, b.v10) / positives.length + covariance(a.v01, b.v01) / negatives.length
  }
  return { aucs: models.map(({ v10 }) => mean(v10)), s }
}

const rowsOf = fc.array(
  fc.record({
    a: fc.integer({ min: -4, max: 4 }),
    b: fc.integer({ min: -9, max: 9 }),
    y: fc.integer({ min: 0, max: 1 }),
  }),
  { minLength: 4, maxLength: 50 },
)

it('AUC, variance and covariance are those of the definition, ties included', () => {
  let compared = 0
  fc.assert(
    fc.property(rowsOf, (rows) => {
      const labels = rows.map(({ y }) => y)
      const positives = labels.reduce((sum, y) => sum + y, 0)
      if (positives < 2 || rows.length - positives < 2) return
      const [a, b] = [rows.map((row) => row.a), rows.map((row) => row.b)]
      const slow = bySlowDefinition([a, b], labels)
      const of = Uint8Array.from(labels)
      const [value, low, high] = aucEstimate(a, of) ?? [Number.NaN, null, null]
      near(value, slow.aucs[0] as number)
      const difference = aucDifference(a, b, of) ?? [Number.NaN, null, null]
      near(difference[0], (slow.aucs[0] as number) - (slow.aucs[1] as number))
      const variance = slow.s(0, 0) + slow.s(1, 1) - 2 * slow.s(0, 1)
      if (variance > 1e-9) {
        near(difference[1] as number, Math.max(-1, difference[0] - Z * Math.sqrt(variance)), 1e-9)
        compared++
      }
      if (slow.s(0, 0) < 1e-9) return
      near(low as number, Math.max(0, value - Z * Math.sqrt(slow.s(0, 0))), 1e-9)
      near(high as number, Math.min(1, value + Z * Math.sqrt(slow.s(0, 0))), 1e-9)
    }),
  )
  assert.ok(compared > 50)
})

it('ten rows worked out by hand', () => {
  // positives 1 3 5 7 9, negatives 0 2 4 6 3
  const logits = [1, 3, 5, 7, 9, 0, 2, 4, 6, 3]
  const labels = Uint8Array.of(1, 1, 1, 1, 1, 0, 0, 0, 0, 0)
  // V10: .2 .5 .8 1 1, mean .7; V01: 1 .8 .6 .4 .7, mean .7
  const variance = (0.25 + 0.04 + 0.01 + 0.09 + 0.09) / 4 / 5 + (0.09 + 0.01 + 0.01 + 0.09 + 0) / 4 / 5
  const [value, low] = aucEstimate(logits, labels) ?? [0, 0]
  near(value, 0.7)
  near(low as number, 0.7 - Z * Math.sqrt(variance))
})

it('where nothing is known of the spread there is no interval', () => {
  assert.equal(aucEstimate([1, 2, 3, 4], Uint8Array.of(0, 0, 1, 1)), [1, null, null], 'classes that are parted')
  assert.equal(aucEstimate([1, 2, 0], Uint8Array.of(0, 1, 0)), [1, null, null], 'one positive row')
  assert.is(aucEstimate([1, 2], Uint8Array.of(1, 1)), null)
  assert.is(aucDifference([1, 2], [1, 2], Uint8Array.of(0, 0)), null)
})

it('a model differs from itself by nothing, and that is certain', () => {
  const rng = Rng.from('same')
  const logits = Float64Array.from({ length: 60 }, () => rng.float())
  assert.equal(
    aucDifference(
      logits,
      logits,
      Uint8Array.from(logits, (_, i) => i % 2),
    ),
    [0, null, null],
  )
})

it('midranks: equal values share the mean of their ranks', () => {
  assert.equal([...midranks(Float64Array.of(5, 1, 5, 0, 5))], [4, 2, 4, 1, 4])
})

/** About normal: the sum of twelve uniforms. */
const bell = (rng: Rng) => Array.from({ length: 12 }, () => rng.float()).reduce((sum, value) => sum + value, -6)

it('it agrees with the bootstrap on a few hundred rows', () => {
  const rng = Rng.from('delong and bootstrap')
  const labels = Uint8Array.from({ length: 300 }, (_, row) => (row % 3 === 0 ? 1 : 0))
  const logits = Float64Array.from(labels, (label) => bell(rng) + label)
  const slow = bootstrapInterval(labels, (rows) => evaluate(logits, labels, rows).auc, rng, { resamples: 800 })
  const [, low, high] = aucEstimate(logits, labels) ?? [0, null, null]
  near(low as number, slow?.low as number, 0.01)
  near(high as number, slow?.high as number, 0.01)
})

it('intervals cover the truth 19 times of 20, of one AUC and of a paired difference', () => {
  const truth = 0.76025 // Φ(1/√2): positives are one deviation higher
  let [covered, paired] = [0, 0]
  for (let trial = 0; trial < 400; trial++) {
    const rng = Rng.from('delong coverage', trial)
    const labels = Uint8Array.from({ length: 120 }, (_, row) => (row % 3 === 0 ? 1 : 0))
    const common = Float64Array.from(labels, (label) => label + 0.8 * bell(rng))
    const [a, b] = [1, 2].map(() => common.map((value) => value + 0.6 * bell(rng))) as [Float64Array, Float64Array]
    const [, low, high] = aucEstimate(a, labels) as [number, number, number]
    if (low <= truth && truth <= high) covered++
    const [, from, to] = aucDifference(a, b, labels) as [number, number, number]
    if (from <= 0 && 0 <= to) paired++
  }
  assert.ok(covered > 365 && covered < 395, `covered ${covered} of 400`) // 380 ± 3.4 deviations of a binomial
  assert.ok(paired > 365 && paired < 395, `paired ${paired} of 400`)
})

it.run()
