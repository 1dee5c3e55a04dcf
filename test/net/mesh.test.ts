/** A consortium on loopback: who finds whom, who hears whom, and who comes back. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { addressOf, bytes, gossips, heard, identities, linked, seat, stopAll, TOPIC, until } from './kit.ts'

const it = suite('mesh')
it.after.each(stopAll)

it('five members complete the mesh from one bootstrap address, and each hears each', async () => {
  const people = identities(5)
  const first = people[2] as (typeof people)[0]
  const timing = { idleMs: 5_000, graceMs: 5_000, hangUpMs: 10_000 } // nobody hangs up on whom a busy machine is late to serve
  const door = await seat(first, people, { timing })
  const others = people.filter((each) => each !== first)
  const rest = await Promise.all(others.map((who) => seat(who, people, { bootstrap: [addressOf(door)], timing })))
  const all = [door, ...rest]
  await until('everyone is linked with everyone', () => all.every((a) => all.every((b) => a === b || linked(a, b))))
  await until('everyone knows of everyone that it listens', () =>
    all.every((a) => all.every((b) => a === b || gossips(a, b))),
  )
  for (const place of all) assert.ok((await place.transport.publish(TOPIC, bytes(place.who.id))) > 0)
  await until('each message is heard by all', () => all.every((a) => all.every((b) => a === b || heard(a, b.who.id))))
  for (const place of all) {
    for (const message of place.messages)
      assert.is(Buffer.from(message.data).toString(), message.author, 'the author is authentic')
    assert.is(place.messages.length, 4, 'each message was judged once')
    assert.not.ok(
      place.log.some((line) => line.startsWith('twice')),
      'connected once per member',
    )
  }
})

it('a member that was stopped and returns on the same port is dialled again, though it is not told where anyone is', async () => {
  const [low, high] = identities(2) as [ReturnType<typeof identities>[0], ReturnType<typeof identities>[0]]
  for (const [staying, leaving] of [
    [low, high],
    [high, low],
  ] as const) {
    const gone = await seat(leaving, [low, high])
    const address = addressOf(gone)
    const stays = await seat(staying, [low, { id: leaving.id, addresses: [address] }])
    await until('first contact', () => linked(stays, gone))
    await gone.transport.stop()
    await until('its end is noticed', () => !stays.connected.has(leaving.id))
    await until(
      'why it is gone is known',
      () => stays.transport.peers()[0]?.lastError?.includes('connection refused') === true,
    )
    const back = await seat(leaving, [low, high], { listen: [address] })
    await until('it is dialled again', () => linked(stays, back))
    await until('gossip flows again', () => gossips(stays, back) && gossips(back, stays))
    await stopAll()
  }
})

it('a restart with the same key and folder reconnects without bootstrap', async () => {
  const { mkdtemp, rm } = await import('node:fs/promises')
  const { join } = await import('node:path')
  const { tmpdir } = await import('node:os')
  const folder = await mkdtemp(join(tmpdir(), 'consilium-net-'))
  try {
    const people = identities(2)
    const [low, high] = people as [(typeof people)[0], (typeof people)[0]]
    const other = await seat(high, people)
    const datastorePath = join(folder, 'peers')
    const before = await seat(low, people, { bootstrap: [addressOf(other)], datastorePath })
    await until('first contact', () => linked(before, other))
    await until(
      'the address is stored',
      () => before.transport.peers()[0]?.addresses.includes(addressOf(other)) === true,
    )
    await before.transport.stop()
    await until('its end is noticed', () => !other.connected.has(low.id))
    const again = await seat(low, people, { datastorePath, listen: [] })
    await until('back without bootstrap', () => linked(again, other))
    await stopAll()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

it('simultaneous dials leave exactly one connection, and gossip flows both ways', async () => {
  const people = identities(2)
  const [low, high] = people as [(typeof people)[0], (typeof people)[0]]
  const timing = { yieldMs: 0, dialJitterMs: 0, tickMs: 10 }
  const a = await seat(low, people, { timing })
  const b = await seat(high, people, { timing })
  await Promise.all([
    a.transport.setMembers([
      { id: low.id, addresses: [] },
      { id: high.id, addresses: [addressOf(b)] },
    ]),
    b.transport.setMembers([
      { id: low.id, addresses: [addressOf(a)] },
      { id: high.id, addresses: [] },
    ]),
  ])
  await until('linked', () => linked(a, b))
  await until('one connection each', () => onlyOne(a) && onlyOne(b))
  await until('the kept one was dialled by the lower key', () => a.transport.peers()[0]?.direction === 'outbound')
  assert.is(b.transport.peers()[0]?.direction, 'inbound')
  await until('each knows that the other listens', () => gossips(a, b) && gossips(b, a))
  await until('heard both ways', async () => {
    await a.transport.publish(TOPIC, bytes('from a'))
    await b.transport.publish(TOPIC, bytes('from b'))
    return heard(b, 'from a') && heard(a, 'from b')
  })
  assert.not.ok([...a.log, ...b.log].some((line) => line.startsWith('twice')))
})

it('a node that only dials out is a full member, whichever key is lower', async () => {
  const people = identities(2)
  const [low, high] = people as [(typeof people)[0], (typeof people)[0]]
  for (const [listener, dialler] of [
    [low, high],
    [high, low],
  ] as const) {
    const a = await seat(listener, people)
    const b = await seat(dialler, [{ id: listener.id, addresses: [addressOf(a)] }, dialler], { listen: [] })
    await until('linked', () => linked(a, b))
    await until('both listen', () => gossips(a, b) && gossips(b, a))
    await a.transport.publish(TOPIC, bytes('inward'))
    await b.transport.publish(TOPIC, bytes('outward'))
    await until('heard both ways', () => heard(b, 'inward') && heard(a, 'outward'))
    assert.equal(b.transport.addresses(), [], 'it has no address to announce')
    await stopAll()
  }
})

it('two members that can only dial out hear each other through a third, and the status says so', async () => {
  const people = identities(3)
  const [hub, left, right] = people as [(typeof people)[0], (typeof people)[0], (typeof people)[0]]
  const middle = await seat(hub, people)
  const listed = [{ id: hub.id, addresses: [addressOf(middle)] }, left, right]
  const a = await seat(left, listed, { listen: [], timing: { relayedMs: 1_500 } })
  const b = await seat(right, listed, { listen: [] })
  await until('both hang on the hub', () => gossips(a, middle) && gossips(b, middle) && gossips(middle, b))
  const seen = () => a.transport.peers().find((peer) => peer.member === right.id)
  await until('an announcement came by', () => seen()?.throughOthers === true)
  assert.is(seen()?.connected, false)
  assert.is(a.transport.peers().find((peer) => peer.member === hub.id)?.throughOthers, false, 'the hub is connected')
  await a.transport.publish(TOPIC, bytes('across'))
  await until('heard across', () => heard(b, 'across'))
  await b.transport.stop()
  await until('one that is gone is not there for ever', () => seen()?.throughOthers === false)
})

it('a topic subscribed long after the connection is gossiped on', async () => {
  const people = identities(2)
  const [low, high] = people as [(typeof people)[0], (typeof people)[0]]
  const a = await seat(low, people)
  const b = await seat(high, people, { bootstrap: [addressOf(a)] })
  await until('linked', () => linked(a, b))
  b.transport.subscribe(`${TOPIC}/late`) // before a has heard of this study
  await until('b is known to listen', () => gossips(a, b))
  a.transport.subscribe(`${TOPIC}/late`)
  await until('a message arrives', async () => {
    await a.transport.publish(`${TOPIC}/late`, bytes('late'))
    return heard(b, 'late')
  })
  b.transport.unsubscribe(`${TOPIC}/late`)
  await until('nobody listens any more', async () => (await a.transport.publish(`${TOPIC}/late`, bytes('gone'))) === 0)
  assert.not.ok(heard(b, 'gone'))
})

it('publishing with nobody there is 0 and no error', async () => {
  const people = identities(1)
  const alone = await seat(people[0] as (typeof people)[0], people)
  assert.is(await alone.transport.publish(TOPIC, bytes('hello?')), 0)
})

function onlyOne(place: { transport: { connections(): number } }): boolean {
  return place.transport.connections() === 1
}

it.run()
