/** Whom the swarm asks for which chunks: the author for what nobody else has, all others by name, the rarest first. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { Announced } from '../../src/gossip/announced.ts'
import { Bitfield } from '../../src/gossip/bitfield.ts'
import { CatchUp } from '../../src/gossip/catchUp.ts'
import { Ration } from '../../src/gossip/ration.ts'
import { type ChunkRequest, SWARM, Swarm } from '../../src/gossip/swarm.ts'
import { Waiters } from '../../src/gossip/waiters.ts'
import { ADA, BEN, digestOf, keyOf } from './fixtures.ts'

const it = suite('swarm')
const [CLEO, DAN] = [keyOf('cleo'), keyOf('dan')]
const ID = digestOf('a payload')
const LENGTH = 11
const bitsOf = (...chunks: number[]): Bitfield => {
  const bits = new Bitfield(LENGTH)
  for (const chunk of chunks) bits.set(chunk)
  return bits
}
const setIn = (bits: Bitfield): number[] => Array.from({ length: LENGTH }, (_, i) => i).filter((i) => bits.has(i))
const ALL = setIn(Bitfield.full(LENGTH))

function swarmOf(...here: number[]) {
  const swarm = new Swarm(Rng.from('a swarm'))
  const have = bitsOf(...here)
  swarm.want(ID, ADA.member, have, 1_000)
  swarm.heard(ADA.member, ID, Bitfield.full(LENGTH).bytes)
  return { swarm, have }
}
const to = (requests: readonly ChunkRequest[], { member }: typeof ADA) => requests.filter(({ peer }) => peer === member)

it('the author is asked for any of what only it has, the others by name for what they have', () => {
  const { swarm } = swarmOf(0)
  swarm.heard(BEN.member, ID, bitsOf(0, 3, 4).bytes)
  const requests = swarm.next(1_000)
  const [first] = to(requests, ADA)
  assert.ok(first?.first)
  assert.equal(
    setIn(first?.wanted ?? bitsOf()),
    ALL.filter((i) => ![0, 3, 4].includes(i)),
  )
  const [named, ...more] = to(requests, BEN)
  assert.equal([named?.first, named?.count, setIn(named?.wanted ?? bitsOf())], [false, 2, [3, 4]])
  assert.equal(more, [], 'what is asked for is not asked for twice')
})

it('the rarest come first, and no more than a request may ask for', () => {
  const { swarm } = swarmOf()
  swarm.heard(BEN.member, ID, bitsOf(0, 1, 2, 3, 4, 5, 6).bytes)
  swarm.heard(CLEO.member, ID, bitsOf(0, 1, 2).bytes)
  swarm.heard(DAN.member, ID, bitsOf(0, 1, 2).bytes)
  const names = to(swarm.next(1_000), BEN).map(({ wanted }) => setIn(wanted))
  assert.equal(names[0], [3, 4, 5, 6])
})

it('a failed request frees what it asked for, and rests its peer, longer every time', () => {
  const { swarm } = swarmOf(...ALL.slice(2))
  swarm.heard(BEN.member, ID, bitsOf(0, 1).bytes)
  let now = 1_000
  for (const restMs of [500, 1_000, 2_000, 4_000]) {
    const [request, ...more] = to(swarm.next(now), BEN)
    assert.equal([request === undefined, more.length], [false, 0])
    swarm.ended(request as ChunkRequest, 'failed', now)
    assert.equal(to(swarm.next(now + restMs - 1), BEN), [])
    now += restMs
  }
})

it('who sent a wrong chunk is asked no more, and what it says that it has is asked of the author', () => {
  const { swarm } = swarmOf(...ALL.slice(2))
  swarm.heard(BEN.member, ID, bitsOf(0, 1).bytes)
  const [request] = to(swarm.next(1_000), BEN)
  swarm.ended(request as ChunkRequest, 'wrong', 1_000)
  swarm.heard(BEN.member, ID, bitsOf(0, 1).bytes)
  const after = swarm.next(9_000)
  assert.equal(to(after, BEN), [])
  assert.equal(to(after, ADA).map(({ wanted }) => setIn(wanted))[0], [0, 1])
})

it('without progress the author is asked by name, and at last it is given up', () => {
  const { swarm } = swarmOf(...ALL.slice(1))
  swarm.heard(BEN.member, ID, bitsOf(0).bytes)
  for (const request of swarm.next(1_000)) swarm.ended(request, 'failed', 1_000)
  const pressed = to(swarm.next(1_000 + SWARM.patienceMs), ADA)
  assert.equal([pressed.length, pressed[0]?.first], [1, false])
  assert.equal(swarm.overdue(999 + SWARM.giveUpMs), [])
  assert.equal(swarm.overdue(1_000 + SWARM.giveUpMs), [ID])
  swarm.drop(ID)
  assert.is(swarm.wakeAtMs(1_000), null)
})

it('who signed for it as well is asked as an author is, and is nobody’s holder', () => {
  const { swarm, have } = swarmOf()
  swarm.heard(BEN.member, ID, Bitfield.full(LENGTH).bytes)
  assert.ok(
    to(swarm.next(1_000), ADA).every(({ claimed }) => claimed),
    'ben has all of it',
  )
  const again = swarmOf()
  again.swarm.heard(BEN.member, ID, Bitfield.full(LENGTH).bytes)
  again.swarm.want(ID, BEN.member, have, 1_000)
  const requests = again.swarm.next(1_000)
  const modes = [ADA, BEN].map((who) => to(requests, who).map(({ first, claimed }) => first && !claimed))
  assert.equal(modes, [
    [true, true],
    [true, true],
  ])
  for (const request of to(requests, ADA)) again.swarm.ended(request, 1, 1_000)
  again.swarm.gone(BEN.member)
  assert.equal(setIn(to(again.swarm.next(1_000), ADA)[0]?.wanted ?? bitsOf()), ALL)
})

it('those who wait for one payload do so beside each other: the last one to leave ends it', () => {
  const waiters = new Waiters<string>()
  assert.equal([waiters.join(ID, 'a'), waiters.join(ID, 'b'), waiters.join(ID, 'c')], [true, false, false])
  assert.equal([waiters.leave(ID, 'b'), waiters.leave(ID, 'b')], [false, false])
  assert.equal(waiters.settle(ID), ['a', 'c'])
  assert.equal([waiters.leave(ID, 'a'), waiters.settle(ID)], [false, []], 'it is over')
  waiters.join(ID, 'd')
  assert.is(waiters.leave(ID, 'd'), true)
  assert.is(waiters.join(ID, 'e'), true)
})

/**
 * Virtual time until all of `length` chunks are here. The author gives one a second and answers at once where it has none to give; who says
 * that it has all gives one every nine seconds, and keeps what it `took` from the author.
 */
function trickled(length: number, took: number): number {
  const swarm = new Swarm(Rng.from('trickled'))
  const [have, ration] = [new Bitfield(length), new Ration(length)]
  const plans: { readonly atMs: number; readonly run: () => void }[] = []
  let now = 0
  for (let i = 0; i < took; i++) ration.give(Bitfield.full(length), Bitfield.full(length), true)
  swarm.want(ID, ADA.member, have, now)
  for (const { member } of [BEN, ADA]) swarm.heard(member, ID, Bitfield.full(length).bytes)
  const answer = (request: ChunkRequest, got: number): void => {
    const isAuthor = request.peer === ADA.member
    const index =
      got === request.count ? null : ration.give(Bitfield.full(length), request.wanted, isAuthor && request.first)
    if (index === null) return swarm.ended(request, got, now)
    request.wanted.clear(index)
    plans.push({
      atMs: now + (isAuthor ? 1_000 : 9_000),
      run: () => {
        have.set(index)
        swarm.received(ID, index, now)
        answer(request, got + 1)
      },
    })
  }
  while (!have.isFull) {
    for (const request of swarm.next(now)) answer(request, 0)
    plans.sort((a, b) => b.atMs - a.atMs)
    const wakeMs = swarm.wakeAtMs(now) ?? Number.POSITIVE_INFINITY
    const plan = (plans.at(-1)?.atMs ?? Number.POSITIVE_INFINITY) <= wakeMs ? plans.pop() : undefined
    now = plan?.atMs ?? Math.max(wakeMs, now + 1)
    plan?.run()
  }
  return now
}

it('who says that it has all and gives little holds nobody up, nor who took the chunks and passes them on slowly', () => {
  const [length, tailMs] = [128, 4 * 9_000] // of what it was asked for at last
  const seconds = [0, 60, length].map((took) => trickled(length, took) / 1_000)
  for (const [i, all] of seconds.entries())
    assert.ok(all * 1_000 <= length * 1_000 + SWARM.patienceMs + tailMs, `case ${i}: ${all} s`)
})

it('once the author has given out all, it is not asked again until those who have it had their time, whatever trickles in', () => {
  const { swarm, have } = swarmOf()
  swarm.heard(BEN.member, ID, Bitfield.full(LENGTH).bytes)
  const asked = to(swarm.next(1_000), ADA)
  assert.ok(asked.length > 0 && asked.every(({ first, claimed }) => first && claimed))
  for (const request of asked) swarm.ended(request, 0, 1_000)
  assert.equal(to(swarm.next(1_000), ADA), [])
  const pressAtMs = 1_000 + SWARM.patienceMs
  have.set(3)
  swarm.received(ID, 3, pressAtMs - 1)
  assert.equal([to(swarm.next(pressAtMs - 1), ADA), swarm.wakeAtMs(pressAtMs - 1)], [[], pressAtMs])
  const pressed = to(swarm.next(pressAtMs), ADA)
  assert.ok(pressed.length > 0 && pressed.every(({ first }) => !first))
})

it('a fetch behind which a newer one waits is given up sooner, where nothing comes', () => {
  const { swarm } = swarmOf()
  swarm.hurry(ID)
  swarm.received(ID, 0, 9_000)
  assert.equal(swarm.overdue(8_999 + SWARM.giveWayMs), [])
  assert.equal(swarm.overdue(9_000 + SWARM.giveWayMs), [ID])
})

it('bits that are none of this payload are said to be', () => {
  const { swarm } = swarmOf()
  assert.is(swarm.heard(BEN.member, ID, new Uint8Array(3)), false)
  assert.is(swarm.heard(BEN.member, ID, Uint8Array.of(0, 0x10)), false, 'a bit beyond the last')
  assert.is(swarm.heard(BEN.member, ID, Uint8Array.of(0, 0x20)), true)
  assert.is(swarm.heard(BEN.member, digestOf('another'), new Uint8Array(3)), true, 'nothing is known of that')
})

it('each chunk is given out once before any twice; what did not arrive is given to the next', () => {
  const ration = new Ration(LENGTH)
  const [have, wanted] = [Bitfield.full(LENGTH), bitsOf(2, 5, 7)]
  assert.equal([ration.give(have, wanted, true), ration.give(have, wanted, true)], [2, 5])
  ration.takeBack(2)
  assert.equal([ration.give(have, wanted, true), ration.give(have, wanted, true)], [2, 7])
  assert.equal([ration.give(have, wanted, true), ration.give(have, wanted, false)], [null, 2])
  assert.is(ration.give(bitsOf(1), wanted, false), null)
})

it('of each author one announced update is fetched to its end, and the newest behind it, once', () => {
  const announced = new Announced()
  const of = (round: number, label = `${round}`) => {
    return { author: ADA.member, round, digest: digestOf(label), examples: 30, reference: null }
  }
  const reasonOf = (round: number, label?: string): string => {
    const judgement = announced.take(of(round, label))
    return judgement.verdict === 'accept' ? 'accept' : judgement.reason
  }
  assert.equal(
    [reasonOf(4), reasonOf(4), reasonOf(4, 'other'), reasonOf(3), reasonOf(6)],
    ['accept', 'update-known', 'update-contradicts', 'update-stale', 'accept'],
  )
  assert.equal(
    [reasonOf(8), reasonOf(6), reasonOf(8, 'other'), reasonOf(4), reasonOf(4, 'other')],
    ['accept', 'update-stale', 'update-contradicts', 'update-known', 'update-contradicts'],
  )
  const fetching = (): boolean[] => ['4', '6', '8'].map((round) => announced.isFetching(ADA.member, digestOf(round)))
  assert.equal([announced.follow(ADA.member), fetching()], [null, [true, false, false]])
  assert.equal([announced.settle(ADA.member, digestOf('6')), announced.size], [false, 1], 'it was superseded')
  assert.equal([announced.settle(ADA.member, digestOf('4')), announced.size], [true, 0])
  assert.equal([announced.follow(ADA.member)?.round, fetching()], [8, [false, false, true]])
  assert.equal([announced.settle(ADA.member, digestOf('8')), announced.follow(ADA.member)], [true, null])
  assert.is(reasonOf(8), 'accept', 'what could not be fetched may be announced again')
})

it('every connected member is asked once, one after the other, and who comes back again', () => {
  const catchUp = new CatchUp()
  const [ada, ben] = [ADA.member, BEN.member]
  assert.equal([catchUp.next([ada, ben]), catchUp.next([ada, ben])], [ada, null])
  catchUp.told(ben)
  assert.is(catchUp.next([ada, ben]), null, 'ben was not asked')
  catchUp.told(ada)
  assert.equal([catchUp.next([ada, ben]), catchUp.next([ada])], [ben, null])
  catchUp.gone(ben)
  assert.is(catchUp.next([ada]), null)
  assert.is(catchUp.next([ada, ben]), ben)
})

it.run()
