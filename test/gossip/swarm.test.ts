/** Whom the swarm asks for which chunks: the author for what nobody else has, all others by name, the rarest first. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { Announced } from '../../src/gossip/announced.ts'
import { Bitfield } from '../../src/gossip/bitfield.ts'
import { CatchUp } from '../../src/gossip/catchUp.ts'
import { Ration } from '../../src/gossip/ration.ts'
import { type ChunkRequest, SWARM, Swarm } from '../../src/gossip/swarm.ts'
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

it('of each author the newest announcement is fetched, once', () => {
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
  assert.equal([announced.settle(ADA.member, digestOf('4')), announced.size], [false, 1], 'it was superseded')
  assert.equal([announced.settle(ADA.member, digestOf('6')), announced.size], [true, 0])
  assert.is(reasonOf(6), 'accept', 'what could not be fetched may be announced again')
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
