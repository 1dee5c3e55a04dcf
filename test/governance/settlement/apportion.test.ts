/** A pool shared out by largest remainders: published examples, and what must hold of any. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { apportion, apportionAbove, type Claim } from '../../../src/governance/settlement/apportion.ts'

const it = suite('apportion')
const claims = (weights: readonly number[]): Claim[] =>
  weights.map((weight, i) => ({ key: String.fromCharCode(97 + i), weight: BigInt(weight) }))
const sum = (parts: readonly number[]): number => parts.reduce((all, part) => all + part, 0)

/** Units, weights, parts, and where they were published. */
const PUBLISHED: readonly (readonly [units: number, weights: number[], parts: number[], where: string])[] = [
  [
    10,
    [47_000, 16_000, 15_900, 12_000, 6_000, 3_100],
    [5, 2, 1, 1, 1, 0],
    'Wikipedia, "Largest remainder method", Hare quota',
  ],
  [25, [1_500, 1_500, 900, 500, 500, 200], [7, 7, 4, 3, 3, 1], 'ibid., "Paradoxes", 25 seats'],
  [26, [1_500, 1_500, 900, 500, 500, 200], [8, 8, 5, 2, 2, 1], 'ibid., 26 seats: the Alabama paradox'],
  [
    120,
    [
      ...[236_841, 55_540, 70_835, 68_705, 278_514, 475_327, 141_822, 179_570],
      ...[331_589, 353_523, 432_879, 68_446, 206_236, 85_533, 630_560],
    ],
    [8, 2, 2, 2, 9, 16, 5, 6, 11, 12, 14, 2, 7, 3, 21],
    'Balinski and Young 2001, Table 3.1: Hamilton’s bill of 1792 over the first census, Connecticut to Virginia',
  ],
]

for (const [units, weights, parts, where] of PUBLISHED)
  it(`${units} units come out as published: ${where}`, () => {
    assert.equal(apportion(units, claims(weights)), parts)
  })

const weights = fc.array(fc.bigInt({ min: 0n, max: 10n ** 12n }), { minLength: 1, maxLength: 12 })
const units = fc.integer({ min: 0, max: 10 ** 12 })
const of = (list: readonly bigint[]): Claim[] => list.map((weight, i) => ({ key: String.fromCharCode(97 + i), weight }))

it('all of a pool is shared out, exactly, and nobody gets a whole unit more or less than its part', () => {
  fc.assert(
    fc.property(units, weights, (pool, list) => {
      const total = list.reduce((all, weight) => all + weight, 0n)
      const parts = apportion(pool, of(list))
      assert.is(sum(parts), total === 0n ? 0 : pool)
      for (const [i, weight] of list.entries()) {
        const exact = total === 0n ? 0n : (BigInt(pool) * weight) / total
        assert.ok(BigInt(parts[i] as number) - exact <= 1n && BigInt(parts[i] as number) >= exact)
      }
    }),
  )
})

it('who has done more gets no less, and doing more never makes it less', () => {
  fc.assert(
    fc.property(units, weights, fc.nat(), fc.bigInt({ min: 1n, max: 10n ** 12n }), (pool, list, who, more) => {
      const at = who % list.length
      const parts = apportion(pool, of(list))
      for (const [i, a] of list.entries())
        for (const [j, b] of list.entries()) if (a > b) assert.ok((parts[i] as number) >= (parts[j] as number))
      const grown = list.map((weight, i) => (i === at ? weight + more : weight))
      assert.ok((apportion(pool, of(grown))[at] as number) >= (parts[at] as number))
    }),
  )
})

it('the order in which parties are named changes nothing', () => {
  fc.assert(
    fc.property(units, weights, (pool, list) => {
      const given = of(list)
      const byKey = (all: readonly Claim[]) => new Map(apportion(pool, all).map((part, i) => [all[i]?.key, part]))
      const turned = byKey([...given].reverse())
      for (const [key, part] of byKey(given)) assert.is(turned.get(key), part)
    }),
  )
})

it('of equal remainders the lower key gets the unit', () => {
  assert.equal(apportion(2, claims([1, 1, 1])), [1, 1, 0])
})

it('who would get less than the least gets nothing, and the others share all of it', () => {
  assert.equal(apportionAbove(1_000, claims([70, 26, 4]), 50), [729, 271, 0])
  assert.equal(apportionAbove(1_000, claims([70, 26, 4]), 40), [700, 260, 40])
})

it('a least that nobody reaches leaves nobody out', () => {
  assert.equal(apportionAbove(100, claims([1, 1, 1]), 60), [34, 33, 33])
})

it('nothing done is nothing shared out', () => {
  assert.equal(apportion(1_000, claims([0, 0])), [0, 0])
  assert.equal(apportionAbove(1_000, claims([0, 0]), 10), [0, 0])
})

it.run()
