import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/digest.ts'
import { type Digest, digest, type MemberId, memberId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { type LogState, Replication } from '../../src/ledger/replication.ts'
import {
  decodeHeads,
  decodeRangeRequest,
  encodeHeads,
  encodeRangeRequest,
  HEADS_FRAME_BYTES_MAX,
} from '../../src/ledger/wire.ts'

const it = suite('replication')

const member = (i: number): MemberId => memberId(i.toString(16).padStart(64, '0'))
const [SELF, ADA, BEN, CLEO, DAN] = [1, 2, 3, 4, 5].map(member) as [MemberId, MemberId, MemberId, MemberId, MemberId]
const MEMBERS = [SELF, ADA, BEN, CLEO, DAN]
const root = (label: string | number): Digest => digest(toHex(sha256(utf8(`root ${label}`))))
const log = (author: MemberId, size: number, label: string | number = `${author} ${size}`): LogState => ({
  author,
  size,
  root: root(label),
})
const T = 1_000_000

it('replication: a longer head is fetched from who told of it, once, and again only when there is more', () => {
  const replication = new Replication(SELF, MEMBERS, [log(ADA, 5)])
  assert.equal(replication.onHead(log(ADA, 12), BEN, T), { verdict: 'accept', reason: null, fork: false })
  assert.equal(replication.due(T), [{ author: ADA, peer: BEN, from: 5, to: 12 }])
  assert.equal(replication.due(T + 1), [])
  replication.onFetched(log(ADA, 9))
  assert.equal(replication.due(T + 2), [], 'progress does not end the fetch')
  replication.onFetched(log(ADA, 12))
  assert.equal(replication.due(T + 3), [])
  assert.is(
    replication.onHead(log(ADA, 12), CLEO, T + 4).verdict,
    'accept',
    'the newest head is passed on even where it is known',
  )
  assert.is(replication.onHead(log(ADA, 11), CLEO, T + 4).reason, 'head-not-newer')
  assert.equal(replication.due(T + 4), [], 'but fetches nothing')
  replication.onHead(log(ADA, 13), CLEO, T + 5)
  assert.equal(replication.due(T + 5), [{ author: ADA, peer: CLEO, from: 12, to: 13 }])
})

it('replication: after a failure another peer is asked at once, the same one only after a growing wait', () => {
  const replication = new Replication(SELF, MEMBERS, [])
  replication.onHead(log(ADA, 7), BEN, T)
  replication.onHead(log(ADA, 7), CLEO, T)
  assert.equal(replication.due(T), [{ author: ADA, peer: BEN, from: 0, to: 7 }])
  replication.onFetchFailed(ADA, BEN, false, T + 10)
  assert.equal(replication.due(T + 10), [{ author: ADA, peer: CLEO, from: 0, to: 7 }])
  replication.onFetchFailed(ADA, CLEO, true, T + 20)
  assert.equal(replication.due(T + 20), [])
  assert.is(replication.wakeAtMs(), T + 1_010)
  assert.equal(replication.due(T + 1_009), [])
  assert.equal(
    replication.due(T + 1_010).map((fetch) => fetch.peer),
    [BEN],
  )
  replication.onFetchFailed(ADA, BEN, false, T + 1_020)
  assert.equal(replication.due(T + 3_019), [])
  assert.equal(
    replication.due(T + 3_020).map((fetch) => fetch.peer),
    [BEN],
  )
  let [now, peer] = [T + 4_000, BEN]
  for (let i = 0; i < 40; i++) {
    replication.onFetchFailed(ADA, peer, false, now)
    now += 100_000
    peer = replication.due(now)[0]?.peer as MemberId
  }
  replication.onFetchFailed(ADA, peer, false, now)
  const [next] = replication.due(now)
  if (next !== undefined) replication.onFetchFailed(ADA, next.peer, false, now)
  assert.equal(replication.due(now), [])
  assert.is(replication.wakeAtMs(), now + 60_000, 'the wait is bounded')
})

it('replication: a fetch that lasts over a minute is asked of another peer, where there is one', () => {
  const replication = new Replication(SELF, MEMBERS, [])
  replication.onHead(log(ADA, 7), BEN, T)
  assert.is(replication.due(T)[0]?.peer, BEN)
  assert.is(replication.wakeAtMs(), null, 'alone it is waited for')
  assert.equal(replication.due(T + 100_000), [])
  replication.onHead(log(ADA, 7), CLEO, T + 100_000)
  assert.is(replication.due(T + 100_000)[0]?.peer, CLEO)
  replication.onHead(log(ADA, 8), BEN, T + 100_001)
  assert.equal(replication.due(T + 100_001), [])
  assert.is(replication.wakeAtMs(), T + 160_000)
  assert.is(replication.due(T + 160_000)[0]?.peer, BEN)
  replication.onFetched(log(ADA, 8))
  assert.is(replication.wakeAtMs(), null)
})

it('replication: gossip carries a head on once, and what was asked for does not count', () => {
  const replication = new Replication(SELF, MEMBERS, [log(ADA, 5)])
  const gossip = (size: number) => replication.onHead(log(ADA, size), BEN, T, true)
  assert.is(replication.onHead(log(ADA, 7), BEN, T).verdict, 'accept')
  assert.equal([gossip(7).verdict, gossip(7).verdict, gossip(7).reason], ['accept', 'ignore', 'head-known'])
  replication.onFetched(log(ADA, 7))
  assert.is(gossip(7).reason, 'head-known')
  assert.is(gossip(8).verdict, 'accept')
})

it('replication: the author is preferred, and a peer that has gone is not asked', () => {
  const replication = new Replication(SELF, MEMBERS, [])
  replication.onHead(log(DAN, 7), BEN, T)
  replication.onHead(log(DAN, 7), DAN, T)
  assert.is(replication.due(T)[0]?.peer, DAN)
  replication.onPeerGone(DAN)
  assert.is(replication.due(T + 1)[0]?.peer, BEN)
  replication.onPeerGone(BEN)
  assert.equal(replication.due(T + 2), [])
  assert.is(replication.wakeAtMs(), null)
  replication.onHead(log(DAN, 7), CLEO, T + 3)
  assert.is(replication.due(T + 3)[0]?.peer, CLEO)
})

it('replication: a peer is asked for no more than it told of', () => {
  const replication = new Replication(SELF, MEMBERS, [])
  replication.onHead(log(ADA, 20), BEN, T)
  replication.onHead(log(ADA, 11), CLEO, T)
  replication.onFetchFailed(ADA, BEN, false, T)
  replication.onPeerGone(BEN)
  assert.equal(replication.due(T), [{ author: ADA, peer: CLEO, from: 0, to: 11 }])
})

it('replication: one size with two roots is a fork, told once, against stored and against wanted heads; then the log is frozen', () => {
  const rows: [string, (r: Replication) => void, number][] = [
    ['stored at the start', () => {}, 5],
    [
      'stored on the way',
      (r) => {
        r.onHead(log(ADA, 9), BEN, T)
        r.due(T)
        r.onFetched(log(ADA, 9))
        r.onHead(log(ADA, 14), BEN, T)
        r.due(T)
        r.onFetched(log(ADA, 14))
      },
      9,
    ],
    ['wanted', (r) => void r.onHead(log(ADA, 30), BEN, T), 30],
  ]
  for (const [name, prepare, size] of rows) {
    const replication = new Replication(SELF, MEMBERS, [log(ADA, 5)])
    prepare(replication)
    assert.equal(
      replication.onHead(log(ADA, size, 'other branch'), CLEO, T),
      { verdict: 'accept', reason: 'conflicting-heads', fork: true },
      name,
    )
    assert.is(replication.onHead(log(ADA, size, 'other branch'), CLEO, T).reason, 'log-frozen', name)
    assert.is(replication.onHead(log(ADA, 40), BEN, T).reason, 'log-frozen', name)
    assert.equal(replication.due(T), [], name)
    assert.ok(replication.view().find((view) => view.author === ADA)?.frozen)
    assert.is(replication.onHead(log(BEN, 3), BEN, T).verdict, 'accept', 'others go on')
  }
  assert.is(
    new Replication(SELF, MEMBERS, [log(ADA, 5)], [ADA]).onHead(log(ADA, 6), BEN, T).reason,
    'log-frozen',
    'after a restart',
  )
})

it('replication: own entries are compared with what others say, never fetched', () => {
  const replication = new Replication(SELF, MEMBERS, [log(SELF, 4)])
  replication.seal()
  assert.is(replication.onHead(log(SELF, 9), BEN, T).reason, 'own-log-ahead')
  assert.equal(replication.due(T), [])
  replication.onOwn(log(SELF, 6))
  assert.is(replication.onHead(log(SELF, 6), BEN, T).verdict, 'accept')
  assert.equal(replication.due(T), [], 'nothing of our own is fetched')
  assert.ok(replication.onHead(log(SELF, 4, 'other branch'), BEN, T).fork)
})

it('replication: before it is sealed, the own log is fetched back like any other', () => {
  const replication = new Replication(SELF, MEMBERS, [log(SELF, 4)])
  assert.is(replication.onHead(log(SELF, 9), BEN, T).verdict, 'accept')
  assert.equal(replication.due(T), [{ author: SELF, peer: BEN, from: 4, to: 9 }])
  replication.onFetched(log(SELF, 9))
  replication.seal()
  assert.is(replication.onHead(log(SELF, 10), BEN, T).reason, 'own-log-ahead')
})

it('replication: strangers’ logs are ignored', () => {
  assert.is(new Replication(SELF, MEMBERS, []).onHead(log(member(99), 3), BEN, T).reason, 'author-unknown')
})

it('replication: fetches in flight are bounded per peer and in all', () => {
  const members = Array.from({ length: 60 }, (_, i) => member(i + 1))
  const replication = new Replication(SELF, members, [])
  for (const author of members.slice(10)) replication.onHead(log(author, 3), BEN, T)
  assert.is(replication.due(T).length, 4)
  for (const author of members.slice(10))
    for (const peer of members.slice(1, 8)) replication.onHead(log(author, 3), peer, T)
  assert.is(replication.due(T).length, 12)
})

it('replication: with peers that fail, lie about nothing and come and go, everything that is told of arrives', () => {
  const step = fc.record({
    author: fc.integer({ min: 1, max: 4 }),
    peer: fc.integer({ min: 1, max: 4 }),
    grow: fc.nat(5),
    act: fc.nat(9),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const replication = new Replication(SELF, MEMBERS, [])
      const stored = new Map<MemberId, number>()
      const told = new Map<MemberId, number>()
      const flying = new Map<MemberId, { peer: MemberId; from: number; to: number }>()
      let now = T
      const start = () => {
        for (const fetch of replication.due(now)) {
          assert.not(flying.has(fetch.author), 'one fetch per author')
          assert.is(fetch.from, stored.get(fetch.author) ?? 0)
          assert.ok(fetch.to > fetch.from && fetch.to <= (told.get(fetch.author) ?? 0))
          flying.set(fetch.author, fetch)
        }
      }
      const finish = (author: MemberId) => {
        const fetch = flying.get(author)
        if (fetch === undefined) return
        flying.delete(author)
        stored.set(author, fetch.to)
        replication.onFetched(log(author, fetch.to))
      }
      for (const { author: a, peer: p, grow, act } of steps) {
        now += 500
        const [author, peer] = [MEMBERS[a] as MemberId, MEMBERS[p] as MemberId]
        const fetch = flying.get(author)
        if (act < 5) {
          told.set(author, (told.get(author) ?? 0) + grow)
          if ((told.get(author) as number) > 0) replication.onHead(log(author, told.get(author) as number), peer, now)
        } else if (act < 7) finish(author)
        else if (act < 9 && fetch !== undefined) {
          flying.delete(author)
          replication.onFetchFailed(author, fetch.peer, act === 8, now)
        } else if (act === 9) {
          replication.onPeerGone(peer)
          for (const [other, { peer: from }] of [...flying]) if (from === peer) flying.delete(other)
        }
        start()
      }
      for (const [author, size] of told) if (size > 0) replication.onHead(log(author, size), BEN, now)
      for (let i = 0; i < 200; i++) {
        start()
        for (const author of [...flying.keys()]) finish(author)
        now = Math.max(now, replication.wakeAtMs() ?? now)
      }
      for (const [author, size] of told) assert.is(stored.get(author) ?? 0, size)
    }),
    { numRuns: 300 },
  )
})

it('replication: requests and head vectors are read back, and nothing else is', () => {
  assert.equal(decodeRangeRequest(encodeRangeRequest({ author: ADA, fromSize: 1_207 })), {
    author: ADA,
    fromSize: 1_207,
  })
  for (const bad of [
    [1, new Uint8Array(31), 0],
    [1, new Uint8Array(32), -1],
    [1, new Uint8Array(32), 1.5],
    [2, new Uint8Array(32), 0],
    [1, new Uint8Array(32)],
    null,
  ]) {
    assert.throws(() => decodeRangeRequest(encodeCbor(bad)), /range request/)
  }
  const notes = Array.from({ length: 300 }, (_, i) => utf8(`note ${i}`))
  const frames = encodeHeads(notes)
  assert.is(frames.length, 3)
  assert.equal(frames.flatMap(decodeHeads), notes)
  const largest = encodeHeads(Array.from({ length: 128 }, () => new Uint8Array(LIMITS.headBytesMax)))
  assert.ok(largest.length === 1 && (largest[0] as Uint8Array).length <= HEADS_FRAME_BYTES_MAX)
  for (const bad of [
    [],
    [1],
    [new Uint8Array(0)],
    [new Uint8Array(LIMITS.headBytesMax + 1)],
    notes.slice(0, 129),
    { a: 1 },
  ]) {
    assert.throws(() => decodeHeads(encodeCbor(bad)), /vector|note/)
  }
})

it.run()
