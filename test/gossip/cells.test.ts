/** The deal of cells: bounded, balanced, the same for all who know the same, and nearly so for those who know a little less. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Digest, studyId } from '../../src/core/ids.ts'
import { chanceBeyond, Deal, dealSeed, meetInCells, SEATS_BESIDE } from '../../src/gossip/cells.ts'

const it = suite('cells')
const hex = (byte: string): Digest => byte.repeat(32) as Digest
const STUDY = studyId('5a'.repeat(32))
const seedOf = (period: number): Digest => dealSeed(STUDY, hex('e0'), hex('5c'), period)
const all = (): boolean => true
const cellsOf = (deal: Deal): number[][] => Array.from({ length: deal.cells }, (_, cell) => [...deal.membersOf(cell)])

it('everybody sits in one cell, no cell is larger than allowed, and none is smaller than another by more than one', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 4, max: 64 }),
      fc.nat(1_000),
      (members, size, period) => {
        const deal = new Deal(seedOf(period), members, (place) => place === 0 || place % 7 !== 3, size)
        const cells = cellsOf(deal)
        const sizes = cells.map(({ length }) => length)
        assert.ok(Math.max(...sizes) <= size)
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1)
        if (deal.seats > size) assert.ok(2 * Math.min(...sizes) >= size - 1, `${sizes} of at most ${size}`)
        const seated = cells.flat().sort((a, b) => a - b)
        assert.equal(
          seated,
          Array.from({ length: members }, (_, i) => i).filter((i) => i === 0 || i % 7 !== 3),
        )
        cells.forEach((places, cell) => {
          for (const place of places) {
            assert.is(deal.cellOf(place), cell)
            assert.ok(deal.isIn(place, cell, 0))
          }
        })
      },
    ),
  )
})

it('the cells of 118 members: four, of 29 or 30; and what they are was fixed', () => {
  const deal = new Deal(seedOf(2_971_111), 118, all, 32)
  const cells = cellsOf(deal)
  assert.equal(
    cells.map(({ length }) => length),
    [29, 30, 29, 30],
  )
  assert.equal(cells[2]?.slice(0, 8), FIXED)
})
const FIXED = [97, 99, 63, 77, 111, 89, 72, 45]

it('study, epoch, scaling and period each deal otherwise', () => {
  const seeds = [
    seedOf(7),
    seedOf(8),
    dealSeed(studyId('5b'.repeat(32)), hex('e0'), hex('5c'), 7),
    dealSeed(STUDY, hex('e1'), hex('5c'), 7),
    dealSeed(STUDY, hex('e0'), hex('5d'), 7),
  ]
  const dealt = seeds.map((seed) => cellsOf(new Deal(seed, 60, all, 16))[0]?.join())
  assert.is(new Set(dealt).size, seeds.length)
})

it('where one has not heard of a binding yet, all others sit in the same cell or at its edge, and are believed to', () => {
  fc.assert(
    fc.property(fc.integer({ min: 66, max: 95 }), fc.nat(94), fc.nat(1_000), (members, late, period) => {
      const missing = late % members
      const more = new Deal(seedOf(period), members, all, 32)
      const fewer = new Deal(seedOf(period), members, (place) => place !== missing, 32)
      if (more.cells !== fewer.cells) return
      let moved = 0
      for (let place = 0; place < members; place++) {
        assert.ok(more.isIn(place, fewer.cellOf(place), SEATS_BESIDE), `${place} of ${members} without ${missing}`)
        assert.ok(fewer.isIn(place, more.cellOf(place), SEATS_BESIDE), 'who is not known yet too')
        if (place !== missing && more.cellOf(place) !== fewer.cellOf(place)) moved++
      }
      assert.ok(moved < more.cells, `${moved} moved`)
    }),
  )
})

it('who sits elsewhere is not let in', () => {
  const deal = new Deal(seedOf(3), 90, all, 32)
  const [first = [], second = [], third = []] = cellsOf(deal)
  assert.ok(first.slice(0, -SEATS_BESIDE).every((place) => !deal.isIn(place, 1, SEATS_BESIDE)))
  assert.ok(first.slice(-SEATS_BESIDE).every((place) => deal.isIn(place, 1, SEATS_BESIDE)))
  assert.ok(third.slice(0, SEATS_BESIDE).every((place) => deal.isIn(place, 1, SEATS_BESIDE)))
  assert.not.ok(third.slice(SEATS_BESIDE).some((place) => deal.isIn(place, 1, SEATS_BESIDE)))
  assert.ok(second.every((place) => deal.isIn(place, 1, 0)))
  assert.not.ok(deal.isIn(90, 1, 9), 'who is no member')
})

it('over the periods two members meet as often as chance has it', () => {
  const periods = 4_000
  let together = 0
  for (let period = 0; period < periods; period++) {
    const deal = new Deal(seedOf(period), 64, all, 16)
    if (deal.cellOf(11) === deal.cellOf(42)) together++
  }
  const expected = 15 / 63
  const deviation = Math.sqrt((expected * (1 - expected)) / periods)
  assert.ok(Math.abs(together / periods - expected) < 4 * deviation, `${together} of ${periods}`)
})

it('up to the bound there is one topic, beyond it there are cells, and a study may have none at all', () => {
  assert.equal(
    [40, 41].map((members) => meetInCells(members, { above: 40, size: 32 })),
    [false, true],
  )
  assert.not.ok(meetInCells(1_000, null))
})

/** Exact, by whole numbers: Σ C(K, k) C(N − K, n − k) ÷ C(N, n). */
for (const [members, attackers, seats, bound, chance] of [
  [118, 24, 16, 4, 0.19824589908367918],
  [118, 24, 16, 6, 0.019973808182741186],
  [118, 24, 30, 12, 0.0006607830542897027],
  [1_000, 200, 32, 12, 0.005301086469754909],
  [40, 20, 32, 12, 0.9983619983619983],
  [10, 3, 4, 1, 1 / 3],
  [7, 7, 3, 2, 1],
  [118, 0, 32, 0, 0],
] as const) {
  it(`of ${seats} seats dealt to ${members} members more than ${bound} of ${attackers} attackers: ${chance.toFixed(4)}`, () => {
    assert.ok(Math.abs(chanceBeyond(members, attackers, seats, bound) - chance) <= 1e-12)
  })
}

it('cells that are dealt exceed the bound as often as was computed: a fifth of 118 attackers, more than 4 in cells of at most 16', () => {
  let [beyond, cells] = [0, 0]
  for (let period = 0; period < 1_500; period++) {
    for (const places of cellsOf(new Deal(seedOf(period), 118, all, 16))) {
      cells++
      if (places.filter((place) => place < 24).length > 4) beyond++
    }
  }
  const mixed = (2 * chanceBeyond(118, 24, 14, 4) + 6 * chanceBeyond(118, 24, 15, 4)) / 8 // 118 are 8 cells: two of 14, six of 15
  assert.ok(Math.abs(beyond / cells - mixed) < 0.012, `${beyond / cells} dealt, ${mixed} computed`)
})

it.run()
