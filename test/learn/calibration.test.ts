/** Calibration: bins that hide nobody alone, and Cox's slope and intercept against predictions that were bent on purpose. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { calibrationCurve, calibrationFit } from '../../src/learn/calibration.ts'
import { probability } from '../../src/learn/model.ts'

const it = suite('calibration')
const near = (a: number, b: number, tolerance: number) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`)

/** Rows whose labels come true as `truth` says. */
function drawn(rows: number, seed: string) {
  const rng = Rng.from('calibration', seed)
  const truth = Float64Array.from({ length: rows }, () => 6 * rng.float() - 4)
  const labels = Uint8Array.from(truth, (logit) => (rng.float() < probability(logit) ? 1 : 0))
  return { truth, labels }
}

it('predictions that are right have slope 1 and intercept 0, and intervals that say so', () => {
  const { truth, labels } = drawn(20_000, 'right')
  const { slope, intercept } = calibrationFit(truth, labels)
  near(slope?.[0] as number, 1, 0.05)
  near(intercept?.[0] as number, 0, 0.05)
  assert.ok((slope?.[1] as number) < 1 && 1 < (slope?.[2] as number))
})

it('logits twice too large have slope ½; logits 0.7 too low have intercept 0.7', () => {
  const { truth, labels } = drawn(20_000, 'bent')
  near(
    calibrationFit(
      truth.map((z) => 2 * z),
      labels,
    ).slope?.[0] as number,
    0.5,
    0.03,
  )
  near(
    calibrationFit(
      truth.map((z) => z - 0.7),
      labels,
    ).intercept?.[0] as number,
    0.7,
    0.05,
  )
})

it('at the intercept the mean prediction is the observed rate, to the last digits', () => {
  const { truth, labels } = drawn(500, 'score')
  const logits = truth.map((z) => 1.7 * z + 1)
  const a = calibrationFit(logits, labels).intercept?.[0] as number
  const predicted = logits.reduce((sum, z) => sum + probability(z + a), 0)
  near(
    predicted,
    labels.reduce((sum, label) => sum + label, 0),
    1e-6,
  )
})

it('intervals of the slope cover it 19 times of 20', () => {
  let covered = 0
  for (let trial = 0; trial < 300; trial++) {
    const { truth, labels } = drawn(200, `coverage ${trial}`)
    const { slope } = calibrationFit(truth, labels)
    if (slope !== null && (slope[1] as number) <= 1 && 1 <= (slope[2] as number)) covered++
  }
  assert.ok(covered > 272 && covered < 297, `covered ${covered} of 300`)
})

it('where no finite slope is the most likely there is none', () => {
  assert.is(calibrationFit([-2, -1, 1, 2], Uint8Array.of(0, 0, 1, 1)).slope, null, 'classes that are parted')
  assert.is(calibrationFit([0, 1, 1, 2], Uint8Array.of(0, 0, 1, 1)).slope, null, 'parted but for a tie')
  const many = Float64Array.from({ length: 400 }, (_, row) => (row - 200) / 10)
  assert.is(
    calibrationFit(
      many,
      Uint8Array.from(many, (z) => (z >= 3 ? 0 : 1)),
    ).slope,
    null,
    'parted the other way round',
  )
  assert.equal(calibrationFit([-2, 3], Uint8Array.of(1, 1)), { slope: null, intercept: null })
  assert.is(calibrationFit([1, 1, 1, 1], Uint8Array.of(0, 1, 0, 1)).slope, null, 'one prediction for all')
  near(calibrationFit([1, 1, 1, 1], Uint8Array.of(0, 1, 0, 1)).intercept?.[0] as number, -1, 1e-6)
})

it('logits of ±800 give finite figures or none', () => {
  const { slope, intercept } = calibrationFit([-800, 800, -800, 800], Uint8Array.of(0, 1, 1, 0))
  for (const value of [...(slope ?? []), ...(intercept ?? [])]) assert.ok(Number.isFinite(value))
})

const scored = fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: 0, max: 1 })), { maxLength: 200 })

it('no bin has fewer of either class than the cohort, all rows are in one, equal predictions are together, and ten are the most', () => {
  fc.assert(
    fc.property(scored, fc.integer({ min: 5, max: 30 }), (rows, cohort) => {
      const logits = rows.map(([z]) => z / 3)
      const labels = Uint8Array.from(rows, ([, y]) => y)
      const bins = calibrationCurve(logits, labels, cohort)
      const ill = labels.reduce((sum, y) => sum + y, 0)
      if (Math.min(ill, rows.length - ill) < cohort) return assert.equal(bins, [])
      assert.ok(bins.length >= 1 && bins.length <= 10)
      for (const [n, , observed] of bins) assert.ok(Math.min(n * observed, n * (1 - observed)) > cohort - 1e-9)
      assert.is(
        bins.reduce((sum, [n]) => sum + n, 0),
        rows.length,
      )
      const positives = bins.reduce((sum, [n, , observed]) => sum + n * observed, 0)
      near(
        positives,
        labels.reduce((sum, y) => sum + y, 0),
        1e-9,
      )
      assert.ok(bins.every(([, p], i) => i === 0 || p > ((bins[i - 1] as (typeof bins)[0])[1] as number)))
    }),
  )
})

it('a bin takes in more rows until both classes have the cohort’s size, and no more than that', () => {
  const labels = Uint8Array.from({ length: 120 }, (_, row) => (row < 60 ? (row % 10 === 0 ? 1 : 0) : row % 2))
  const logits = labels.map((_, row) => row)
  const rows = calibrationCurve(logits, labels, 6).map(([n, , observed]) => [n, Math.round(n * observed)])
  assert.equal(rows, [
    [51, 6],
    [21, 6],
    [12, 6],
    [12, 6],
    [12, 6],
    [12, 6],
  ])
  assert.equal(
    calibrationCurve(logits, labels, 36).map(([n]) => n),
    [120],
  )
  assert.equal(calibrationCurve(logits, labels, 37), [])
})

it.run()
