/** Who is connected, and whose turn it is to be asked for heads. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Liveness } from '../../src/gossip/liveness.ts'
import { keyOf } from './fixtures.ts'

const it = suite('liveness')
const OTHERS = ['ada', 'ben', 'cleo', 'dan'].map((name) => keyOf(name).member).sort()
const [ONE, TWO, THREE] = OTHERS as [(typeof OTHERS)[0], (typeof OTHERS)[0], (typeof OTHERS)[0]]
const HALF_MINUTE = 30_000

it('a member is connected once; who is no member never is', () => {
  const liveness = new Liveness(OTHERS)
  assert.is(liveness.connected(ONE, 5), true)
  assert.is(liveness.connected(ONE, 9), false)
  assert.is(liveness.connected(keyOf('eve').member, 9), false)
  assert.equal(liveness.view(), [{ member: ONE, sinceMs: 5 }])
  liveness.disconnected(ONE)
  assert.is(liveness.isConnected(ONE), false)
  assert.is(liveness.connected(ONE, 20), true)
  assert.equal(liveness.view(), [{ member: ONE, sinceMs: 20 }])
})

it('alone it asks nobody and wishes for nothing', () => {
  const liveness = new Liveness(OTHERS)
  assert.is(liveness.wakeAtMs(), null)
  assert.is(liveness.dueForHeads(1e12), null)
  liveness.connected(ONE, 0)
  liveness.disconnected(ONE)
  assert.is(liveness.wakeAtMs(), null)
  assert.is(liveness.dueForHeads(1e12), null)
})

it('every half minute the next connected member is asked, in the order of keys', () => {
  const liveness = new Liveness(OTHERS)
  for (const member of [THREE, ONE]) liveness.connected(member, 0)
  assert.is(liveness.dueForHeads(HALF_MINUTE - 1), null)
  const asked = [1, 2, 3].map((turn) => {
    assert.is(liveness.wakeAtMs(), turn * HALF_MINUTE)
    return liveness.dueForHeads(turn * HALF_MINUTE)
  })
  assert.equal(asked, [ONE, THREE, ONE])
  liveness.connected(TWO, 95_000)
  assert.is(liveness.wakeAtMs(), 4 * HALF_MINUTE, 'who joins late does not put it off')
})

it('whoever stays connected is asked within a few turns, whoever comes and goes', () => {
  const moves = fc.array(fc.record({ member: fc.constantFrom(...OTHERS.slice(1)), up: fc.boolean() }), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(moves, (list) => {
      const liveness = new Liveness(OTHERS)
      liveness.connected(ONE, 0)
      const asked: string[] = []
      for (const [i, { member, up }] of list.entries()) {
        if (up) liveness.connected(member, i)
        else liveness.disconnected(member)
        assert.ok(liveness.wakeAtMs() !== null)
      }
      for (let turn = 1; turn <= OTHERS.length; turn++) {
        const peer = liveness.dueForHeads(turn * HALF_MINUTE + list.length)
        assert.ok(peer !== null && liveness.isConnected(peer))
        asked.push(peer)
      }
      assert.ok(asked.includes(ONE))
    }),
  )
})

it('members are told of in the order of their keys, in whatever order they are given and come', () => {
  const liveness = new Liveness([THREE, ONE, TWO])
  for (const [i, member] of [TWO, THREE, ONE].entries()) liveness.connected(member, 7 + i)
  assert.equal(liveness.view(), [
    { member: ONE, sinceMs: 9 },
    { member: TWO, sinceMs: 7 },
    { member: THREE, sinceMs: 8 },
  ])
  const asked = [1, 2, 3].map((turn) => liveness.dueForHeads(turn * HALF_MINUTE + 9))
  assert.equal(asked, [ONE, TWO, THREE])
})

it('a node that slept for hours asks once, not once for each half minute', () => {
  const liveness = new Liveness(OTHERS)
  liveness.connected(ONE, 0)
  const late = 500 * HALF_MINUTE + 7
  assert.is(liveness.dueForHeads(late), ONE)
  assert.is(liveness.dueForHeads(late), null)
  assert.is(liveness.wakeAtMs(), late + HALF_MINUTE)
})

it('one of several leaving changes no time; whoever never came may leave', () => {
  const liveness = new Liveness(OTHERS)
  liveness.connected(ONE, 4)
  liveness.connected(TWO, 11)
  liveness.disconnected(THREE)
  liveness.disconnected(ONE)
  assert.is(liveness.wakeAtMs(), 4 + HALF_MINUTE)
  assert.equal(liveness.view(), [{ member: TWO, sinceMs: 11 }])
  assert.is(liveness.dueForHeads(4 + HALF_MINUTE), TWO)
})

it('two that take turns in being there do not starve the one between them', () => {
  const liveness = new Liveness(OTHERS)
  liveness.connected(TWO, 0)
  let [asked, at] = [0, 0]
  for (let turn = 0; turn < 100; turn++) {
    const [here, gone] = turn % 2 === 0 ? [ONE, THREE] : [THREE, ONE]
    liveness.disconnected(gone)
    liveness.connected(here, at)
    at += HALF_MINUTE
    if (liveness.dueForHeads(at) === TWO) asked++
  }
  assert.ok(asked >= 33, `asked ${asked} times`)
})

it.run()
