import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy, type Study, statisticsRules } from '../../src/config/study.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { checkStatistics, combineStatistics, type FeatureStatistics, freezeScaling } from '../../src/core/statistics.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { designMatrix } from '../../src/data/design.ts'
import { datasetCommitment } from '../../src/data/fingerprint.ts'
import { stratifiedSplit, validationSplit } from '../../src/data/split.ts'
import { localStatistics } from '../../src/data/statistics.ts'

const it = suite('prepare')

const STUDY: Study = parseStudy(
  `name: Wards
purpose: Test preparation.
label: { name: outcome, positive: dead, negative: alive }
features:
  - { name: tau, kind: number, range: [-50, 150] }
  - { name: side, kind: category, levels: [left, right, both] }
  - { name: score, kind: number }
minimumCohort: 5
`,
  'wards.yaml',
)

/** A dataset of [tau, side, score] rows; every row trains. */
function dataset(rows: readonly (readonly number[])[]): Dataset {
  return {
    rows: rows.length,
    features: ['tau', 'side', 'score'],
    values: Float64Array.from(rows.flat()),
    labels: Uint8Array.from(rows, (_, i) => i % 2),
    validationRows: new Uint32Array(0),
    trainRows: Uint32Array.from(rows, (_, i) => i),
    testRows: new Uint32Array(),
  }
}

const present = fc.tuple(
  fc.double({ min: -50, max: 150, noNaN: true }),
  fc.constantFrom(0, 1, 2, Number.NaN),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
)
const hospital = fc.array(present, { minLength: 5, maxLength: 40 })

const close = (a: number, b: number, tolerance: number, what: string): void =>
  assert.ok(Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b)), `${what}: ${a} and ${b}`)

it('the validation split takes its share of the training rows, stratified, or nothing where that is too few', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1), { maxLength: 200 }),
      fc.double({ min: 0.02, max: 0.3, noNaN: true }),
      fc.integer({ min: 1, max: 20 }),
      fc.nat(),
      (list, share, rowsMin, seed) => {
        const labels = Uint8Array.from(list)
        const rows = Uint32Array.from(list.keys()).filter((row) => row % 3 !== 1)
        const wanted = { share, rowsMin }
        const { trainRows, validationRows } = validationSplit(labels, rows, wanted, Rng.from('validation', seed))
        const both = [...trainRows, ...validationRows].sort((a, b) => a - b)
        assert.equal(both, [...rows])
        for (const part of [trainRows, validationRows])
          assert.equal(
            [...part],
            [...part].sort((a, b) => a - b),
          )
        if (validationRows.length === 0) return
        assert.ok(validationRows.length >= rowsMin)
        assert.ok(Math.abs(validationRows.length - rows.length * share) <= 2)
        const classes = (part: Uint32Array): number[] =>
          [...new Set([...part].map((row) => labels[row] as number))].sort()
        assert.equal(classes(trainRows), classes(rows))
      },
    ),
  )
  const large = Uint8Array.from({ length: 400 }, (_, row) => (row % 4 === 0 ? 1 : 0))
  const all = Uint32Array.from(large.keys())
  const parts = validationSplit(large, all, { share: 0.1, rowsMin: 10 }, Rng.from('validation', 1))
  assert.is(parts.validationRows.length, 40)
  assert.is([...parts.validationRows].filter((row) => large[row] === 1).length, 10)
  assert.is(
    validationSplit(large, all, { share: 0.1, rowsMin: 41 }, Rng.from('validation', 1)).validationRows.length,
    0,
  )
})

it('the held-out split is stratified, disjoint, complete and ascending', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1), { maxLength: 200 }),
      fc.double({ min: 0.05, max: 0.5, noNaN: true }),
      fc.nat(),
      (list, share, seed) => {
        const labels = Uint8Array.from(list)
        const { testRows, trainRows } = stratifiedSplit(labels, share, Rng.from('split', seed))
        const all = [...testRows, ...trainRows].sort((a, b) => a - b)
        assert.equal(
          all,
          list.map((_, i) => i),
        )
        for (const part of [testRows, trainRows])
          assert.equal(
            [...part],
            [...part].sort((a, b) => a - b),
          )
        for (const label of [0, 1]) {
          const total = list.filter((each) => each === label).length
          const test = [...testRows].filter((row) => labels[row] === label).length
          if (total >= 2)
            assert.ok(test >= 1 && test < total && Math.abs(test - total * share) <= 1, `${test} of ${total}`)
          else assert.is(test, 0)
        }
      },
    ),
  )
})

it('hospitals’ statistics combined are those of the pooled table, of features that all tell of', () => {
  fc.assert(
    fc.property(fc.array(hospital, { minLength: 1, maxLength: 5 }), (hospitals) => {
      const each = hospitals.map((rows) => localStatistics(STUDY, dataset(rows)))
      const combined = combineStatistics(each)
      const pooled = localStatistics(STUDY, dataset(hospitals.flat()))
      for (const part of ['count', 'sum', 'sumOfSquares'] as const) {
        for (const [i, value] of combined[part].entries()) {
          if ([...each, pooled].some(({ count }) => count[i] === 0)) continue
          const scale = (pooled.sumOfSquares[i] as number) + 1
          assert.ok(Math.abs(value - (pooled[part][i] as number)) <= 1e-10 * scale, part)
        }
      }
    }),
  )
})

it('what an honest hospital tells passes the check, whatever its table', () => {
  fc.assert(
    fc.property(hospital, fc.boolean(), (rows, constant) => {
      const table = dataset(constant ? rows.map(() => rows[0] as [number, number, number]) : rows)
      checkStatistics(statisticsRules(STUDY), localStatistics(STUDY, table), table.rows)
    }),
    { numRuns: 300 },
  )
})

it('the design matrix has mean 0 and deviation 1 over the pooled training rows', () => {
  fc.assert(
    fc.property(fc.array(hospital, { minLength: 1, maxLength: 4 }), (hospitals) => {
      const each = hospitals.map((rows) => localStatistics(STUDY, dataset(rows)))
      const scaling = freezeScaling(combineStatistics(each))
      const tables = hospitals.map(dataset)
      const columns = tables.flatMap((table) => {
        const { x, rows, columns: width } = designMatrix(STUDY, table, table.trainRows, scaling)
        return Array.from({ length: rows }, (_, r) => [x[r * width] as number, x[r * width + 4] as number])
      })
      for (const c of [0, 1]) {
        const z = columns.map((row) => row[c] as number)
        if (
          each.some(({ count }) => count[c] === 0) ||
          z.some((value) => Math.abs(value) >= 8) ||
          scaling.deviation[c] === 1 ||
          (scaling.deviation[c] as number) < 1e-3
        )
          continue
        const mean = z.reduce((sum, value) => sum + value, 0) / z.length
        const variance = z.reduce((sum, value) => sum + (value - mean) ** 2, 0) / z.length
        close(mean, 0, 1e-4, 'mean')
        close(Math.sqrt(variance), 1, 1e-3, 'deviation')
      }
    }),
  )
})

it('permuting the features permutes the scaling', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 4, maxLength: 4 }), {
        minLength: 2,
        maxLength: 20,
      }),
      (rows) => {
        const sums = (order: readonly number[]): FeatureStatistics => ({
          count: order.map(() => rows.length),
          sum: order.map((c) => rows.reduce((sum, row) => sum + (row[c] as number), 0)),
          sumOfSquares: order.map((c) => rows.reduce((sum, row) => sum + (row[c] as number) ** 2, 0)),
        })
        const order = [2, 0, 3, 1]
        const plain = freezeScaling(sums([0, 1, 2, 3]))
        const permuted = freezeScaling(sums(order))
        assert.equal(
          permuted.mean,
          order.map((c) => plain.mean[c]),
        )
        assert.equal(
          permuted.deviation,
          order.map((c) => plain.deviation[c]),
        )
      },
    ),
  )
})

it('a feature that fewer rows than the minimum cohort have is told as nothing', () => {
  const rows = Array.from({ length: 6 }, (_, i) => [i < 4 ? 3 : Number.NaN, 0, i])
  assert.equal(localStatistics(STUDY, dataset(rows)), { count: [0, 6], sum: [0, 15], sumOfSquares: [0, 55] })
  for (let i = 0; i < 4; i++) rows.push([3, 0, i])
  assert.equal(localStatistics(STUDY, dataset(rows)).count, [5, 10])
})

it('only training rows are counted', () => {
  const rows = Array.from({ length: 9 }, (_, i) => [i, 0, 2])
  const table = { ...dataset(rows), trainRows: Uint32Array.of(0, 2, 4, 6, 8), testRows: Uint32Array.of(1, 3, 5, 7) }
  assert.equal(localStatistics(STUDY, table), { count: [5, 5], sum: [20, 10], sumOfSquares: [120, 20] })
})

it('constant, absent and barely varying features keep a usable deviation', () => {
  const constant = (value: number, count: number): FeatureStatistics => {
    let [sum, squares] = [0, 0]
    for (let i = 0; i < count; i++) {
      sum += value
      squares += value * value
    }
    return { count: [count], sum: [sum], sumOfSquares: [squares] }
  }
  fc.assert(
    fc.property(
      fc.double({ min: -1e12, max: 1e12, noNaN: true }),
      fc.integer({ min: 1, max: 3000 }),
      (value, count) => {
        const { mean, deviation } = freezeScaling(constant(value, count))
        assert.equal(deviation, [1])
        close(mean[0] as number, value, 1e-9, 'mean')
      },
    ),
  )
  const none = { count: [0, 0, 0], sum: [0, 0, 0], sumOfSquares: [0, 0, 0] }
  assert.equal(freezeScaling(none), { mean: [0, 0, 0], deviation: [1, 1, 1] })
  const ranges = [[20, 80], null, [7, 7]] as const
  assert.equal(freezeScaling(none, ranges), { mean: [50, 0, 7], deviation: [60 / Math.sqrt(12), 1, 1] })
  assert.equal(freezeScaling({ count: [10], sum: [30], sumOfSquares: [89.9999] }), { mean: [3], deviation: [1] })
  // a year of admission: 2009 ± 2, five hundred rows of each end
  const years = { count: [1000], sum: [2_009_000], sumOfSquares: [500 * 2007 ** 2 + 500 * 2011 ** 2] }
  assert.equal(freezeScaling(years), { mean: [2009], deviation: [2] })
})

it('nobody’s statistics combine to nothing, for the number of features that is given', () => {
  assert.equal(freezeScaling(combineStatistics([], 2)), { mean: [0, 0], deviation: [1, 1] })
})

it('statistics that no table within the rules could give are refused and blame their author', () => {
  const rules = { minimumCohort: 5, ranges: [[0, 20] as const, null] }
  const good = { count: [7, 0], sum: [35, 0], sumOfSquares: [200, 0] }
  checkStatistics(rules, good, 100)
  checkStatistics(rules, { count: [100, 5], sum: [1000, -5e12], sumOfSquares: [2e4, 5e24] }, 100)
  const wrong: readonly [string, FeatureStatistics, string][] = [
    ['too few features', { ...good, sum: [35] }, 'shape'],
    ['too many features', { ...good, count: [7, 0, 0] }, 'shape'],
    ['no list', { ...good, sum: 'x' as unknown as number[] }, 'shape'],
    ['NaN', { ...good, sum: [Number.NaN, 0] }, 'shape'],
    ['infinity', { ...good, sumOfSquares: [Number.POSITIVE_INFINITY, 0] }, 'shape'],
    ['text', { ...good, sum: ['35' as unknown as number, 0] }, 'shape'],
    ['fewer than the cohort', { ...good, count: [4, 0] }, 'count'],
    ['half a row', { ...good, count: [7.5, 0] }, 'count'],
    ['a negative count', { ...good, count: [-7, 0] }, 'count'],
    ['more rows than a table may have', { ...good, count: [101, 0] }, 'count'],
    ['sums without rows', { ...good, sum: [35, 1] }, 'count'],
    ['a mean above the range', { ...good, sum: [141, 0], sumOfSquares: [2900, 0] }, 'mean'],
    ['a mean below the range', { ...good, sum: [-1, 0] }, 'mean'],
    ['squares below the mean’s', { ...good, sumOfSquares: [174.9, 0] }, 'squares'],
    ['squares beyond the range', { ...good, sumOfSquares: [700.1, 0] }, 'squares'],
    ['squares beyond any number', { ...good, count: [7, 5], sum: [35, 0], sumOfSquares: [200, 5.1e24] }, 'squares'],
  ]
  for (const [claim, statistics, code] of wrong) {
    try {
      checkStatistics(rules, statistics, 100)
      assert.unreachable(claim)
    } catch (error) {
      assert.instance(error, ConsiliumError, `${claim}: ${error}`)
      assert.equal(
        [(error as ConsiliumError).code, (error as ConsiliumError).blame],
        [`statistics-${code}`, 'reject'],
        claim,
      )
    }
  }
})

it('design columns follow the features: numbers clipped, categories one-hot, missing all zero', () => {
  const table = dataset([
    [30, 2, 7],
    [Number.NaN, Number.NaN, Number.NaN],
    [150, 0, -900],
    [26, 1, 3],
  ])
  const scaling = { mean: [20, 5], deviation: [4, 2] }
  const { x, y, rows, columns } = designMatrix(STUDY, table, Uint32Array.of(3, 1, 0, 2), scaling)
  assert.equal([rows, columns, ...y], [4, 5, 1, 1, 0, 0])
  assert.equal([...x], [1.5, 0, 1, 0, -1, 0, 0, 0, 0, 0, 2.5, 0, 0, 1, 1, 8, 1, 0, 0, -8])
})

it('a commitment changes with one byte of the file or of the salt, and stays what it was when fixed', () => {
  const salt = new Uint8Array(32).fill(7)
  const file = new TextEncoder().encode('a,b\n1,2\n')
  const first = datasetCommitment(file, salt)
  assert.is(first, '27f0876476f24821f680e3647537fdb6e4ac61a035b66ea20b46fa1eaab39f93')
  assert.is.not(datasetCommitment(Uint8Array.from([...file, 10]), salt), first)
  assert.is.not(datasetCommitment(file, new Uint8Array(32).fill(8)), first)
  assert.throws(() => datasetCommitment(file, new Uint8Array(31)), /invariant/)
})

it.run()
