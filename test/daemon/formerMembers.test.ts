/** Logs and final heads when members change: what is served and taken of who left, and whose signatures still count. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds } from '../../src/core/ids.ts'
import { Replicator } from '../../src/daemon/replicator.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { signCosignature } from '../../src/ledger/cosignature.ts'
import { Finality } from '../../src/ledger/finality.ts'
import { type Pin, Roll } from '../../src/ledger/membership.ts'
import { encodeRangeRequest, openFrame } from '../../src/ledger/wire.ts'
import type { RequestHandler } from '../../src/net/transport.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { serveRange } from '../../src/store/serveRange.ts'
import { FOUNDING, keyOf } from '../ledger/fixtures.ts'
import {
  ADA,
  BEN,
  branch,
  CLEO,
  DAN,
  EVE,
  finalOf,
  handOver,
  MEMBERS,
  never,
  open,
  type PeerNode,
  type Peers,
  sizeOf,
  storeWith,
  TIME_S,
  toldOf,
} from './peerKit.ts'

const it = suite('former members')
const FAY = keyOf('fay')
const keysOf = (keys: readonly SigningKey[]) => keys.map(({ member }) => member).sort(compareIds)

const MAIN = branch('main', 10, [12, 20, 24, 30]) // ADA's: heads at 10, 12, 20, 24 and 30 entries
const OTHER = branch('other', 10, [12, 20, 24, 30])
const headAt = (size: number, commits = MAIN) => {
  const found = commits.find(({ head }) => head.size === size)
  if (found === undefined) throw new Error(`no head at ${size}`)
  return found.head
}
const pinAt = (size: number, commits = MAIN): Pin => sizeOf(headAt(size, commits))
const upTo = (size: number, commits = MAIN) => storeWith(commits.filter(({ head }) => head.size <= size))

/** ADA, BEN, CLEO, DAN and EVE; in epoch 1 these, with ADA's log pinned. */
const rollOf = (next: readonly SigningKey[], pin: Pin): Roll =>
  new Roll([
    { number: 0, members: MEMBERS.toSorted(compareIds), pins: [] },
    { number: 1, members: keysOf(next), pins: [pin] },
  ])
const WITHOUT = [BEN, CLEO, DAN, EVE]
const LEFT_AT_20 = rollOf(WITHOUT, pinAt(20))

async function sizesOf(frames: AsyncIterable<Uint8Array>): Promise<number[]> {
  const sizes: number[] = []
  let tip = emptyTip(ADA.member)
  for await (const bytes of frames) {
    tip = openFrame(tip, bytes, FOUNDING).tip
    sizes.push(tip.size)
  }
  return sizes
}

it('a range ends at the newest head within the bound, and is empty where none is', async () => {
  const store = await upTo(30)
  const served = (bound?: number) => sizesOf(serveRange(store, { author: ADA.member, fromSize: 0 }, bound))
  assert.equal([await served(), await served(30), await served(24), await served(23)], [[30], [30], [24], [20]])
  assert.equal([await served(10), await served(9), await served(0)], [[10], [], []])
  for (const [from, bound, frames] of [
    [20, 20, 0],
    [20, 23, 0],
    [20, 24, 1],
    [24, 20, 0],
    [30, undefined, 0],
  ] as const) {
    let count = 0
    for await (const _ of serveRange(store, { author: ADA.member, fromSize: from }, bound)) count++
    assert.is(count, frames, `from ${from} to ${bound}`)
  }
})

const rangeOf = (peers: Peers, node: SigningKey) => {
  const handler = peers.get(node.member)?.get('/consilium/range/1') as RequestHandler
  return sizesOf(handler(CLEO.member, encodeRangeRequest({ author: ADA.member, fromSize: 0 }), never))
}

it('of a former member no more is served than counts, of a member all', async () => {
  const peers: Peers = new Map()
  await open(peers, BEN, await upTo(30), undefined, LEFT_AT_20)
  assert.equal(await rangeOf(peers, BEN), [20])
  await open(peers, BEN, await upTo(30), undefined, rollOf([ADA, BEN, CLEO, FAY], pinAt(20)))
  assert.equal(await rangeOf(peers, BEN), [30])
  await open(peers, BEN, await upTo(30))
  assert.equal(await rangeOf(peers, BEN), [30])
})

const fetch = (node: PeerNode, to: number) =>
  node.replicator.fetch({ type: 'replicate', author: ADA.member, peer: BEN.member, from: 0, to } as never, never)
const failureOf = ({ events }: PeerNode) =>
  events.flatMap((event) => (event.type === 'replication-failed' ? [[event.code, event.blame]] : []))

it('what a former member signed beyond its pin is not taken, and who gives it, of an older epoch, is not blamed', async () => {
  const peers: Peers = new Map()
  await open(peers, BEN, await upTo(30)) // has not heard of epoch 1
  const node = await open(peers, CLEO, new MemoryStore(), undefined, LEFT_AT_20)
  await fetch(node, 30)
  assert.equal(failureOf(node), [['range-ungoverned', false]])
  assert.is(node.logs.sizeOf(ADA.member).size, 0)
  await open(peers, BEN, await upTo(30), undefined, LEFT_AT_20)
  await fetch(node, 20)
  assert.equal([toldOf(node).at(-1), node.logs.sizeOf(ADA.member)], ['replicated 20', pinAt(20)])
})

it('a log that is not what the members pinned of it is found out as soon as it is stored as far as the pin', async () => {
  for (const roll of [LEFT_AT_20, rollOf([ADA, BEN, CLEO, FAY], pinAt(20))]) {
    const peers: Peers = new Map()
    await open(peers, BEN, await upTo(20, OTHER))
    const node = await open(peers, CLEO, await upTo(10, OTHER), undefined, roll)
    await fetch(node, 20)
    assert.equal(failureOf(node), [['pin-contradicted', false]])
    assert.not.ok(await node.logs.agrees(pinAt(20)))
    assert.ok(await node.logs.agrees(pinAt(24)), 'of what is not stored nothing is known')
    const before = await open(peers, DAN, await upTo(10), undefined, roll)
    await open(peers, BEN, await upTo(12))
    await fetch(before, 12)
    assert.equal(failureOf(before), [], 'shorter than the pin')
  }
})

it('a final head of an older epoch says nothing new and blames nobody; one that no epoch made final does', async () => {
  const stays = rollOf([ADA, BEN, CLEO, FAY], pinAt(20)) // 3 of 4 of these from 21 entries on
  const codes = async (signers: readonly SigningKey[], size: number, roll: Roll): Promise<string[]> => {
    const peers: Peers = new Map()
    handOver(peers, BEN, finalOf(headAt(size), signers))
    const node = await open(peers, CLEO, await upTo(30), undefined, roll)
    await node.replicator.askHeads(BEN.member, never)
    return node.events.flatMap((event) =>
      event.type === 'malformed-heard' ? event.code : event.type === 'final-kept' ? 'kept' : [],
    )
  }
  assert.equal(await codes([BEN, DAN, EVE], 24, stays), [], 'four of the five before, with ADA')
  assert.equal(await codes([BEN, DAN], 24, stays), ['final-unproven'])
  assert.equal(await codes([BEN, FAY], 24, stays), ['kept'])
  assert.equal(await codes([DAN, EVE, CLEO], 12, stays), ['kept'], 'within the pin the members before count')
  assert.equal(await codes([BEN, FAY], 12, stays), ['final-unproven'])
  assert.equal(await codes([], 20, stays), ['kept'], 'the pin itself: an epoch’s quorum has signed it')
  assert.equal(await codes([BEN, DAN, EVE], 24, LEFT_AT_20), [], 'of who left')
  assert.equal(await codes([BEN, CLEO, DAN, EVE], 12, LEFT_AT_20), ['kept'])
})

it('a peer that goes on to the next epoch while it answers is not blamed for what it tells of it', async () => {
  const told = async (begins: boolean): Promise<string[]> => {
    const peers: Peers = new Map()
    handOver(peers, BEN, finalOf(headAt(24), [BEN, FAY]))
    const roll = new Roll([{ number: 0, members: MEMBERS.toSorted(compareIds), pins: [] }])
    const { logs, witness, forks, events } = await open(peers, CLEO, await upTo(30), undefined, roll)
    let asked = 0
    const ask = async (): Promise<number> => {
      if (++asked === 2 && begins) roll.begin({ number: 1, members: keysOf([ADA, BEN, CLEO, FAY]), pins: [pinAt(20)] })
      return roll.number
    }
    const [tellFollowers, log, onStoreFailed] = [() => undefined, () => undefined, () => undefined]
    const feed = (event: NodeEvent) => void events.push(event)
    const parts = { logs, witness, forks, epochs: { ask }, feed, tellFollowers, log, onStoreFailed }
    await new Replicator(parts).askHeads(BEN.member, never)
    return events.flatMap((event) => (event.type === 'malformed-heard' ? event.code : []))
  }
  assert.equal([await told(true), await told(false)], [[], ['final-unproven']])
})

it('what makes a kept head final is its pin, the quorum that governs it, or one of an epoch before', () => {
  const stays = rollOf([ADA, BEN, CLEO, FAY], pinAt(20))
  const by = (size: number, signers: readonly SigningKey[], roll = stays) => {
    const signed = signers.map((key) => signCosignature(key, headAt(size).text, TIME_S))
    return roll.finalBy(pinAt(size), signed)?.map(({ witness }) => witness) ?? null
  }
  const members = (...keys: readonly SigningKey[]) => keys.map(({ member }) => member)
  assert.equal(by(20, []), [])
  assert.equal(by(24, [BEN, DAN, FAY]), members(BEN, FAY))
  assert.equal(by(24, [BEN, DAN, EVE]), members(BEN, DAN, EVE), 'before')
  assert.equal([by(24, [BEN, DAN]), by(12, [BEN, FAY, CLEO])], [null, null])
  assert.equal(by(12, [BEN, DAN, CLEO, FAY]), members(BEN, DAN, CLEO))
  assert.is(by(24, [BEN, CLEO, DAN, EVE], LEFT_AT_20), null, 'beyond the pin of who left nothing is')
})

it('cosignatures count where their witness is a member of the epoch that governs the size', () => {
  const roll = rollOf([ADA, BEN, CLEO, FAY], pinAt(20))
  const finality = new Finality(roll.governing)
  for (const witness of [DAN, EVE, BEN]) assert.not.ok(finality.noteCosigned(pinAt(24), witness.member))
  assert.equal(finality.signers(pinAt(24)), keysOf([ADA, BEN]), 'DAN and EVE have left')
  assert.ok(finality.noteCosigned(pinAt(24), FAY.member))
  const before = new Finality(roll.governing)
  for (const witness of [FAY, BEN, DAN]) assert.not.ok(before.noteCosigned(pinAt(12), witness.member))
  assert.ok(before.noteCosigned(pinAt(12), EVE.member), 'FAY was no member then')
})

it('signatures that were collected when an epoch begins count under it only where their signers stay', () => {
  const roll = new Roll([{ number: 0, members: MEMBERS.toSorted(compareIds), pins: [] }])
  const finality = new Finality(roll.governing)
  for (const witness of [DAN, EVE]) assert.not.ok(finality.noteCosigned(pinAt(24), witness.member))
  roll.begin({ number: 1, members: keysOf([ADA, BEN, CLEO, FAY]), pins: [pinAt(20)] })
  assert.not.ok(finality.noteCosigned(pinAt(24), BEN.member), 'four of five would have been enough')
  assert.ok(finality.noteCosigned(pinAt(24), CLEO.member))
})

it.run()
