/** The other history of a forked log: fetched from its fork point, proven under the other head, kept beside the log over restarts. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { serveRange } from '../../src/store/serveRange.ts'
import type { Commit } from '../ledger/fixtures.ts'
import {
  ADA,
  BEN,
  branch,
  CLEO,
  DAN,
  EVE,
  last,
  MEMBERS,
  never,
  open,
  type PeerNode,
  type Peers,
  type Spoil,
  storeWith,
} from './peerKit.ts'

const it = suite('branches')

const RANGE = '/consilium/range/1'
const LEAF = '/consilium/leaf/1'
const rawsOf = (commits: readonly Commit[]): string[] => commits.flatMap(({ raws }) => raws.map((raw) => toHex(raw)))
const hear = ({ logs }: PeerNode, { head }: Commit): void => void logs.readHead(head.note, null)

/** BEN holds `mine`; CLEO, who holds `theirs`, shows that they contradict each other. */
async function proven(mine: readonly Commit[], theirs: readonly Commit[], spoil?: Spoil, shown = last(theirs)) {
  const peers: Peers = new Map()
  const node = await open(peers, BEN, await storeWith(mine))
  await open(peers, CLEO, await storeWith(theirs), spoil)
  hear(node, shown)
  await node.forks.examine(ADA.member, CLEO.member, never)
  assert.ok(node.forks.known.has(ADA.member))
  return { peers, node }
}

/** The entries that are kept of the one branch, as bytes in hex. */
async function keptAt(node: PeerNode): Promise<string[]> {
  const [view] = node.forks.branches.view(ADA.member)
  if (view === undefined) return []
  const entries = await node.forks.branches.entries(ADA.member, view.root)
  assert.is(entries.length, view.entries)
  return entries.map(({ raw }) => toHex(raw))
}

const refusalOf = (work: Promise<unknown>): Promise<string | null> =>
  work.then(
    () => null,
    (error: unknown) => (error instanceof ConsiliumError ? `${error.code}, ${error.blame}` : String(error)),
  )

for (const [alike, here, there] of [
  [0, 5, 9],
  [1, 9, 5],
  [7, 40, 23],
  [21, 23, 40],
  [22, 40, 23],
  [255, 300, 257],
  [256, 257, 300],
  [600, 601, 1_700],
] as const)
  it(`alike up to ${alike}, ${here} entries here and ${there} there: the ${there - alike} others are kept, and the log stays as it is`, async () => {
    const [mine, theirs] = [branch('main', alike, [here]), branch('other', alike, [there - 1, there])]
    const { peers, node } = await proven(mine, theirs)
    await node.forks.branches.collect(CLEO.member, never)
    const expected = rawsOf(theirs).slice(alike)
    assert.ok((await keptAt(node)).join() === expected.join())
    const again = await open(peers, BEN, node.store.reopen())
    assert.ok((await keptAt(again)).join() === expected.join(), 'after a restart')
    for (const { forks } of [node, again]) {
      const [view] = forks.branches.view(ADA.member)
      assert.equal([view?.from, view?.entries, view?.complete], [alike, there - alike, true])
    }
    assert.equal((await again.store.entries(ADA.member, 0, 2_000)).map(toHex), rawsOf(mine))
    const before = again.asked.length
    await again.forks.branches.collect(CLEO.member, never)
    assert.is(again.asked.length, before, 'what is whole is not asked for again')
  })

const MINE = branch('main', 7, [12])
const THEIRS = branch('other', 7, [15, 20])

it('evidence that came by gossip alone, of two histories of which a part of one is here: both are kept', async () => {
  const peers: Peers = new Map()
  const { node: source } = await proven(MINE, THEIRS)
  const evidence = source.forks.known.get(ADA.member)?.evidence as Uint8Array
  const node = await open(peers, DAN, await storeWith(MINE.slice(0, 1)))
  await open(peers, BEN, await storeWith(MINE))
  await open(peers, CLEO, await storeWith(THEIRS))
  assert.is(await node.forks.hear(evidence), 'accept')
  for (const peer of [EVE, BEN, CLEO]) await node.forks.branches.collect(peer.member, never)
  const views = node.forks.branches.view(ADA.member)
  assert.equal(
    views.map(({ from, entries, complete }) => [from, entries, complete]),
    [
      [7, 5, true],
      [7, 13, true],
    ],
  )
})

it('where nobody holds the other history nothing happens and nobody is blamed; who comes later serves it', async () => {
  const { peers, node } = await proven(MINE, THEIRS)
  await open(peers, DAN, await storeWith(MINE))
  for (const peer of [DAN, EVE]) assert.is(await refusalOf(node.forks.branches.collect(peer.member, never)), null)
  assert.equal(node.forks.branches.view(ADA.member), [])
  await open(peers, EVE, await storeWith(THEIRS))
  await node.forks.branches.collect(EVE.member, never)
  assert.equal(await keptAt(node), rawsOf(THEIRS).slice(7))
})

it('it is asked for wherever heads are: with no turn of an operator, and by who examined', async () => {
  const { peers, node } = await proven(MINE, THEIRS)
  await node.replicator.askHeads(CLEO.member, never)
  assert.equal(await keptAt(node), rawsOf(THEIRS).slice(7))
  const other = await open(peers, BEN, await storeWith(MINE))
  hear(other, last(THEIRS))
  await other.replicator.examine({ author: ADA.member, peer: CLEO.member }, never)
  assert.equal(await keptAt(other), rawsOf(THEIRS).slice(7))
})

it('a peer that breaks off: what came is kept, and the next one, after a restart, gives the rest', async () => {
  const long = branch('other', 7, [1_100, 1_400])
  let frames = 0
  const { peers, node } = await proven(MINE, long, (protocol, frame) => {
    if (protocol === RANGE && ++frames > 1) throw new Error('the line broke')
    return frame
  })
  assert.is(await refusalOf(node.forks.branches.collect(CLEO.member, never)), 'Error: the line broke')
  const [view] = node.forks.branches.view(ADA.member)
  assert.equal([view?.from, view?.complete], [7, false])
  assert.ok((view?.entries ?? 0) > 0)
  const again = await open(peers, BEN, node.store.reopen())
  assert.equal(again.forks.branches.view(ADA.member), [view])
  await open(peers, EVE, await storeWith(branch('main', 7, [12, 1_500])))
  assert.is(
    await refusalOf(again.forks.branches.collect(EVE.member, never)),
    null,
    'who holds the history here is let be',
  )
  await open(peers, DAN, await storeWith(long))
  await again.forks.branches.collect(DAN.member, never)
  assert.equal(await keptAt(again), rawsOf(long).slice(7))
  assert.is(again.forks.branches.view(ADA.member)[0]?.complete, true)
})

/** Serves leaves of one history, and ranges of another that the author has signed too. */
async function swapping(range: readonly Commit[]): Promise<Spoil> {
  const { value } = await serveRange(await storeWith(range), { author: ADA.member, fromSize: 7 }).next()
  return (protocol, frame) => (protocol === RANGE ? (value as Uint8Array) : frame)
}

for (const { name, sizes } of [
  { name: 'up to before the head', sizes: [15] },
  { name: 'beyond the head', sizes: [30] },
])
  it(`a peer that gives a third history, signed by the author too, ${name}: it is blamed, and nothing of it is kept`, async () => {
    const { node } = await proven(MINE, THEIRS, await swapping(branch('third', 7, sizes)))
    assert.is(await refusalOf(node.forks.branches.collect(CLEO.member, never)), 'fork-unproven, reject')
    assert.equal(node.forks.branches.view(ADA.member), [])
    assert.equal(await node.store.listState('fork-branch/'), [])
    await node.replicator.askHeads(CLEO.member, never)
    assert.ok(node.events.some((event: NodeEvent) => event.type === 'malformed-heard' && event.from === CLEO.member))
  })

it('a peer that gives no leaf after it had given some is not taken for one that proved them', async () => {
  let leaves = 0
  const { node } = await proven(MINE, branch('other', 7, [1_100, 1_400]), (protocol, frame) =>
    protocol === LEAF && ++leaves > 10 ? encodeCbor([new Uint8Array(32), []]) : frame,
  )
  assert.is(await refusalOf(node.forks.branches.collect(CLEO.member, never)), 'fork-unproven, reject')
  assert.equal(node.forks.branches.view(ADA.member), [])
})

it('what lies beyond the head of the evidence is kept too, as far as its author signed it', async () => {
  const { node } = await proven(MINE, THEIRS, undefined, THEIRS[1] as Commit)
  assert.is(node.forks.known.get(ADA.member)?.heads[1].size, 15)
  await node.forks.branches.collect(CLEO.member, never)
  assert.equal(await keptAt(node), rawsOf(THEIRS).slice(7))
})

it('of a very long history the first entries are kept, and it is not asked for again', async () => {
  const commits = Math.ceil((LIMITS.branchEntriesMax + 1_500) / 200)
  const sizes = Array.from({ length: commits }, (_, i) => 207 + i * 200)
  const { node } = await proven(MINE, branch('other', 7, sizes))
  await node.forks.branches.collect(CLEO.member, never)
  const [view] = node.forks.branches.view(ADA.member)
  assert.ok(view !== undefined && view.entries <= LIMITS.branchEntriesMax && view.bytes <= LIMITS.branchBytesMax)
  assert.ok(view.entries > LIMITS.branchEntriesMax / 2)
  assert.is(view.complete, false)
  const before = node.asked.length
  await node.forks.branches.collect(CLEO.member, never)
  assert.is(node.asked.length, before)
})

it('a record that the disk has spoilt is dropped at a start with those after it, and fetched again', async () => {
  const long = branch('other', 7, [1_100, 1_400])
  const { peers, node } = await proven(MINE, long)
  await node.forks.branches.collect(CLEO.member, never)
  const records = await node.store.listState('fork-branch/')
  assert.ok(records.length >= 2)
  for (const at of [0, 1]) {
    const [key, frame] = records[at] as [string, Uint8Array]
    const store = node.store.reopen()
    await store.putState(new Map([[key, frame.with(500, (frame[500] as number) ^ 1)]]))
    const again = await open(peers, BEN, store)
    assert.ok(again.said.includes('branch-unreadable'))
    assert.is((await store.listState('fork-branch/')).length, at)
    await again.forks.branches.collect(CLEO.member, never)
    assert.equal(await keptAt(again), rawsOf(long).slice(7))
  }
})

it('a full disk keeps none, and nobody is blamed', async () => {
  const { node } = await proven(MINE, THEIRS)
  node.logs.requireRoom = async () => {
    throw new ConsiliumError({ code: 'disk-low', message: 'no room' })
  }
  assert.is(await refusalOf(node.forks.branches.collect(CLEO.member, never)), 'disk-low, undefined')
  assert.equal(await node.store.listState('fork-branch/'), [])
})

it('two peers at once: the branch is fetched by one of them', async () => {
  const { peers, node } = await proven(MINE, THEIRS)
  await open(peers, EVE, await storeWith(THEIRS))
  await Promise.all([CLEO, EVE].map(({ member }) => node.forks.branches.collect(member, never)))
  assert.is(node.asked.filter((protocol) => protocol === RANGE).length, 1)
  assert.equal(await keptAt(node), rawsOf(THEIRS).slice(7))
})

it('with no evidence nothing is asked', async () => {
  const node = await open(new Map(), BEN, new MemoryStore())
  for (const peer of MEMBERS) await node.forks.branches.collect(peer, never)
  assert.equal(node.asked, [])
})

it.run()
