/** Which updates are taken in: the newest of each member, and the round to go on from. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { Exchange, type Expectation, nextRound, UPDATE_CONTRADICTS } from '../../src/gossip/exchange.ts'
import type { UpdateFacts, UpdateHeader } from '../../src/gossip/update.ts'
import { ADA, BEN, digestOf, headerOf, keyOf, SCALING, SOUND } from './fixtures.ts'

const it = suite('exchange')
const WEIGHTS = Float32Array.of(1, 2)
const SELF = keyOf('self').member
const AUTHORS = ['ada', 'ben', 'cleo', 'dan'].map((name) => keyOf(name).member)
const EXPECTED: Expectation = {
  parameters: 2,
  scaling: SCALING,
  rounds: 100,
  accepted: new Set([...AUTHORS, SELF]),
}
const headerBy = (author: MemberId, round: number, label = 'main'): UpdateHeader =>
  headerOf(WEIGHTS, { author, round, digest: digestOf(`${author} ${round} ${label}`) })
const reasonOf = (exchange: Exchange, header: UpdateHeader, facts = SOUND, expected = EXPECTED): string => {
  const judgement = exchange.judge(header, facts, expected, 0)
  return judgement.verdict === 'accept' ? 'accept' : `${judgement.verdict} ${judgement.reason}`
}

const heldIn = (exchange: Exchange, author: MemberId) => exchange.held.find((one) => one.author === author)

const FAULTS: readonly (readonly [reason: string, header: Partial<UpdateHeader>, facts: Partial<UpdateFacts>])[] = [
  ['reject update-signature', {}, { signatureValid: false }],
  ['reject update-digest', {}, { digestMatches: false }],
  ['ignore author-not-in-study', { author: keyOf('eve').member }, {}],
  ['ignore scaling-differs', { scaling: digestOf('another scaling') }, {}],
  ['reject update-shape', { parameters: 3 }, {}],
  ['reject update-not-finite', {}, { finite: false }],
  ['reject update-norm', {}, { rms: LIMITS.updateNormMax * 1.01 }],
  ['reject round-beyond-end', { round: 100 }, {}],
  ['reject update-without-examples', { examples: 0 }, {}],
  ['ignore update-own', { author: SELF }, { signatureValid: false }],
]
for (const [reason, header, facts] of FAULTS) {
  it(`${reason}: nothing is held`, () => {
    const exchange = new Exchange(SELF)
    assert.is(reasonOf(exchange, headerOf(WEIGHTS, header), { ...SOUND, ...facts }), reason)
    assert.is(exchange.held.length, 0)
  })
}

it('of each member the newest is held; older ones and repetitions are ignored', () => {
  const exchange = new Exchange(SELF)
  const first = exchange.judge(headerBy(ADA.member, 3), SOUND, EXPECTED, 0)
  assert.equal(first, { verdict: 'accept', displaced: null })
  assert.is(reasonOf(exchange, headerBy(ADA.member, 3)), 'ignore update-known')
  assert.is(reasonOf(exchange, headerBy(ADA.member, 2)), 'ignore update-stale')
  const second = exchange.judge(headerBy(ADA.member, 5), SOUND, EXPECTED, 0)
  assert.equal(second, { verdict: 'accept', displaced: headerBy(ADA.member, 3).digest })
  assert.is(heldIn(exchange, ADA.member)?.round, 5)
})

it('a second update for one round is ignored, for who forwards it may not know the first', () => {
  const exchange = new Exchange(SELF)
  exchange.judge(headerBy(ADA.member, 3), SOUND, EXPECTED, 0)
  assert.is(reasonOf(exchange, headerBy(ADA.member, 3, 'other')), `ignore ${UPDATE_CONTRADICTS}`)
  assert.is(heldIn(exchange, ADA.member)?.digest, headerBy(ADA.member, 3).digest)
})

it('whatever the order of arrival, the same updates are held', () => {
  const heard = fc.array(fc.record({ author: fc.constantFrom(...AUTHORS), round: fc.nat(99) }), { maxLength: 30 })
  const shuffled = heard.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
  )
  fc.assert(
    fc.property(shuffled, ([one, other]) => {
      const heldOf = (list: typeof one) => {
        const exchange = new Exchange(SELF)
        for (const { author, round } of list) exchange.judge(headerBy(author, round), SOUND, EXPECTED, 0)
        return AUTHORS.map((author) => heldIn(exchange, author)?.round ?? null)
      }
      assert.equal(heldOf(one), heldOf(other))
      const newest = (author: MemberId) => Math.max(-1, ...one.filter((u) => u.author === author).map((u) => u.round))
      assert.equal(
        heldOf(one).map((round) => round ?? -1),
        AUTHORS.map(newest),
      )
    }),
  )
})

const ownAt = (round: number) => ({ author: SELF, round, digest: digestOf(`own ${round}`), examples: 5, ageRounds: 0 })

it('inputs are sorted by author, each with its age in own rounds, and leave when they are too old', () => {
  const exchange = new Exchange(SELF)
  for (const author of AUTHORS) exchange.judge(headerBy(author, 50), SOUND, EXPECTED, 10)
  exchange.judge(headerBy(BEN.member, 60), SOUND, EXPECTED, 13)
  const inputs = exchange.inputs(ownAt(14), 4)
  assert.equal(
    inputs.map(({ author }) => author as string),
    [...AUTHORS, SELF].map(String).sort(),
  )
  for (const { author, ageRounds } of inputs)
    assert.is(ageRounds, author === SELF ? 0 : author === BEN.member ? 1 : 4, author)
  assert.equal(
    exchange
      .inputs(ownAt(15), 4)
      .map(({ author }) => author)
      .sort(),
    [BEN.member, SELF].sort(),
    'heard five rounds ago is over four',
  )
  assert.equal(
    exchange.held.map(({ author }) => author),
    [BEN.member],
    'the weights of the others are free',
  )
  assert.is(reasonOf(exchange, headerBy(ADA.member, 49)), 'ignore update-stale', 'and what is older is still known')
  assert.is(reasonOf(exchange, headerBy(ADA.member, 50)), 'ignore update-stale')
  assert.equal(exchange.judge(headerBy(ADA.member, 51), SOUND, EXPECTED, 15), { verdict: 'accept', displaced: null })
})

it('weights are let go exactly once: when displaced, when too old, or when forgotten', () => {
  const exchange = new Exchange(SELF, 2)
  const free: string[] = []
  const hear = (author: MemberId, round: number, at: number): void => {
    const judgement = exchange.judge(headerBy(author, round), SOUND, EXPECTED, at)
    assert.is(judgement.verdict, 'accept')
    if (judgement.verdict === 'accept' && judgement.displaced !== null) free.push(judgement.displaced)
  }
  const [ada, ben, cleo] = AUTHORS as [MemberId, MemberId, MemberId]
  hear(ada, 1, 3)
  hear(ben, 1, 2)
  hear(cleo, 1, 5)
  assert.equal(free, [headerBy(ben, 1).digest], 'of two, who was heard longest ago goes')
  exchange.inputs(ownAt(8), 4, (digest) => free.push(digest))
  exchange.inputs(ownAt(9), 4, (digest) => free.push(digest))
  assert.equal(free.slice(1), [headerBy(ada, 1).digest])
  hear(ada, 2, 9)
  hear(ada, 3, 9)
  assert.equal(free.slice(2), [headerBy(ada, 2).digest])
  assert.is(reasonOf(exchange, headerBy(ben, 1)), 'ignore update-stale', 'whoever had to go is remembered')
  hear(ben, 2, 10)
  assert.equal(free.slice(3), [headerBy(cleo, 1).digest])
})

it('of more members than one entry can name, the own update and the freshest others are merged', () => {
  const exchange = new Exchange(SELF)
  const many = Array.from({ length: 100 }, (_, i) => keyOf(`member ${i}`).member)
  const expected = { ...EXPECTED, accepted: new Set(many) }
  for (const [i, author] of many.entries()) exchange.judge(headerBy(author, 50), SOUND, expected, i % 4)
  const inputs = exchange.inputs(ownAt(3), 4)
  assert.is(inputs.length, LIMITS.updateParentsMax)
  assert.ok(inputs.some(({ author }) => author === SELF))
  const ages = inputs.map(({ ageRounds }) => ageRounds).sort()
  assert.equal(
    [0, 1, 2, 3].map((age) => ages.filter((one) => one === age).length),
    [26, 25, 13, 0],
  )
  const order = inputs.map(({ author }) => author as string)
  assert.equal(order, [...order].sort())
})

it('an update heard for the next merge is of age 0 there, never younger', () => {
  const exchange = new Exchange(SELF)
  exchange.judge(headerBy(ADA.member, 50), SOUND, EXPECTED, 11)
  assert.is(exchange.inputs(ownAt(10), 4).find(({ author }) => author === ADA.member)?.ageRounds, 0)
})

it('ages stay what they were when own rounds are renumbered', () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), fc.nat(200), (heardAt, later, jump) => {
      const exchange = new Exchange(SELF)
      exchange.judge(headerBy(ADA.member, 3), SOUND, EXPECTED, heardAt)
      const before = heardAt + later
      const age = () => exchange.inputs(ownAt(before), 1_000).find(({ author }) => author === ADA.member)?.ageRounds
      const was = age()
      exchange.shift(before, before + jump)
      const is = exchange.inputs(ownAt(before + jump), 1_000).find(({ author }) => author === ADA.member)?.ageRounds
      assert.is(was, later)
      assert.is(is, later)
    }),
  )
})

it('clear drops everything and tells which weights are free', () => {
  const exchange = new Exchange(SELF)
  for (const author of AUTHORS) exchange.judge(headerBy(author, 5), SOUND, EXPECTED, 0)
  assert.equal(exchange.clear().sort(), AUTHORS.map((author) => headerBy(author, 5).digest).sort())
  assert.is(exchange.held.length, 0)
})

const rounds = fc.nat(1_000)

it('the next round is after the own one, and a node alone counts by one', () => {
  assert.is(nextRound(7, []), 8)
  fc.assert(fc.property(rounds, fc.array(rounds), (own, heard) => assert.ok(nextRound(own, heard) > own)))
})

it('a node that was away takes up the round of the many', () => {
  assert.is(nextRound(3, [20, 21, 22]), 21)
  assert.is(nextRound(3, [20]), 4, 'of two, the lower: one other is no majority')
  assert.is(nextRound(3, [20, 20]), 21)
})

it('no minority can push a study on: while most are at or below a round, nobody goes beyond the one after it', () => {
  const cases = fc.tuple(rounds, fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 20 })).chain(([most, liars]) =>
    fc.record({
      most: fc.constant(most),
      liars: fc.constant(liars),
      honest: fc.array(fc.nat(most), { minLength: liars.length, maxLength: liars.length + 20 }),
      own: fc.nat(most),
    }),
  )
  fc.assert(
    fc.property(cases, ({ most, liars, honest, own }) => {
      assert.ok(nextRound(own, [...liars, ...honest]) <= most + 1)
    }),
  )
})

it('of several faults the first in the order of their cost is told: who signed before what is in it', () => {
  const header: UpdateHeader = headerOf(WEIGHTS, {
    author: keyOf('eve').member,
    scaling: digestOf('another scaling'),
    parameters: 3,
    round: EXPECTED.rounds,
    examples: 0,
  })
  const facts: UpdateFacts = { signatureValid: false, digestMatches: false, finite: false, rms: 1e9 }
  const mended: readonly (readonly [reason: string, header: Partial<UpdateHeader>, facts: Partial<UpdateFacts>])[] = [
    ['reject update-signature', {}, { signatureValid: true }],
    ['reject update-digest', {}, { digestMatches: true }],
    ['ignore author-not-in-study', { author: ADA.member }, {}],
    ['ignore scaling-differs', { scaling: SCALING }, {}],
    ['reject update-shape', { parameters: 2 }, {}],
    ['reject update-not-finite', {}, { finite: true }],
    ['reject update-norm', {}, { rms: LIMITS.updateNormMax }],
    ['reject round-beyond-end', { round: EXPECTED.rounds - 1 }, {}],
    ['reject update-without-examples', { examples: 1 }, {}],
  ]
  const exchange = new Exchange(SELF)
  let [update, measured] = [header, facts]
  for (const [reason, change, measure] of mended) {
    assert.is(reasonOf(exchange, update, measured), reason)
    update = { ...update, ...change }
    measured = { ...measured, ...measure }
  }
  assert.is(reasonOf(exchange, update, measured), 'accept', 'at the bounds: largest norm, last round, one example')
})

it('an input says what its author said of it, and a refused one replaces nothing', () => {
  const exchange = new Exchange(SELF)
  exchange.judge({ ...headerBy(ADA.member, 5), examples: 31 }, SOUND, EXPECTED, 2)
  exchange.judge({ ...headerBy(ADA.member, 9), examples: 0 }, SOUND, EXPECTED, 3)
  exchange.judge({ ...headerBy(ADA.member, 4), examples: 77 }, SOUND, EXPECTED, 3)
  const { digest } = headerBy(ADA.member, 5)
  assert.equal(
    exchange.inputs(ownAt(4), 4).find(({ author }) => author === ADA.member),
    { author: ADA.member, round: 5, digest, examples: 31, ageRounds: 2 },
  )
})

it('a repetition does not make an update younger, and after clear any round is new', () => {
  const exchange = new Exchange(SELF)
  exchange.judge(headerBy(ADA.member, 5), SOUND, EXPECTED, 2)
  exchange.judge(headerBy(ADA.member, 5), SOUND, EXPECTED, 6)
  const age = () => exchange.inputs(ownAt(6), 9).find(({ author }) => author === ADA.member)?.ageRounds
  assert.is(age(), 4)
  exchange.clear()
  assert.is(reasonOf(exchange, headerBy(ADA.member, 1)), 'accept')
})

it('the next round follows the least number that half of all have not passed, whatever their order', () => {
  fc.assert(
    fc.property(rounds, fc.array(rounds, { maxLength: 12 }), fc.nat(11), (own, heard, turn) => {
      const all = [own, ...heard]
      const reached = (round: number) => 2 * all.filter((one) => one <= round).length >= all.length
      const median = Math.min(...all.filter(reached))
      const given = [...heard]
      assert.is(nextRound(own, given), Math.max(own, median) + 1)
      assert.equal(given, heard, 'what is given stays as it is')
      assert.is(nextRound(own, [...heard.slice(turn), ...heard.slice(0, turn)]), nextRound(own, heard))
    }),
  )
})

it('who is further on never holds anybody back', () => {
  fc.assert(
    fc.property(
      rounds,
      fc.array(rounds, { minLength: 1, maxLength: 12 }),
      fc.nat(11),
      rounds,
      (own, heard, at, more) => {
        const further = heard.map((round, i) => (i === at % heard.length ? round + more : round))
        assert.ok(nextRound(own, further) >= nextRound(own, heard))
      },
    ),
  )
})

it.run()
