/** Conflicting heads of different sizes: found by asking for leaves, kept before anything else, told once, and blamed on who lied. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes, toHex } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Forks } from '../../src/daemon/forks.ts'
import { Logs } from '../../src/daemon/logs.ts'
import { encodeFork, encodeForkAt, openFork } from '../../src/ledger/fork.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import { decodeWitnessMessage } from '../../src/ledger/witnessWire.ts'
import type { RequestHandler, Transport } from '../../src/net/transport.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { TreeReader } from '../../src/store/treeReader.ts'
import { batchOf, type Commit, commitOf, FOUNDING, keyOf, logOf } from '../ledger/fixtures.ts'
import { golden } from '../ledger/goldenFile.ts'

const it = suite('forks')

const [ADA, BEN, CLEO] = ['ada', 'ben', 'cleo'].map(keyOf) as [
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
]
const MEMBERS = [ADA.member, BEN.member, CLEO.member]
const ROOM = { require: async () => undefined }
const LEAF = '/consilium/leaf/1'
const never = new AbortController().signal

/** A log of ADA whose first `alike` entries are those of every branch; commits end at `sizes`. */
function branch(label: string, alike: number, sizes: readonly number[]): Commit[] {
  const commits = alike > 0 ? logOf(ADA, [alike]) : []
  for (const size of sizes) {
    const before = commits.at(-1)?.tip ?? {
      author: ADA.member,
      size: 0,
      lastHash: new Uint8Array(32),
      frontier: [],
      lamport: 0,
    }
    commits.push(commitOf(ADA, before, size - before.size, label))
  }
  return commits
}

type Peers = Map<MemberId, Map<string, RequestHandler>>
type Spoil = (answer: Uint8Array) => Uint8Array | null

interface Node {
  readonly forks: Forks
  readonly logs: Logs
  readonly store: MemoryStore
  readonly events: NodeEvent[]
  readonly published: Uint8Array[]
  /** Requests for leaves that it made. */
  asked: number
}

/** One member with `commits` of ADA's log; what it answers goes through `spoil`. */
async function nodeOf(peers: Peers, self: MemberId, commits: readonly Commit[], spoil: Spoil = (same) => same) {
  const store = new MemoryStore()
  for (const commit of commits) await store.append(batchOf(commit))
  return open(peers, self, store, spoil)
}

async function open(peers: Peers, self: MemberId, store: MemoryStore, spoil: Spoil = (same) => same): Promise<Node> {
  const handlers = new Map<string, RequestHandler>()
  peers.set(self, handlers)
  const [events, published]: [NodeEvent[], Uint8Array[]] = [[], []]
  const transport = {
    handle: async (protocol: string, handler: RequestHandler) => {
      handlers.set(protocol, async function* (from, request, signal) {
        for await (const frame of handler(from, request, signal)) {
          const given = spoil(frame)
          if (given !== null) yield given
        }
      })
    },
    async *request(peer: MemberId, protocol: string, request: Uint8Array) {
      if (protocol === LEAF) node.asked++
      const handler = peers.get(peer)?.get(protocol)
      if (handler !== undefined) yield* handler(self, request, never)
    },
  } as unknown as Transport
  const logs = new Logs({ self, founding: FOUNDING, roll: rollOf(MEMBERS), store, transport, room: ROOM })
  await logs.load()
  const forks = new Forks({
    ...{ founding: FOUNDING, roll: rollOf(MEMBERS), store, transport, logs, log: () => undefined },
    feed: (event) => events.push(event),
    publish: (message) => published.push(message),
  })
  await forks.load()
  const node: Node = { forks, logs, store, events, published, asked: 0 }
  return node
}

const hear = (node: Node, { head }: Commit): void => assert.ok(node.logs.readHead(head.note, null).signatureValid)
const last = (commits: readonly Commit[]): Commit => commits.at(-1) as Commit

async function refusalOf(work: Promise<unknown>): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    if (!(error instanceof ConsiliumError)) throw error
    return `${error.code}, ${error.blame}`
  }
}

for (const [alike, here, there] of [
  [0, 5, 9],
  [1, 5, 9],
  [4, 5, 9],
  [7, 40, 23],
  [21, 23, 40],
  [22, 40, 23],
  [200, 300, 257],
  [256, 257, 300],
] as const)
  it(`two branches alike up to ${alike}, ${here} entries here and ${there} there: the first place where they differ is proven`, async () => {
    const peers: Peers = new Map()
    const [mine, theirs] = [branch('main', alike, [here]), branch('other', alike, [there])]
    const node = await nodeOf(peers, BEN.member, mine)
    await nodeOf(peers, CLEO.member, theirs)
    hear(node, last(theirs))
    await node.forks.examine(ADA.member, CLEO.member, never)
    const kept = openFork((await node.store.forkEvidence(ADA.member)) as Uint8Array, FOUNDING)
    assert.equal([kept.author, kept.differWithin], [ADA.member, alike + 1])
    assert.equal(
      kept.heads.map(({ size }) => size),
      [here, there].sort((a, b) => a - b),
    )
    assert.ok(node.asked <= 2 + Math.ceil(Math.log2(Math.min(here, there))), `${node.asked} leaves were asked for`)
    assert.equal(node.events, [{ type: 'fork-proven', author: ADA.member, size: alike + 1 }])
    assert.equal(node.logs.forked(), [ADA.member])
    assert.is(node.published.length, 1)
    assert.equal(decodeWitnessMessage(node.published[0] as Uint8Array, BEN.member), {
      type: 'evidence',
      evidence: kept.evidence,
    })
  })

const MINE = branch('main', 7, [12])
const THEIRS = branch('other', 7, [20])

it('evidence is kept and told once, whichever ways it is found, and is known after a restart', async () => {
  const peers: Peers = new Map()
  const node = await nodeOf(peers, BEN.member, MINE)
  await nodeOf(peers, CLEO.member, THEIRS)
  hear(node, last(THEIRS))
  const [one, other] = [branch('third', 3, [5]), branch('fourth', 3, [5])]
  const heard = encodeFork(last(one).head.note, last(other).head.note)
  const verdicts = await Promise.all([
    node.forks.examine(ADA.member, CLEO.member, never),
    node.forks.examine(ADA.member, CLEO.member, never),
    node.forks.hear(heard),
    node.forks.hear(heard),
  ])
  assert.equal(verdicts, [undefined, undefined, 'accept', 'ignore'])
  assert.equal([node.events.length, node.published.length], [1, 1])
  await node.forks.examine(ADA.member, CLEO.member, never)
  assert.equal([node.events.length, node.published.length], [1, 1])
  const again = await open(peers, BEN.member, node.store.reopen())
  assert.equal([...again.forks.known.keys()], [ADA.member])
  assert.ok(equalBytes(again.forks.known.get(ADA.member)?.evidence as Uint8Array, heard))
  assert.is(await again.forks.hear(heard), 'ignore')
  assert.equal(again.published, [])
  const third = await nodeOf(peers, CLEO.member, [])
  await third.forks.ask(BEN.member, never)
  assert.equal([...third.forks.known.keys()], [ADA.member], 'who asks is told')
})

it('evidence that cannot be kept is not told, and may come again', async () => {
  const peers: Peers = new Map()
  const before = () => {
    throw new ConsiliumError({ code: 'ledger-io', message: 'the disk failed' })
  }
  const contents = new MemoryStore()
  const node = await open(peers, BEN.member, contents.reopen({ before }))
  const [one, other] = [branch('third', 3, [5]), branch('fourth', 3, [5])]
  const heard = encodeFork(last(one).head.note, last(other).head.note)
  assert.is(await refusalOf(node.forks.hear(heard)), 'ledger-io, undefined')
  assert.equal([node.events, node.published, [...node.forks.known], node.logs.forked()], [[], [], [], []])
  const again = await open(peers, BEN.member, contents.reopen())
  assert.is(await again.forks.hear(heard), 'accept')
})

it('a peer that only has more of the same history is not taken for a fork, but sent something false before', async () => {
  const peers: Peers = new Map()
  const longer = branch('main', 7, [12, 20])
  const node = await nodeOf(peers, BEN.member, longer.slice(0, 2))
  await nodeOf(peers, CLEO.member, longer)
  hear(node, last(longer))
  assert.is(await refusalOf(node.forks.examine(ADA.member, CLEO.member, never)), 'fork-unproven, reject')
  assert.equal([node.events, node.published, await node.store.forkEvidence(ADA.member)], [[], [], undefined])
})

it('where nothing contradicts what is here nobody is asked and nobody is blamed', async () => {
  const peers: Peers = new Map()
  const node = await nodeOf(peers, BEN.member, branch('main', 7, [12, 20]))
  hear(node, MINE[1] as Commit) // an older head of the same history
  await node.forks.examine(ADA.member, CLEO.member, never)
  const empty = await nodeOf(peers, BEN.member, [])
  hear(empty, last(MINE))
  await empty.forks.examine(ADA.member, CLEO.member, never)
  assert.equal([node.asked, empty.asked], [0, 0])
})

it('heads that a liar signs beside its branches, of sizes that nobody has, hide nothing', async () => {
  const peers: Peers = new Map()
  const node = await nodeOf(peers, BEN.member, MINE)
  await nodeOf(peers, CLEO.member, THEIRS)
  hear(node, last(THEIRS))
  for (const size of [60, 90]) hear(node, last(branch('nowhere', 0, [size])))
  await node.forks.examine(ADA.member, CLEO.member, never)
  assert.is(openFork((await node.store.forkEvidence(ADA.member)) as Uint8Array, FOUNDING).differWithin, 8)
})

it('a peer that holds the other branch is not blamed for a head of ours that it has not', async () => {
  const peers: Peers = new Map()
  const longer = branch('main', 7, [12, 18])
  const node = await nodeOf(peers, BEN.member, MINE)
  await nodeOf(peers, CLEO.member, branch('other', 7, [15, 25]))
  hear(node, last(longer)) // of the branch here, and of a size that the peer has entries for
  await node.forks.examine(ADA.member, CLEO.member, never)
  assert.equal(node.events, [])
})

const leafOf = (answer: Uint8Array): [Uint8Array, Uint8Array[]] =>
  decodeCbor(answer, 10_000) as [Uint8Array, Uint8Array[]]
for (const [name, spoil] of Object.entries<Spoil>({
  'another leaf': (answer) => encodeCbor([leafOf(answer)[0].map((byte) => byte ^ 1), leafOf(answer)[1]]),
  'another path': (answer) => encodeCbor([leafOf(answer)[0], leafOf(answer)[1].slice(1)]),
  'a path that is no hashes': (answer) => encodeCbor([leafOf(answer)[0], [...leafOf(answer)[1], 7]]),
  'a leaf that is text': (answer) => encodeCbor(['leaf', leafOf(answer)[1]]),
  'no list': () => encodeCbor(7),
  'three items': (answer) => encodeCbor([...(leafOf(answer) as Cbor[]), 1]),
}))
  it(`a peer that serves ${name} is blamed, and the author is not`, async () => {
    const peers: Peers = new Map()
    const node = await nodeOf(peers, BEN.member, MINE)
    await nodeOf(peers, CLEO.member, THEIRS, spoil)
    hear(node, last(THEIRS))
    assert.is(await refusalOf(node.forks.examine(ADA.member, CLEO.member, never)), 'fork-unproven, reject')
    assert.equal([node.events, node.published, node.logs.forked()], [[], [], []])
  })

it('a peer that gives no leaf at all is neither believed nor blamed', async () => {
  const peers: Peers = new Map()
  const node = await nodeOf(peers, BEN.member, MINE)
  await nodeOf(peers, CLEO.member, THEIRS, () => null)
  hear(node, last(THEIRS))
  await node.forks.examine(ADA.member, CLEO.member, never)
  assert.equal(node.events, [])
})

it('leaves are served of what is stored, and only where they are asked for by whole numbers', async () => {
  const peers: Peers = new Map()
  const { head } = last(MINE)
  await nodeOf(peers, CLEO.member, MINE)
  const ask = async (request: Cbor): Promise<number | string | null> => {
    let count = 0
    const handler = peers.get(CLEO.member)?.get(LEAF) as RequestHandler
    const drain = async () => {
      for await (const _ of handler(BEN.member, encodeCbor(request), never)) count++
    }
    return (await refusalOf(drain())) ?? count
  }
  const author = Buffer.from(ADA.member, 'hex')
  const key = new Uint8Array(author)
  assert.is(await ask([key, 11, 12, head.root]), 1)
  assert.is(await ask([key, 12, 12, head.root]), 0)
  assert.is(await ask([key, 3, 13, head.root]), 0)
  assert.is(await ask([key, 3, 12, last(THEIRS).head.root]), 0, 'under another branch')
  assert.is(await ask([new Uint8Array(32), 3, 12, head.root]), 0)
  for (const bad of [[key, 0.5, 12, head.root], [key, 3, 11.5, head.root], [key, -1, 12, head.root], [key, 3, 12], 4])
    assert.is(await ask(bad), 'fork-unproven, reject')
})

it('evidence against a stranger, or none at all, is refused', async () => {
  const node = await nodeOf(new Map(), BEN.member, [])
  const stranger = keyOf('stranger')
  const [one, other] = ['main', 'other'].map((label) => last(logOf(stranger, [4], label)).head.note)
  assert.is(
    await refusalOf(node.forks.hear(encodeFork(one as Uint8Array, other as Uint8Array))),
    'fork-unproven, reject',
  )
  const { note } = last(MINE).head
  assert.is(await refusalOf(node.forks.hear(encodeFork(note, note))), 'fork-unproven, reject')
})

/** Evidence of unequal sizes, made from two stores. */
async function evidenceOf(): Promise<Uint8Array> {
  const side = async (commits: readonly Commit[]) => {
    const store = new MemoryStore()
    for (const commit of commits) await store.append(batchOf(commit))
    const tree = new TreeReader(store, ADA.member)
    const { head } = last(commits)
    return { head, leaf: await tree.leaf(7), path: await tree.inclusion(7, head.size) }
  }
  return encodeForkAt(7, await side(MINE), await side(THEIRS))
}

it('evidence of different sizes is ledger-v1-fork-at.cbor, byte for byte, and each of its parts is needed', async () => {
  const made = await evidenceOf()
  const kept = golden('ledger-v1-fork-at.cbor', made)
  assert.is(toHex(made), toHex(kept))
  const fork = openFork(kept, FOUNDING)
  assert.equal([fork.author, fork.differWithin, ...fork.heads.map(({ size }) => size)], [ADA.member, 8, 12, 20])
  const items = decodeCbor(kept, 10_000) as Cbor[]
  const opened = (changed: Cbor[]): string | null => {
    try {
      openFork(encodeCbor(changed), FOUNDING)
      return null
    } catch (error) {
      return (error as ConsiliumError).code
    }
  }
  const [smaller, larger, index, leaf, path, otherLeaf, otherPath] = items as [Cbor, Cbor, Cbor, Cbor, Cbor, Cbor, Cbor]
  assert.is(opened(items), null)
  for (const changed of [
    [larger, smaller, index, otherLeaf, otherPath, leaf, path],
    [smaller, larger, 6, leaf, path, otherLeaf, otherPath],
    [smaller, larger, 7.5, leaf, path, otherLeaf, otherPath],
    [smaller, larger, index, otherLeaf, path, leaf, otherPath],
    [smaller, larger, index, leaf, otherPath, otherLeaf, path],
    [smaller, larger, index, leaf, path, leaf, path],
    [smaller, larger, index, leaf, path, otherLeaf, []],
  ])
    assert.is(opened(changed), 'fork-unproven')
  assert.is(opened(items.slice(0, 6)), 'fork-malformed')
})

it.run()
