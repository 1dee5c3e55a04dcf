import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  deviation,
  estimate,
  holm,
  mean,
  pairedT,
  studentQuantile,
  studentWithin,
  wilcoxonLeast,
  wilcoxonSignedRank,
} from '../../netsim/statistics.ts'

const it = suite('statistics')

const close = (found: number, expected: number, within: number): void =>
  assert.ok(Math.abs(found - expected) <= within, `${found} is not within ${within} of ${expected}`)

// Critical values of Student's t, NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2
const T_TABLE: readonly [freedom: number, at95: number, at975: number, at995: number][] = [
  [1, 6.314, 12.706, 63.657],
  [2, 2.92, 4.303, 9.925],
  [3, 2.353, 3.182, 5.841],
  [7, 1.895, 2.365, 3.499],
  [10, 1.812, 2.228, 3.169],
  [19, 1.729, 2.093, 2.861],
  [30, 1.697, 2.042, 2.75],
  [100, 1.66, 1.984, 2.626],
]
for (const [freedom, ...points] of T_TABLE) {
  it(`quantiles of t with ${freedom} degrees of freedom are those of the table`, () => {
    for (const [i, level] of [0.95, 0.975, 0.995].entries())
      close(studentQuantile(freedom, level), points[i] as number, 0.00051)
  })
}

it('with many degrees of freedom t is normal', () => close(studentQuantile(1_000_000), 1.959964, 1e-4))

it('quantile and distribution are inverse', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.double({ min: 0.51, max: 0.999, noNaN: true }), (freedom, level) =>
      close(studentWithin(studentQuantile(freedom, level), freedom), 2 * level - 1, 1e-9),
    ),
  )
})

// "Student", The probable error of a mean, Biometrika 6 (1908), section IX: additional hours of sleep, two drugs, ten patients
const SLEEP = [1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4]

it("Student's sleep data: mean 1.58, deviation 1.23, t = 4.06, p = 0.0028", () => {
  close(mean(SLEEP), 1.58, 1e-9)
  close(deviation(SLEEP), 1.23, 0.001)
  close(pairedT(SLEEP)?.p ?? 1, 0.00283, 0.00001)
  const { low, high } = estimate(SLEEP)
  close(low, 0.7001, 0.0001)
  close(high, 2.4599, 0.0001)
})

// Two-sided exact tail areas, Hollander and Wolfe, Nonparametric Statistical Methods (1973), table A.4
const W_TABLE: readonly [pairs: number, smaller: number, tail: number][] = [
  [5, 0, 0.031],
  [6, 2, 0.047],
  [8, 5, 0.039],
  [10, 10, 0.042],
  [10, 8, 0.024],
  [15, 30, 0.047],
]
for (const [pairs, smaller, tail] of W_TABLE) {
  it(`Wilcoxon: ${pairs} pairs with the smaller sum ${smaller} have the tail area of the table`, () => {
    close((wilcoxonSignedRank(withSum(pairs, smaller))?.p ?? 0) / 2, tail, 0.00051)
  })
}

/** Differences 1 … n by size, so signed that the positive ranks sum to `sum`. */
function withSum(pairs: number, sum: number): number[] {
  let left = sum
  const signs = Array.from({ length: pairs }, (_, i) => pairs - i).map((rank) => {
    if (rank > left) return -rank
    left -= rank
    return rank
  })
  assert.is(left, 0)
  return signs
}

it('Wilcoxon: ties get the mean of their ranks, and zeros are left out', () => {
  // ranks of |1 1 2 3|: 1.5 1.5 3 4; sums of signs at most 1.5: {}, {1.5}, {1.5}: 3 of 16
  const test = wilcoxonSignedRank([-1, 1, 2, 3, 0])
  assert.is(test?.pairs, 4)
  close(test?.p ?? 0, 6 / 16, 1e-12)
})

it('Wilcoxon: beyond 200 pairs the normal approximation continues the exact distribution', () => {
  const of = (pairs: number) =>
    wilcoxonSignedRank(Array.from({ length: pairs }, (_, i) => (i % 5 < 2 ? -1 : 1) * (1 + i * 0.37)))?.p ?? 0
  close(of(200), of(205), 0.003)
})

it('Wilcoxon: no other outcome is less likely than all on one side', () => {
  const all = fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(all, (differences) => {
      const test = wilcoxonSignedRank(differences)
      if (test !== null) assert.ok(test.p >= wilcoxonLeast(test.pairs) * (1 - 1e-9) && test.p <= 1)
    }),
  )
  close(wilcoxonSignedRank([3, 4, 5, 6, 7, 8])?.p ?? 0, 0.03125, 1e-12)
})

it('Holm: a worked example; never below the given, never out of order', () => {
  assert.equal(
    holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(12))),
    [0.03, 0.06, 0.06, 0.02],
  )
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }), (given) => {
      const corrected = holm(given)
      for (const [i, p] of corrected.entries()) {
        assert.ok(p >= (given[i] as number) && p <= 1)
        for (const [j, q] of corrected.entries()) if ((given[i] as number) < (given[j] as number)) assert.ok(p <= q)
      }
    }),
  )
})

it('both tests are the same for a difference and its opposite, and for any unit', () => {
  const some = fc.array(fc.integer({ min: -90, max: 90 }), { minLength: 2, maxLength: 25 })
  fc.assert(
    fc.property(some, (given) => {
      const opposite = given.map((value) => -4 * value)
      close(pairedT(opposite)?.p ?? -1, pairedT(given)?.p ?? -1, 1e-9)
      close(wilcoxonSignedRank(opposite)?.p ?? -1, wilcoxonSignedRank(given)?.p ?? -1, 1e-9)
    }),
  )
})

it('95 % intervals cover the true mean 95 % of the time', () => {
  let state = 12_345
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state + 0.5) / 2 ** 32
  }
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
  let covered = 0
  for (let i = 0; i < 4_000; i++) {
    const { low, high } = estimate(Array.from({ length: 5 }, () => 7 + 2 * normal()))
    if (low <= 7 && 7 <= high) covered++
  }
  close(covered / 4_000, 0.95, 0.0125)
})

it('one seed has a mean and no interval, no seed no test', () => {
  assert.equal(estimate([3]), { mean: 3, low: Number.NaN, high: Number.NaN })
  assert.is(pairedT([3]), null)
  assert.is(wilcoxonSignedRank([0, 0]), null)
  assert.equal(pairedT([2, 2, 2])?.p, 0)
  assert.equal(pairedT([0, 0])?.p, 1)
})

it.run()
