/** What sums for the scaling tell of a table: nothing of fewer patients than the minimum cohort, whoever solves for them. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy } from '../../src/config/study.ts'
import { combineStatistics, type FeatureStatistics, freezeScaling } from '../../src/core/statistics.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { localStatistics } from '../../src/data/statistics.ts'

const it = suite('statistics')

const COHORT = 10
const STUDY = parseStudy(
  `name: Wards
purpose: Test what sums tell.
label: { name: outcome, positive: dead, negative: alive }
features:
  - { name: age, kind: number }
  - { name: hiv, kind: number, range: [0, 1] }
minimumCohort: ${COHORT}
`,
  'wards.yaml',
)

/** A table whose second column has these values; every row trains. */
function table(values: readonly number[]): Dataset {
  return {
    rows: values.length,
    features: ['age', 'hiv'],
    values: Float64Array.from(values.flatMap((value, row) => [20 + (row % 60), value])),
    labels: Uint8Array.from(values, (_, row) => row % 2),
    validationRows: new Uint32Array(),
    trainRows: Uint32Array.from(values.keys()),
    testRows: new Uint32Array(),
  }
}

const told = (values: readonly number[]): number[] => {
  const { count, sum, sumOfSquares } = localStatistics(STUDY, table(values))
  return [count, sum, sumOfSquares].map((list) => list[1] as number)
}

/** So many rows of each value. */
const rowsOf = (numbers: readonly (readonly [value: number, rows: number])[]): number[] =>
  numbers.flatMap(([value, rows]) => new Array<number>(rows).fill(value))
const different = (rows: number): [number, number][] => Array.from({ length: rows }, (_, i) => [40 + 3 * i, 1])
const NOTHING = [0, 0, 0]

const ROWS: readonly [claim: string, values: number[], expected: number[]][] = [
  [
    'a sum of two would be two patients',
    rowsOf([
      [0, 160],
      [1, 2],
    ]),
    NOTHING,
  ],
  [
    'and one of all but two the two',
    rowsOf([
      [0, 2],
      [1, 160],
    ]),
    NOTHING,
  ],
  [
    'nor do other numbers for yes and no hide them',
    rowsOf([
      [7, 160],
      [-3.5, 9],
    ]),
    NOTHING,
  ],
  [
    'ten are a cohort',
    rowsOf([
      [0, 152],
      [1, 10],
    ]),
    [162, 10, 10],
  ],
  ['where nobody has it that is told', rowsOf([[0, 162]]), [162, 0, 0]],
  [
    'of three values the rarest counts',
    rowsOf([
      [0, 100],
      [1, 50],
      [2, 9],
    ]),
    NOTHING,
  ],
  [
    'each of three in a cohort',
    rowsOf([
      [0, 100],
      [1, 50],
      [2, 10],
    ]),
    [160, 70, 90],
  ],
  [
    'of four the two rarest together',
    rowsOf([
      [0, 100],
      [1, 50],
      [2, 8],
      [3, 1],
    ]),
    NOTHING,
  ],
  [
    'and they may be a cohort',
    rowsOf([
      [0, 100],
      [1, 50],
      [2, 8],
      [3, 2],
    ]),
    [160, 72, 100],
  ],
  ['all but nine are the same', rowsOf([[0, 150], ...different(9)]), NOTHING],
  ['all but ten in two values', rowsOf([[0, 90], [1, 60], ...different(9)]), NOTHING],
  ['values of nobody else, in as few rows as may be', rowsOf(different(10)), [10, 535, 29_365]],
  ['values in two rows each', rowsOf(different(6).map(([value]) => [value, 2])), [12, 570, 27_390]],
  ['but not in three', rowsOf(different(4).map(([value]) => [value, 3])), NOTHING],
  ['fewer rows than a cohort', rowsOf(different(9)), NOTHING],
  ['one lacks a value: a cohort is not counted', [...rowsOf([[1, 161]]), Number.NaN], [152, 152, 152]],
  ['so it is where ten lack one', [...rowsOf([[1, 152]]), ...rowsOf([[Number.NaN, 10]])], [152, 152, 152]],
  ['and of eleven two are not', [...rowsOf([[1, 152]]), ...rowsOf([[Number.NaN, 11]])], [143, 143, 143]],
  ['one of nineteen lacks a value: nine are too few', [...rowsOf(different(18)), Number.NaN], NOTHING],
]
for (const [claim, values, expected] of ROWS) it(claim, () => assert.equal(told(values), expected))

it('who solves for how many have each of three known values finds none that fewer than a cohort have', () => {
  const few = fc.oneof(fc.integer({ min: 0, max: 25 }), fc.integer({ min: 0, max: 200 }))
  fc.assert(
    fc.property(fc.tuple(few, few, few, few), ([zeros, ones, twos, missing]) => {
      const [count = 0, sum = 0, squares = 0] = told(
        rowsOf([
          [0, zeros],
          [1, ones],
          [2, twos],
          [Number.NaN, missing],
        ]),
      )
      const two = (squares - sum) / 2
      const found = [count - (sum - 2 * two) - two, sum - 2 * two, two]
      assert.ok(
        found.every((rows) => rows === 0 || rows >= COHORT),
        `${found}`,
      )
      if (count > 0) assert.is((zeros + ones + twos + missing - count) % COHORT, 0)
    }),
    { numRuns: 400 },
  )
})

it('what one hospital does not tell of the others do: all scale by that, and by the range where nobody tells', () => {
  const hospitals = [
    rowsOf([
      [0, 60],
      [1, 4],
    ]),
    rowsOf([
      [0, 60],
      [1, 40],
    ]),
  ].map((values): FeatureStatistics => localStatistics(STUDY, table(values)))
  const ranges = STUDY.features.map((feature) => (feature.kind === 'number' ? feature.range : null))
  const scaling = freezeScaling(combineStatistics(hospitals), ranges)
  assert.is(scaling.mean[1], 0.4)
  assert.is(hospitals[0]?.count[0], 64, 'of its other features it tells')
  assert.is(freezeScaling(hospitals[0] as FeatureStatistics, ranges).mean[1], 0.5)
})

it.run()
