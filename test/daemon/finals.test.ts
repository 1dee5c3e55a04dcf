/** Final heads that contradict what is stored: none of them is kept as final, and each becomes an alarm, with evidence where a member has it. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LogSize } from '../../src/node/events.ts'
import {
  ADA,
  BEN,
  branch,
  CLEO,
  DAN,
  EVE,
  finalOf,
  handOver,
  last,
  never,
  open,
  type Peers,
  sizeOf,
  statementOf,
  storeWith,
  toldOf,
} from './peerKit.ts'

const it = suite('finals')

const MAIN = branch('main', 7, [12, 16])
const THEIRS = branch('other', 7, [12])
const QUORUM = [CLEO, DAN, EVE]
const OTHER = last(THEIRS).head
const MIDDLE = last(branch('other', 7, [14])).head
const NEWEST = last(MAIN).head

it('a final head of a size that is stored, with another root: two notes prove it, and it is not final', async () => {
  const peers: Peers = new Map()
  const node = await open(peers, BEN, await storeWith(MAIN))
  handOver(peers, CLEO, finalOf(OTHER, QUORUM))
  await node.replicator.askHeads(CLEO.member, never)
  assert.equal(toldOf(node), ['heads-told', 'head-heard 12', 'fork-proven'])
  assert.is(node.forks.known.get(ADA.member)?.differWithin, 12)
  assert.equal([node.witness.finals(), await node.store.final(ADA.member)], [[], undefined])
})

it('one of a size that no commit here has: who hands it over shows by its leaves where the histories part', async () => {
  const peers: Peers = new Map()
  const node = await open(peers, BEN, await storeWith(MAIN))
  await open(peers, CLEO, await storeWith(branch('other', 7, [14])))
  handOver(peers, CLEO, finalOf(MIDDLE, QUORUM))
  await node.replicator.askHeads(CLEO.member, never)
  const fork = node.forks.known.get(ADA.member)
  assert.equal([fork?.differWithin, fork?.heads.map(({ size }) => size)], [8, [14, 16]])
  assert.ok(!toldOf(node).includes('final-kept 14'))
  assert.is(await node.store.final(ADA.member), undefined)
})

it('while nobody shows evidence it is an alarm all the same, over a restart, and nothing of that log is cosigned', async () => {
  const peers: Peers = new Map()
  const node = await open(peers, BEN, await storeWith(MAIN))
  handOver(peers, CLEO, finalOf(MIDDLE, QUORUM))
  await node.replicator.askHeads(CLEO.member, never)
  assert.equal(toldOf(node), ['heads-told', 'head-heard 14'])
  assert.equal(node.said, ['final-contradicts-log'])
  const again = await open(peers, BEN, node.store.reopen())
  assert.equal([...again.witness.kept.contradicting.keys()], [ADA.member])
  assert.is(await again.witness.cosign(sizeOf(NEWEST)), 'frozen')
  await again.replicator.askHeads(DAN.member, never)
  assert.is(again.forks.known.size, 0, 'Dan holds nothing')
  await open(peers, EVE, await storeWith(branch('other', 7, [14])))
  await again.replicator.askHeads(EVE.member, never)
  assert.is(again.forks.known.get(ADA.member)?.differWithin, 8)
})

it('a final head that was kept before its entries came: other entries make it an alarm, and what agreed before is final again', async () => {
  const peers: Peers = new Map()
  const stored = MAIN.slice(0, 1)
  const node = await open(peers, BEN, await storeWith(stored))
  const agreed = sizeOf(last(stored).head)
  handOver(peers, CLEO, finalOf(last(stored).head, QUORUM))
  await node.replicator.askHeads(CLEO.member, never)
  handOver(peers, CLEO, finalOf(MIDDLE, QUORUM))
  await node.replicator.askHeads(CLEO.member, never)
  assert.equal(toldOf(node), [
    ...['heads-told', 'head-heard 7', 'final-kept 7'],
    ...['heads-told', 'head-heard 14', 'final-kept 14'],
  ])
  await open(peers, DAN, await storeWith(MAIN))
  const range = { type: 'replicate', author: ADA.member, peer: DAN.member, from: 7, to: 16 } as const
  await node.replicator.fetch(range, never)
  const refused = node.events.find((event) => event.type === 'final-refused')
  assert.equal(refused, { type: 'final-refused', log: sizeOf(MIDDLE), kept: agreed })
  const again = await open(peers, BEN, node.store.reopen())
  for (const one of [node, again]) assert.equal(one.witness.finals(), [agreed])
  await open(peers, EVE, await storeWith(branch('other', 7, [14])))
  await again.replicator.askHeads(EVE.member, never)
  assert.is(again.forks.known.get(ADA.member)?.differWithin, 8)
})

it('a quorum heard here under a head that contradicts what is stored makes nothing final, and the machine hears of it', async () => {
  const node = await open(new Map(), BEN, await storeWith(MAIN))
  node.witness.asked(sizeOf(MIDDLE), MIDDLE.note)
  node.witness.hear([CLEO, DAN, EVE].map((key) => statementOf(key, MIDDLE)))
  await node.replicator.keepFinal(sizeOf(MIDDLE))
  assert.equal(node.events, [{ type: 'final-refused', log: sizeOf(MIDDLE), kept: null }])
  assert.equal([node.witness.finals(), await node.store.final(ADA.member)], [[], undefined])
  assert.equal([...node.witness.kept.contradicting.keys()], [ADA.member])
})

it('two final heads of one size, of which no entry is here, are evidence too, with a restart between them', async () => {
  const peers: Peers = new Map()
  const first = await open(peers, BEN)
  handOver(peers, CLEO, finalOf(OTHER, QUORUM))
  await first.replicator.askHeads(CLEO.member, never)
  const node = await open(peers, BEN, first.store.reopen())
  handOver(peers, CLEO, finalOf((MAIN[1] as (typeof MAIN)[0]).head, QUORUM))
  await node.replicator.askHeads(CLEO.member, never)
  assert.is(node.forks.known.get(ADA.member)?.differWithin, 12)
  assert.equal(node.witness.finals(), [sizeOf(OTHER)], 'of the two the first')
})

it('honest final heads, inside a commit, at its end and beyond what is stored, raise nothing', async () => {
  const peers: Peers = new Map()
  const node = await open(peers, BEN, await storeWith(branch('main', 7, [16])))
  const inside = last(branch('main', 7, [12])).head
  const finals: LogSize[] = []
  for (const head of [inside, NEWEST, last(branch('main', 7, [16, 20])).head]) {
    handOver(peers, CLEO, finalOf(head, QUORUM))
    await node.replicator.askHeads(CLEO.member, never)
    finals.push(...node.witness.finals())
  }
  assert.equal(
    finals.map(({ size }) => size),
    [12, 16, 20],
  )
  assert.equal([node.said, node.forks.known.size, node.witness.kept.contradicting.size], [[], 0, 0])
  assert.ok(toldOf(node).every((told) => !told.startsWith('final-refused')))
  handOver(peers, CLEO, finalOf(inside, QUORUM))
  await node.replicator.askHeads(CLEO.member, never)
  assert.is(node.witness.kept.contradicting.size, 0, 'an old one that agrees says nothing new')
})

it.run()
