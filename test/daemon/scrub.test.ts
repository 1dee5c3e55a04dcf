/** The scrub: what a disk lost of any log comes back from the other members, byte by byte; what nobody has ends the node. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { ConsiliumError } from '../../src/core/errors.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { Redactions } from '../../src/daemon/redactions.ts'
import { Scrub } from '../../src/daemon/scrub.ts'
import { readBody } from '../../src/governance/kinds.ts'
import { formatCosigned, signCosignature } from '../../src/ledger/cosignature.ts'
import { dropBody } from '../../src/ledger/entry.ts'
import { parseHead } from '../../src/ledger/head.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import { decodeRangeRequest } from '../../src/ledger/wire.ts'
import type { Draft } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { serveRange } from '../../src/store/serveRange.ts'
import type { Commit } from '../ledger/fixtures.ts'
import { batchOf, commitOf, draftOf, FOUNDING, keyOf, logOf, STUDY } from '../ledger/fixtures.ts'
import { KEEP } from './keepingKit.ts'

const it = suite('scrub')
const ADA = keyOf('ada')
const BEN = keyOf('ben')
const CLEO = keyOf('cleo')
const COUNTS = [100, 250, 200, 70]
const SIZE = 620
const LOGS = new Map([ADA, BEN].map((key) => [key.member, logOf(key, COUNTS)]))
const rawsOf = (author: MemberId) => (LOGS.get(author) as Commit[]).flatMap(({ raws }) => raws)
type Peer = AsyncIterable<Uint8Array> | ((request: Uint8Array) => AsyncIterable<Uint8Array>)

async function filled(logs: Iterable<readonly Commit[]> = LOGS.values()): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const commits of logs) for (const commit of commits) await store.append(batchOf(commit))
  return store
}

/** An honest member that serves what it has stored. */
const honest =
  (store: MemoryStore): Peer =>
  (request) =>
    serveRange(store, decodeRangeRequest(request))

/** Ada's node over `store`, connected to `peers`; `pass` scrubs once. */
class Scrubbing {
  readonly store: MemoryStore
  readonly peers: ReadonlyMap<MemberId, Peer>
  readonly asked: MemberId[] = []
  readonly blamed: string[] = []
  readonly distrusted: MemberId[] = []
  readonly recorded: Draft[] = []
  signs = true
  roll = rollOf([ADA.member, BEN.member, CLEO.member])

  constructor(store: MemoryStore, peers: ReadonlyMap<MemberId, Peer> = new Map()) {
    this.store = store
    this.peers = peers
  }

  /** One pass: the scrub, or what ended the node. */
  async pass(): Promise<{ scrub: Scrub; failure: ConsiliumError | null }> {
    const stop = new AbortController()
    const node = this
    const { store, peers } = this
    let failure: ConsiliumError | null = null
    const transport = {
      peers: () => [...peers.keys()].map((member) => ({ member, connected: true })),
      request: (peer: MemberId, _: string, request: Uint8Array) => {
        this.asked.push(peer)
        const serve = peers.get(peer) as Peer
        return typeof serve === 'function' ? serve(request) : serve
      },
    }
    let queued: [readonly Draft[], ReadonlyMap<string, Uint8Array | null>] = [[], new Map()]
    const writer = {
      record: (_: string, drafts: readonly Draft[], state: ReadonlyMap<string, Uint8Array | null>) => {
        queued = [drafts, state]
      },
      flush: async () => {
        this.recorded.push(...queued[0])
        await store.putState(queued[1])
      },
    }
    const daemon = {
      logs: {
        authors: () => [ADA.member, BEN.member],
        redactions: new Redactions({ self: ADA.member, store, retention: KEEP }),
        facts: { distrust: async (author: MemberId) => void this.distrusted.push(author) },
      },
      get writer() {
        return node.signs ? writer : null
      },
      nameOf: (member: MemberId) =>
        ({ [ADA.member]: 'ada', [BEN.member]: 'ben', [CLEO.member]: 'cleo' })[member] ?? '?',
    }
    const feed = (event: NodeEvent) => {
      if (event.type === 'malformed-heard') this.blamed.push(`${daemon.nameOf(event.from)} ${event.code}`)
    }
    const { roll } = this
    const log = (_: string, event: string) => {
      if (event === 'scrubbed') setImmediate(() => stop.abort())
    }
    const parts = { founding: FOUNDING, roll, store, transport: transport as never, daemon, feed, log }
    const scrub = new Scrub(
      parts,
      (error) => {
        failure = error as ConsiliumError
      },
      { firstMs: 0, againMs: 3_600_000, restMs: 0 },
    )
    await scrub.run(stop.signal)
    return { scrub, failure }
  }

  async checkWhole(): Promise<void> {
    for (const author of LOGS.keys())
      assert.equal((await this.store.entries(author, 0, SIZE)).map(toHex), rawsOf(author).map(toHex))
  }
}

const flipped = (raw: Uint8Array, at: number): Uint8Array => raw.map((byte, i) => (i === at ? byte ^ 4 : byte))

/** Lost or changed places of a log: their numbers, with what stands there. */
const INJURIES: readonly {
  name: string
  places: (raws: readonly Uint8Array[]) => [number, Uint8Array | undefined][]
}[] = [
  { name: 'the first entry is lost', places: () => [[0, undefined]] },
  { name: 'the last is lost', places: () => [[SIZE - 1, undefined]] },
  { name: 'the last is another', places: (raws) => [[SIZE - 1, raws[3]]] },
  { name: 'neighbours are lost', places: () => [250, 251, 252].map((seq) => [seq, undefined]) },
  { name: 'the edges of a slice are lost', places: () => [199, 200, 201, 401].map((seq) => [seq, undefined]) },
  { name: 'two of three are lost', places: () => [17, 19].map((seq) => [seq, undefined]) },
  { name: 'a bit is flipped', places: (raws) => [[300, flipped(raws[300] as Uint8Array, 60)]] },
  {
    name: 'the bits of a body are',
    places: (raws) => [[301, flipped(raws[301] as Uint8Array, (raws[301] as Uint8Array).length - 3)]],
  },
  {
    name: 'two entries have changed places',
    places: (raws) => [
      [44, raws[45]],
      [45, raws[44]],
    ],
  },
  {
    name: 'entries of another history of the same key stand there',
    places: () => {
      const other = logOf(BEN, COUNTS, 'other').flatMap(({ raws }) => raws)
      return [400, 402].map((seq) => [seq, other[seq]])
    },
  },
  { name: 'all is lost but the end', places: () => Array.from({ length: SIZE - 1 }, (_, seq) => [seq, undefined]) },
]

for (const { name, places } of INJURIES) {
  it(`${name}: it comes back from a member as it was, in an own log and in another's`, async () => {
    for (const author of LOGS.keys()) {
      const store = await filled()
      for (const [seq, raw] of places(rawsOf(author))) store.spoil(author, seq, raw)
      const node = new Scrubbing(store, new Map([[CLEO.member, honest(await filled())]]))
      const { scrub, failure } = await node.pass()
      assert.is(failure, null, failure?.message)
      await node.checkWhole()
      assert.equal(node.blamed, [])
      assert.is(scrub.last?.repaired, places(rawsOf(author)).length)
      assert.is(scrub.last?.entries, 2 * SIZE)
    }
  })
}

it('nodes of the tree that were lost or changed are made anew from the entries, with nobody to ask', async () => {
  const store = await filled()
  store.spoilNode(BEN.member, 1, 0, undefined)
  store.spoilNode(BEN.member, 1, 1, new Uint8Array(32))
  const before = await (await filled()).nodes(BEN.member, 1, 0, 2)
  const { scrub, failure } = await new Scrubbing(store).pass()
  assert.is(failure, null)
  assert.equal((await store.nodes(BEN.member, 1, 0, 2)).map(toHex), before.map(toHex))
  assert.equal(
    scrub.last?.repairs.map(({ author, from, entries, nodes }) => [author, from, entries, nodes]),
    [
      [BEN.member, 255, 0, 1],
      [BEN.member, 511, 0, 1],
    ],
  )
})

it('one that gives what is wrong is blamed, one that has less is not, and the next is asked', async () => {
  const store = await filled()
  store.spoil(BEN.member, 300, undefined)
  const less = await filled([(LOGS.get(BEN.member) as Commit[]).slice(0, 1)])
  const good = await filled()
  const lying = async function* (request: Uint8Array) {
    for await (const frame of serveRange(good, decodeRangeRequest(request))) yield flipped(frame, frame.length - 700)
  }
  const [DORA, EVE] = [keyOf('dora').member, keyOf('eve').member]
  const node = new Scrubbing(
    store,
    new Map<MemberId, Peer>([
      [CLEO.member, lying],
      [DORA, honest(less)],
      [EVE, honest(good)],
    ]),
  )
  const { failure } = await node.pass()
  assert.is(failure, null)
  assert.equal(node.asked, [CLEO.member, DORA, EVE])
  assert.is(node.blamed.length, 1)
  assert.match(node.blamed[0] ?? '', /^cleo /)
  await node.checkWhole()
})

it('the other history of a key that signed two is not taken, and who holds it is not blamed', async () => {
  const store = await filled()
  store.spoil(BEN.member, 300, undefined)
  const common = logOf(BEN, [100, 199])
  const late = [...common, commitOf(BEN, (common[1] as Commit).tip, 200, 'other')] // it parts where the damage begins
  for (const fork of [logOf(BEN, COUNTS, 'other'), late]) {
    const node = new Scrubbing(store, new Map([[CLEO.member, honest(await filled([fork]))]]))
    const { failure } = await node.pass()
    assert.is(failure?.code, 'database-corrupt')
    assert.equal(node.blamed, [])
  }
  assert.is((await store.entries(BEN.member, 0, SIZE)).length, 300)
})

it('an entry without its body is taken where bodies may go, and refused where it decides', async () => {
  const decides = { ...draftOf(0, {}), kind: 'study.accepted', study: STUDY }
  for (const [bare, taken] of [
    [draftOf(3), true],
    [decides, false],
  ] as const) {
    const first = commitOf(BEN, (logOf(BEN, [3])[0] as Commit).tip, 2, 'main', [bare, draftOf(4)])
    const commits = [logOf(BEN, [3])[0] as Commit, first]
    const store = await filled([commits])
    const peer = await filled([commits])
    peer.spoil(BEN.member, 3, dropBody(first.raws[0] as Uint8Array))
    store.spoil(BEN.member, 3, undefined)
    const node = new Scrubbing(store, new Map([[CLEO.member, honest(peer)]]))
    const { failure } = await node.pass()
    assert.is(failure?.code, taken ? undefined : 'database-corrupt')
    assert.equal(node.blamed, taken ? [] : ['cleo range-bodiless'])
  }
})

it('where nobody can give it back the node ends, says who was asked and what to do, and no start trusts the bookmark', async () => {
  for (const [peers, says] of [
    [
      new Map([[CLEO.member, honest(new MemoryStore())]]),
      /log of ben .*entries 299 to 300 are missing.*asked .*\(cleo\): .*move database\//,
    ],
    [new Map(), /no member is connected/],
  ] as const) {
    const store = await filled()
    store.spoil(BEN.member, 300, undefined)
    const node = new Scrubbing(store, peers)
    const { scrub, failure } = await node.pass()
    assert.is(failure?.code, 'database-corrupt')
    assert.match(failure?.message ?? '', says)
    assert.equal(node.distrusted, [BEN.member])
    assert.is(scrub.last, null)
    assert.equal(node.recorded, [])
  }
})

it('a spoilt final head, one of other entries, and a spoilt record of what was cosigned end the node', async () => {
  const head = (LOGS.get(BEN.member) as Commit[])[3]?.head as Commit['head']
  const sign = (text: string) => [ADA, CLEO].map((key) => signCosignature(key, text, 1_790_000_000))
  const note = formatCosigned(parseHead(head.note, FOUNDING), sign(head.text))
  const other = logOf(BEN, COUNTS, 'other')[3]?.head as Commit['head']
  for (const [kept, says] of [
    [note, null],
    [flipped(note, note.length - 20), /final head/],
    [formatCosigned(parseHead(head.note, FOUNDING), sign(head.text).slice(0, 0)), /quorum/],
    [formatCosigned(parseHead(other.note, FOUNDING), sign(other.text)), /not of the entries stored here/],
  ] as const) {
    const store = await filled()
    await store.putFinal(BEN.member, { size: SIZE, note: kept, timeS: 1_790_000_000 })
    const { failure } = await new Scrubbing(store).pass()
    if (says === null) assert.is(failure, null, failure?.message)
    else assert.match(failure?.message ?? 'nothing', says)
  }
})

it('a head that was final before the members changed is no damage, where its author has not had it signed anew', async () => {
  const { head } = (LOGS.get(BEN.member) as Commit[]).at(-1) as Commit
  const pin = { author: BEN.member, size: 10, root: toHex(head.root) as Digest } // what became final after it was pinned counts anew
  for (const [signers, says] of [
    [[ADA, CLEO], null],
    [[ADA, keyOf('dan')], null],
    [[ADA], /quorum/],
    [[CLEO, keyOf('dan')], /quorum/],
  ] as const) {
    const signed = signers.map((key) => signCosignature(key, head.text, 1_790_000_000))
    const store = await filled()
    const note = formatCosigned(parseHead(head.note, FOUNDING), signed)
    await store.putFinal(BEN.member, { size: SIZE, note, timeS: 1_790_000_000 })
    const node = new Scrubbing(store)
    node.roll.begin({ number: 1, members: [ADA, BEN, keyOf('dan')].map(({ member }) => member), pins: [pin] })
    const { failure } = await node.pass()
    if (says === null) assert.is(failure, null, failure?.message)
    else assert.match(failure?.message ?? 'nothing', says)
  }
})

it('the own log is told of a scrub once a week, and of a repair at the end of its day; the last is known after a restart', async () => {
  const real = Date.now
  try {
    const store = await filled()
    const node = new Scrubbing(store, new Map([[CLEO.member, honest(await filled())]]))
    const dayOf = async (day: number, spoilt: readonly number[] = []): Promise<unknown[]> => {
      Date.now = () => 1_790_000_000_000 + day * 86_400_000
      for (const seq of spoilt) store.spoil(BEN.member, seq, undefined)
      const { scrub, failure } = await node.pass()
      assert.is(failure, null)
      assert.is(scrub.last?.repaired, spoilt.length)
      return node.recorded.splice(0).map(({ kind, body }) => {
        assert.is(kind, 'operator.scrubbed')
        const { entries, repaired } = readBody('operator.scrubbed', body) ?? {}
        return [entries, repaired]
      })
    }
    node.signs = false
    assert.equal(await dayOf(0, [5]), [], 'it may not sign yet')
    node.signs = true
    assert.equal(await dayOf(0.1), [[2 * SIZE, 1]])
    assert.equal(await dayOf(0.5, [7, 9]), [])
    assert.equal(await dayOf(0.6, [8]), [], 'at most once a day')
    assert.equal(await dayOf(1.2), [[2 * SIZE, 3]])
    for (const day of [2.2, 4, 8.1]) assert.equal(await dayOf(day), [])
    assert.equal(await dayOf(8.3), [[2 * SIZE, 0]])
  } finally {
    Date.now = real
  }
})

it.run()
