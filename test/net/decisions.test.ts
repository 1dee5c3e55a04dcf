/** The pure parts of the network shell: whom to dial when, what ails a connection, which one stays, which address first. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ADDRESSES_PER_MEMBER_MAX, AddressBook } from '../../src/net/addressBook.ts'
import { dialError } from '../../src/net/dialError.ts'
import { keeperOf, surplusOf } from '../../src/net/duplicates.ts'
import { memberOf, memberOfText, peerIdOf } from '../../src/net/peerIds.ts'
import { Redialler } from '../../src/net/redialler.ts'
import { Strangers } from '../../src/net/strangers.ts'
import { NET_TIMING } from '../../src/net/timing.ts'
import { WaitingRoom } from '../../src/net/waitingRoom.ts'
import { type Sighting, Watchdog } from '../../src/net/watchdog.ts'
import { identities, identity } from './kit.ts'

const it = suite('decisions')
const half = () => 0.5
const { yieldMs, dialJitterMs, backoffMinMs, backoffMaxMs, stableMs } = NET_TIMING
const wanting = (key: string, yields: boolean) => {
  const redialler = new Redialler(NET_TIMING)
  redialler.want(key, yields, 0, half)
  return redialler
}

it('redialler: the lower key dials at once, the higher only after its turn', () => {
  const lower = wanting('b', false)
  assert.equal(lower.due(dialJitterMs, 9), ['b'])
  const higher = wanting('a', true)
  assert.equal(higher.due(yieldMs - 1, 9), [])
  assert.equal(higher.due(yieldMs + dialJitterMs, 9), ['a'])
})

it('redialler: failures back off to a bound, for ever, and never beyond it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 60 }),
      (draws) => {
        const redialler = wanting('b', false)
        let now = dialJitterMs
        for (const draw of draws) {
          assert.equal(redialler.due(now, 9), ['b'], 'it is always dialled again')
          redialler.failed('b', now, () => draw)
          assert.equal(redialler.due(now + backoffMinMs / 2 - 1, 9), [], 'not at once')
          now += backoffMaxMs
        }
      },
    ),
  )
})

it('redialler: news of an address shortens the wait, but not a refusal', () => {
  const redialler = wanting('b', false)
  redialler.due(1_000, 9)
  for (let i = 0; i < 10; i++) redialler.failed('b', 1_000, half)
  redialler.hint('b', 2_000, half)
  assert.equal(redialler.due(2_000 + dialJitterMs, 9), ['b'])
  redialler.connected('b', 3_000)
  redialler.refuse('b', 700_000)
  redialler.lost('b', 100_000, half)
  redialler.hint('b', 100_000, half)
  assert.equal(redialler.due(699_999, 9), [])
  assert.equal(redialler.due(700_000, 9), ['b'])
})

it('redialler: a stable connection that ends is dialled again at once, a short one backs off', () => {
  const redialler = wanting('b', false)
  redialler.due(1_000, 9)
  redialler.connected('b', 1_000)
  redialler.lost('b', 1_000 + stableMs, half)
  assert.equal(redialler.due(1_000 + stableMs + dialJitterMs, 9), ['b'])
  let now = 50_000
  for (let i = 0; i < 7; i++) {
    redialler.connected('b', now)
    redialler.lost('b', now + 1, half)
    now += backoffMaxMs
    assert.equal(redialler.due(now, 9), ['b'])
  }
  redialler.connected('b', now)
  redialler.lost('b', now + 1, half)
  assert.equal(redialler.due(now + backoffMaxMs / 2 - 1, 9), [], 'a flapping peer waits as long as a dead one')
})

it('redialler: no more at once than asked for, the longest due first, and a failed dial leaves an inbound connection alone', () => {
  const redialler = new Redialler(NET_TIMING)
  for (const [i, key] of ['c', 'a', 'b'].entries()) redialler.want(key, false, i * 100, half)
  assert.equal(redialler.due(9_000, 2), ['c', 'a'])
  assert.equal(redialler.due(9_000, 2), ['b'])
  assert.equal(redialler.due(9_000, -1), [])
  redialler.connected('a', 9_100)
  redialler.failed('a', 9_200, half)
  assert.equal(redialler.due(99_000, 9), [])
  assert.equal(
    redialler.due(9_000 + 2 * backoffMaxMs, 9),
    ['c', 'b'],
    'dials that never told their end are tried again',
  )
})

const well: Sighting = {
  connectedAtMs: 0,
  identified: true,
  inPeers: true,
  outboundGossip: true,
  inboundGossip: true,
  heardAtMs: 100_000,
}

it('watchdog: a missing outbound stream is mended first, and hung up on when that does not help', () => {
  const dog = new Watchdog(NET_TIMING)
  const at = (ms: number) =>
    dog.look('a', 100_000 + ms, { ...well, heardAtMs: 100_000 + ms, outboundGossip: false }).kind
  assert.is(at(0), 'none')
  assert.is(at(NET_TIMING.repairMs), 'repair')
  assert.is(at(NET_TIMING.repairMs + 1), 'none')
  assert.is(at(NET_TIMING.repairMs + NET_TIMING.graceMs), 'repair')
  assert.is(at(NET_TIMING.hangUpMs + 1), 'hang-up')
})

it('watchdog: recovery forgets the ailment; silence and every other fault end in hanging up', () => {
  const dog = new Watchdog(NET_TIMING)
  for (const fault of ['identified', 'inPeers', 'inboundGossip'] as const) {
    const sick = { ...well, [fault]: false }
    assert.is(dog.look('a', 100_000, sick).kind, 'none')
    assert.is(dog.look('a', 109_000, well).kind, 'none')
    assert.is(dog.look('a', 111_000, sick).kind, 'none', 'counted from its new beginning')
    assert.is(dog.look('a', 111_001 + NET_TIMING.hangUpMs, { ...sick, heardAtMs: 121_000 }).kind, 'hang-up')
    dog.forget('a')
  }
  assert.is(dog.look('a', 100_001 + NET_TIMING.silentMs, well).kind, 'hang-up')
})

it('duplicates: both ends keep the same connection, and one always stays', () => {
  const opened = fc.record({ byLower: fc.boolean(), openedMs: fc.integer({ min: 0, max: 1_000 }) })
  fc.assert(
    fc.property(fc.array(opened, { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 9_000 }), (list, now) => {
      const seen = (weAreLower: boolean) =>
        list.map(({ byLower, openedMs }, i) => ({
          id: `${i}`,
          direction: byLower === weAreLower ? ('outbound' as const) : ('inbound' as const),
          openedMs,
        }))
      const kept = keeperOf(true, seen(true))?.id
      assert.is(keeperOf(false, seen(false))?.id, kept)
      if (list.some((each) => each.byLower)) assert.ok(list[Number(kept)]?.byLower, 'one that the lower key dialled')
      for (const lower of [true, false]) {
        const closed = surplusOf(lower, seen(lower), now, 500).map(({ id }) => id)
        assert.not.ok(closed.includes(kept ?? ''))
        if (now > 1_000 + 4 * 500) assert.is(closed.length, list.length - 1)
      }
    }),
  )
})

it('address book: confirmed first, then listed, then told, loopback last; bounded without losing the listed', () => {
  const book = new AddressBook()
  const { id } = identity(7)
  assert.ok(book.learn(id, '/ip4/127.0.0.1/tcp/1', 'told', 1))
  assert.ok(book.learn(id, '/ip4/10.0.0.1/tcp/1', 'told', 2))
  assert.ok(book.learn(id, '/dns4/clinic.example/tcp/1', 'listed', 3))
  assert.not.ok(book.learn(id, '/ip4/10.0.0.1/tcp/1', 'told', 4), 'known already')
  assert.equal(book.list(id), ['/dns4/clinic.example/tcp/1', '/ip4/10.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/1'])
  book.confirm(id, '/ip4/127.0.0.1/tcp/1', 5)
  assert.is(book.list(id)[0], '/ip4/127.0.0.1/tcp/1')
  for (let i = 0; i < 500; i++) book.learn(id, `/ip4/10.1.0.1/tcp/${i}`, 'told', 10 + i)
  assert.is(book.list(id).length, ADDRESSES_PER_MEMBER_MAX)
  assert.equal(book.list(id).slice(0, 2), ['/ip4/127.0.0.1/tcp/1', '/dns4/clinic.example/tcp/1'])
  book.forget(id)
  assert.equal(book.list(id), [])
})

it('strangers: one report each per interval, from a bounded memory', () => {
  const strangers = new Strangers(60_000)
  assert.ok(strangers.seen('a', 1_000))
  assert.not.ok(strangers.seen('a', 60_999))
  assert.ok(strangers.seen('a', 61_000))
  const scan = Array.from({ length: 5_000 }, (_, i) => strangers.seen(`scan ${i}`, 62_000))
  assert.is(scan.filter(Boolean).length, 9, 'a key for each connection makes ten reports in a minute, no more')
  assert.ok(strangers.seen('b', 121_000))
  const patient = new Strangers(1)
  for (let i = 0; i < 5_000; i++) patient.seen(`scan ${i}`, i)
  assert.ok(patient.seen('scan 0', 0.5 + 4_999), 'forgotten, not remembered for ever')
})

it('waiting room: no host holds all the places, and each is given back once', () => {
  const room = new WaitingRoom()
  const knocks = (host: string, count: number) =>
    Array.from({ length: count }, () => {
      const connection = new EventTarget()
      return { connection, in: room.enter(host, connection) }
    })
  const crowd = knocks('192.0.2.1', 70)
  assert.is(crowd.filter((one) => one.in).length, 64)
  assert.ok(knocks('192.0.2.2', 1)[0]?.in)
  crowd[0]?.connection.dispatchEvent(new Event('close'))
  room.leave(crowd[0]?.connection as EventTarget)
  room.leave(crowd[69]?.connection as EventTarget)
  assert.equal(
    knocks('192.0.2.1', 2).map((one) => one.in),
    [true, false],
  )
  for (const { connection } of crowd) connection.dispatchEvent(new Event('close'))
  assert.is(room.size, 2)
})

it('peer ids: a member and its PeerId are one name, and order alike', () => {
  for (const { id } of identities(20)) {
    assert.is(memberOf(peerIdOf(id)), id)
    assert.is(memberOfText(peerIdOf(id).toString()), id)
  }
  const texts = identities(20).map(({ id }) => peerIdOf(id).toString())
  assert.equal(texts, [...texts].sort(), 'the lower member key is the lower PeerId')
  assert.is(memberOfText('nonsense'), undefined)
  assert.is(memberOfText('QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'), undefined, 'an RSA key is no member')
})

it('dial errors: one line each, with the address', () => {
  const at = '/ip4/10.0.0.1/tcp/7400'
  const cases: [unknown, string][] = [
    [new Error('connection error 10.0.0.1:7400: connect ECONNREFUSED 10.0.0.1:7400'), 'connection refused at'],
    [new AggregateError([new Error('ENETUNREACH')], 'All multiaddr dials failed'), 'no route to'],
    [Object.assign(new Error('x\ny'), { name: 'TimeoutError' }), 'no answer within'],
    [new Error('something\nelse'), 'something else'],
  ]
  for (const [error, expected] of cases) {
    assert.ok(dialError(error, at).startsWith(expected), dialError(error, at))
    assert.ok(dialError(error, at).includes(at))
    assert.not.ok(dialError(error, at).includes('\n'))
  }
})

it.run()
