/** What models were made of. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { Lineage, type Making } from '../../src/governance/lineage.ts'
import type { Made } from '../../src/governance/withdrawals.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'

const it = suite('lineage')
const [ADA, BOB, CLEO] = ['ada', 'bob', 'cleo'].map((name) => keyOf(name).member) as [MemberId, MemberId, MemberId]
const made = (author: MemberId, name: string): Made => ({ author, model: digestOf(name) })

interface Told {
  readonly what: Made
  readonly making: Making
  readonly round: number
  readonly from: readonly Made[]
}

const trained = (what: Made, round: number, base: Made): Told => ({ what, making: 'trained', round, from: [base] })
const merged = (what: Made, round: number, from: readonly Made[]): Told => ({ what, making: 'merged', round, from })
function lineageOf(told: readonly Told[]): Lineage {
  const lineage = new Lineage()
  for (const [seq, { what, making, round, from }] of told.entries()) lineage.tell({ ...what, making, round, seq }, from)
  return lineage
}

/** Ada and Bob merge each other; Cleo is alone until she merges Bob. */
const TOLD: readonly Told[] = [
  trained(made(ADA, 'a0'), 0, made(ADA, 'first')),
  trained(made(BOB, 'b0'), 0, made(BOB, 'first')),
  trained(made(CLEO, 'c0'), 0, made(CLEO, 'first')),
  merged(made(ADA, 'A0'), 0, [made(ADA, 'a0'), made(BOB, 'b0')]),
  merged(made(CLEO, 'c0'), 0, [made(CLEO, 'c0')]), // alone: the same weights
  trained(made(ADA, 'a1'), 1, made(ADA, 'A0')),
  merged(made(BOB, 'B1'), 1, [made(ADA, 'a1'), made(BOB, 'b0')]),
  trained(made(BOB, 'b2'), 2, made(BOB, 'B1')),
  trained(made(CLEO, 'c1'), 1, made(CLEO, 'c0')),
]
const LATER = merged(made(CLEO, 'C1'), 1, [made(BOB, 'b2'), made(CLEO, 'c1')])

it('a model descends from what went into what went into it, and from nothing else', () => {
  const lineage = lineageOf(TOLD)
  const roots = [made(CLEO, 'c0'), made(ADA, 'A0')]
  const names = [made(ADA, 'A0'), made(ADA, 'a1'), made(BOB, 'b2'), made(BOB, 'b0'), made(ADA, 'a0'), made(CLEO, 'c1')]
  assert.equal(lineage.standings(names, roots), [1, 1, 1, 'none', 'none', 0])
  assert.equal(
    lineage.descendants(made(ADA, 'A0')).map(({ model }) => model),
    ['a1', 'B1', 'b2'].map((name) => digestOf(name)),
  )
})

it('a model that its author tells of again and again costs what its entries cost', () => {
  const lineage = new Lineage()
  const before = process.memoryUsage().arrayBuffers
  const [what, entries] = [made(ADA, 'flood'), 5_000]
  for (let i = 0; i < entries; i++)
    lineage.tell({ ...what, making: 'trained', round: i, seq: i }, [
      made(ADA, `base ${i}`),
      made(ADA, `base ${i >> 1}`),
    ])
  assert.ok(process.memoryUsage().arrayBuffers - before < 400 * entries, 'some dozens of bytes each, grown by doubling')
  assert.is(lineage.ancestry(what).inputs.length, entries)
  assert.is(lineage.standings([what], [made(ADA, 'base 7')])[0], 0)
})

it('a model of which no log tells is unknown, named or not; the same weights of another member are another model', () => {
  const lineage = lineageOf(TOLD)
  assert.equal(lineage.standings([made(ADA, 'first'), made(BOB, 'nowhere'), made(CLEO, 'A0')], [made(ADA, 'A0')]), [
    'unknown',
    'unknown',
    'unknown',
  ])
  assert.is(lineage.find(made(CLEO, 'A0')), null)
})

it('weights merged alone count once, as merged, and a later entry that tells of their use makes descendants', () => {
  const lineage = lineageOf(TOLD)
  assert.is(lineage.find(made(CLEO, 'c0'))?.making, 'merged')
  assert.equal(lineage.standings([made(CLEO, 'c1')], [made(ADA, 'A0')]), ['none'])
  const { what, making, round, from } = LATER
  lineage.tell({ ...what, making, round, seq: 9 }, from)
  assert.equal(lineage.standings([made(CLEO, 'C1')], [made(ADA, 'A0')]), [0])
  assert.equal(
    lineage.newest().map(({ author, round }) => [author, round]),
    [
      [ADA, 0],
      [CLEO, 1],
      [BOB, 1],
    ],
  )
})

it('a cycle that a log makes up ends, and all in it descend', () => {
  const loop = lineageOf([merged(made(ADA, 'x'), 0, [made(ADA, 'y')]), merged(made(ADA, 'y'), 1, [made(ADA, 'x')])])
  assert.equal(loop.standings([made(ADA, 'x'), made(ADA, 'y')], [made(ADA, 'y')]), [0, 0])
})

it('ancestry names the direct inputs, how many models lie behind, and whose', () => {
  const { inputs, models, authors } = lineageOf(TOLD).ancestry(made(BOB, 'B1'))
  assert.equal(
    inputs.map(({ model }) => model),
    [digestOf('a1'), digestOf('b0')],
  )
  assert.is(models, 5) // B1, a1, A0, a0, b0: the first model, in which no data is, is not told of
  assert.equal(authors, [ADA, BOB].sort())
})

it('the order in which logs are read does not matter', () => {
  const all = [...TOLD, LATER]
  const roots = [made(ADA, 'a0'), made(BOB, 'b0')]
  const subjects = all.map(({ what }) => what)
  const expected = lineageOf(all).standings(subjects, roots.slice(0, 1))
  fc.assert(
    fc.property(fc.shuffledSubarray([...all.keys()], { minLength: all.length }), (order) => {
      const lineage = lineageOf(order.map((i) => all[i] as Told))
      assert.equal(lineage.standings(subjects, roots.slice(0, 1)), expected)
    }),
  )
})

it('of seven thousand models exactly those made after the root, and its own next update, descend', () => {
  const authors = Array.from({ length: 12 }, (_, i) => keyOf(`hospital ${i}`).member)
  const lineage = new Lineage()
  const rounds = 300
  for (let round = 0; round < rounds; round++) {
    for (const author of authors)
      lineage.tell({ ...made(author, `u ${author} ${round}`), making: 'trained', round, seq: 2 * round }, [
        made(author, `m ${author} ${round - 1}`),
      ])
    const inputs = authors.map((author) => made(author, `u ${author} ${round}`))
    for (const author of authors)
      lineage.tell({ ...made(author, `m ${author} ${round}`), making: 'merged', round, seq: 2 * round + 1 }, inputs)
  }
  const root = made(authors[3] as MemberId, `m ${authors[3]} 100`)
  assert.is(lineage.descendants(root).length, 1 + 12 + (rounds - 102) * 24)
})

it('what was merged of several models is what descends from any of them, trained ones left out', () => {
  const lineage = lineageOf(TOLD)
  const named = (author: MemberId, ...models: string[]): string[] => {
    const found: string[] = []
    lineage.eachMergedFrom(
      author,
      models.map((model) => made(author, model).model),
      (maker, model, round, seq) => {
        assert.equal(lineage.find({ author: maker, model }), { author: maker, model, making: 'merged', round, seq })
        found.push(model)
      },
    )
    return found
  }
  assert.equal(named(ADA, 'a0'), [digestOf('A0'), digestOf('B1')])
  assert.equal(named(CLEO, 'c0'), [digestOf('c0')], 'merged alone: the same weights')
  assert.equal(named(ADA, 'nobody knows', 'a0', 'a1', 'a0'), [digestOf('A0'), digestOf('B1')])
  assert.equal(named(BOB, 'b0'), [digestOf('A0'), digestOf('B1')])
  assert.equal(named(BOB, 'nobody knows'), [])
  assert.equal(named(keyOf('eve').member, 'a0'), [], 'of nobody who made anything')
})

it.run()
