/** The logs that a node holds: evidence of a fork, whichever side of it was stored or only heard. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes } from '../../src/core/bytes.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Digest } from '../../src/core/ids.ts'
import { Forks } from '../../src/daemon/forks.ts'
import { type Fetched, Logs } from '../../src/daemon/logs.ts'
import type { Fact } from '../../src/governance/studies.ts'
import { openFork } from '../../src/ledger/fork.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import { encodeFrame } from '../../src/ledger/wire.ts'
import type { Transport } from '../../src/net/transport.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { batchOf, FOUNDING, keyOf, logOf } from '../ledger/fixtures.ts'

const it = suite('logs')
const ADA = keyOf('ada')
const BEN = keyOf('ben')
const ROOM = { require: async () => undefined }
const MAIN = logOf(ADA, [2, 3, 4])
const OTHER = logOf(ADA, [2, 3, 4], 'other')

async function logsWith(commits: number): Promise<{ logs: Logs; store: MemoryStore; forks: Forks }> {
  const store = new MemoryStore()
  for (const commit of MAIN.slice(0, commits)) await store.append(batchOf(commit))
  const transport = null as unknown as Transport
  const logs = new Logs({
    self: BEN.member,
    founding: FOUNDING,
    roll: rollOf([ADA.member]),
    store,
    transport,
    room: ROOM,
  })
  await logs.load()
  const forks = new Forks({
    ...{ founding: FOUNDING, roll: rollOf([ADA.member]), store, transport, logs, log: () => undefined },
    ...{ feed: () => undefined, publish: () => undefined },
  })
  return { logs, store, forks }
}

for (const { name, stored, hear } of [
  { name: 'the newest stored head and one heard', stored: 2, hear: [OTHER[1]] },
  { name: 'an older stored head and one heard', stored: 3, hear: [OTHER[0]] },
  { name: 'two heads heard of entries that are not here', stored: 0, hear: [MAIN[2], OTHER[2]] },
  { name: 'two heads heard, with others between them', stored: 1, hear: [MAIN[2], MAIN[1], OTHER[0], OTHER[2]] },
]) {
  it(`a fork between ${name} is kept as two notes that prove it`, async () => {
    const { logs, store, forks } = await logsWith(stored)
    for (const commit of hear) assert.ok(logs.readHead(commit?.head.note as Uint8Array, null).signatureValid)
    const size = hear.at(-1)?.tip.size as number
    await forks.keep(ADA.member, size)
    const fork = openFork((await store.forkEvidence(ADA.member)) as Uint8Array, FOUNDING)
    assert.equal([fork.author, fork.differWithin], [ADA.member, size])
    assert.equal(logs.forked(), [ADA.member])
    const [commit] = hear.slice(-1)
    assert.ok(fork.heads.some((head) => equalBytes(head.note, commit?.head.note as Uint8Array)))
  })
}

it('a member that floods with heads cannot push out the one that contradicts', async () => {
  const { logs, store, forks } = await logsWith(0)
  const flood = logOf(
    ADA,
    Array.from({ length: 40 }, () => 1),
  )
  const fork = logOf(ADA, [40], 'other')
  logs.readHead(flood[39]?.head.note as Uint8Array, null)
  for (const { head } of flood) logs.readHead(head.note, null)
  logs.readHead(fork[0]?.head.note as Uint8Array, null)
  await forks.keep(ADA.member, 40)
  assert.ok((await store.forkEvidence(ADA.member)) !== undefined)
})

/** A peer that serves what it is told to, frame by frame, and waits before each where `hold` says so. */
function serving(frames: readonly Uint8Array[], hold: (i: number) => Promise<void> = async () => undefined) {
  return {
    async *request() {
      for (const [i, frame] of frames.entries()) {
        await hold(i)
        yield frame
      }
    },
  } as unknown as Transport
}

const FRAMES = MAIN.map(({ raws, head }) => encodeFrame({ raws, note: head.note }))
const drain = async (range: AsyncIterable<Fetched>): Promise<string> => {
  try {
    let entries = 0
    for await (const some of range) entries += some.entries.length
    return `${entries} entries`
  } catch (error) {
    return error instanceof ConsiliumError
      ? `${error.code}${error.blame === 'reject' ? ', blamed' : ''}`
      : String(error)
  }
}
const logsOver = (store: MemoryStore, transport: Transport, room = ROOM): Logs =>
  new Logs({ self: BEN.member, founding: FOUNDING, roll: rollOf([ADA.member]), store, transport, room })
const never = new AbortController().signal

it('a fetch ends at what was asked for, though the peer has more', async () => {
  const store = new MemoryStore()
  assert.is(await drain(logsOver(store, serving(FRAMES)).fetch(ADA.member, ADA.member, 5, never)), '5 entries')
  assert.is((await store.head(ADA.member))?.size, 5)
})

it('of two fetches of the same entries one wins, and nobody is blamed', async () => {
  const store = new MemoryStore()
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const logs = logsOver(
    store,
    serving(FRAMES, () => held),
  )
  const both = [1, 2].map(() => drain(logs.fetch(ADA.member, ADA.member, 9, never)))
  release()
  assert.equal((await Promise.all(both)).sort(), ['9 entries', 'range-overtaken'])
  assert.is((await store.head(ADA.member))?.size, 9)
})

it('a peer that gives less than it announced, or anything else, is told from one that cannot help it', async () => {
  const fetch = (frames: readonly Uint8Array[], to = 9, room = ROOM) =>
    drain(logsOver(new MemoryStore(), serving(frames), room).fetch(ADA.member, ADA.member, to, never))
  assert.is(await fetch(FRAMES.slice(0, 2)), 'range-short')
  assert.is(await fetch(FRAMES.slice(1)), 'range-size, blamed')
  assert.is(await fetch([Uint8Array.of(1, 2, 3)]), 'cbor-malformed, blamed')
  const full = { require: () => Promise.reject(new ConsiliumError({ code: 'disk-low', message: 'no room' })) }
  assert.is(await fetch(FRAMES, 9, full), 'disk-low')
})

it('what was stored before an answer broke off is told, and then what broke it', async () => {
  const broken = new ConsiliumError({ code: 'stream-reset', message: 'cut' })
  const cut = serving(FRAMES, async (i) => {
    if (i === 2) throw broken
  })
  const wrong = serving([FRAMES[0], FRAMES[1], FRAMES[1]] as Uint8Array[])
  for (const [peer, code] of [
    [cut, 'stream-reset'],
    [wrong, 'range-size, blamed'],
  ] as const) {
    const store = new MemoryStore()
    const told: number[] = []
    const telling = async function* () {
      for await (const some of logsOver(store, peer).fetch(ADA.member, ADA.member, 9, never)) {
        told.push(some.entries.length)
        yield some
      }
    }
    assert.is(await drain(telling()), code)
    assert.equal(told, [2, 3])
    assert.is((await store.head(ADA.member))?.size, 5)
  }
})

it('the next frame is checked while one is being written, and is written after it', async () => {
  const store = new MemoryStore()
  const append = store.append.bind(store)
  const asked: number[] = []
  let release: () => void = () => undefined
  const secondAsked = new Promise<void>((resolve) => {
    release = resolve
  })
  const events: string[] = []
  store.append = async (batch) => {
    events.push(`append ${batch.from}`)
    if (batch.from === 0) await secondAsked
    await append(batch)
    events.push(`stored ${batch.from}`)
  }
  const peer = serving(FRAMES, async (i) => {
    asked.push(i)
    if (i === 1) setImmediate(release)
  })
  assert.is(await drain(logsOver(store, peer).fetch(ADA.member, ADA.member, 9, never)), '9 entries')
  assert.equal(asked, [0, 1, 2])
  assert.equal(
    events,
    [0, 2, 5].flatMap((from) => [`append ${from}`, `stored ${from}`]),
  )
})

it('an entry that the database has lost or spoilt in silence stops the start, by its number', async () => {
  const store = new MemoryStore()
  for (const commit of MAIN) await store.append(batchOf(commit))
  const spoiltBy = (spoil: (raw: Uint8Array) => Uint8Array | null): MemoryStore => {
    const again = store.reopen()
    const read = again.entries.bind(again)
    again.entries = async (author, from, to) =>
      (await read(author, from, to)).flatMap((raw, i) => (from + i === 3 ? (spoil(raw) ?? []) : raw))
    return again
  }
  const flipped = (at: number) => spoiltBy((raw) => raw.map((byte, i) => (i === at ? byte ^ 1 : byte)))
  const named = /^database-corrupt: entry 3 of the log of [0-9a-f]{16}…/
  for (const [where, ends] of [
    [store, /^read$/],
    [spoiltBy(() => null), named],
    [flipped(0), named],
    [flipped(60), named],
    [flipped((MAIN.flatMap(({ raws }) => raws)[3] as Uint8Array).length - 1), named],
  ] as const) {
    const logs = logsOver(where, serving([]))
    await logs.load()
    const outcome = await logs.readFacts().then(
      () => 'read',
      (error: unknown) => `${(error as ConsiliumError).code}: ${(error as ConsiliumError).message}`,
    )
    assert.match(outcome, ends)
  }
})

it('what a former member wrote beyond its pin decides nothing', async () => {
  const roll = rollOf([ADA.member, BEN.member, keyOf('cleo').member])
  roll.begin({
    number: 1,
    members: [BEN.member, keyOf('cleo').member].sort(),
    pins: [{ author: ADA.member, size: 3, root: '11'.repeat(32) as Digest }],
  })
  const parts = { founding: FOUNDING, store: new MemoryStore(), transport: serving([]), room: ROOM }
  const logs = new Logs({ ...parts, self: BEN.member, roll })
  logs.facts.read = async (author) =>
    Array.from({ length: 5 }, (_, seq) => ({ kind: 'study.accepted', author, seq }) as unknown as Fact)
  const facts = await logs.readFacts()
  assert.equal(
    [ADA, BEN].map(({ member }) => facts.filter(({ author }) => author === member).length),
    [3, 5],
  )
})

it('a member that floods its log with what is read cannot keep the others from starting', async () => {
  const logs = logsOver(new MemoryStore(), serving([]))
  const fact = { kind: 'study.accepted', author: ADA.member, seq: 0 } as unknown as Fact
  logs.facts.read = async () => Array.from({ length: 300_000 }, () => fact) // more than a call has room for arguments
  assert.is((await logs.readFacts()).length, 300_000)
})

it.run()
