/** A member whose gossip streams die while its connection stays open is noticed, and gossip is mended. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Stream } from '@libp2p/interface'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  addressOf,
  bytes,
  freePort,
  gossips,
  identities,
  linked,
  type Seat,
  seat,
  stopAll,
  TOPIC,
  until,
} from './kit.ts'

const it = suite('wedge')
it.after.each(stopAll)
const people = identities(2)
const [low, high] = people as [(typeof people)[0], (typeof people)[0]]

async function pair(): Promise<[Seat, Seat]> {
  const a = await seat(low, people)
  const b = await seat(high, people, { bootstrap: [addressOf(a)] })
  await until('gossip flows', () => linked(a, b) && gossips(a, b) && gossips(b, a))
  return [a, b]
}

async function heardBothWays(a: Seat, b: Seat): Promise<void> {
  let n = 0
  await until('heard both ways again', async () => {
    n += 1
    await a.transport.publish(TOPIC, bytes(`a ${n}`))
    await b.transport.publish(TOPIC, bytes(`b ${n}`))
    return a.messages.length > 0 && b.messages.length > 0
  })
}

const gossipStreams = (place: Seat, direction: Stream['direction']): Stream[] =>
  place.transport.streams().filter((stream) => {
    return stream.protocol.startsWith('/meshsub/') && stream.direction === direction && stream.status === 'open'
  })

for (const direction of ['outbound', 'inbound'] as const) {
  it(`a reset ${direction} gossip stream is mended`, async () => {
    const [a, b] = await pair()
    const [stream] = gossipStreams(a, direction)
    assert.ok(stream)
    stream?.abort(new Error('reset by the test'))
    await heardBothWays(a, b)
    await until('there is one connection', () => a.transport.connections() === 1)
  })

  it(`an ${direction} gossip stream that one end closes is mended`, async () => {
    const [a, b] = await pair()
    const [stream] = gossipStreams(b, direction)
    assert.ok(stream)
    await stream?.close()
    await heardBothWays(a, b)
  })
}

it('an oversize RPC wedges no one for good', async () => {
  const [a, b] = await pair()
  const [stream] = gossipStreams(a, 'outbound')
  assert.ok(stream)
  stream?.send(Uint8Array.of(0xff, 0xff, 0xff, 0x7f)) // a length prefix of 256 MiB
  await heardBothWays(a, b)
  assert.ok(linked(a, b))
})

it('a line that goes dead without a word is noticed, and taken up again when it lives', async () => {
  const port = await freePort()
  const line = await deadableLine(port)
  const timing = { pingMs: 100, silentMs: 700, dialTimeoutMs: 300 }
  const a = await seat(low, people, { listen: [`/ip4/127.0.0.1/tcp/${port}`], announce: [line.address], timing })
  const b = await seat(high, people, { listen: [], bootstrap: [line.address], timing })
  await until('gossip flows', () => linked(a, b) && gossips(a, b) && gossips(b, a))
  await until('the round trip is known', () => b.transport.peers()[0]?.roundTripMs !== undefined)
  line.cut()
  await until('both notice', () => a.connected.size === 0 && b.connected.size === 0)
  await until('and say why', () => b.transport.peers()[0]?.lastError?.includes('no answer') === true)
  line.mend()
  await until('linked again', () => linked(a, b))
  await heardBothWays(a, b)
  line.close()
})

/** A TCP relay to a port that can stop carrying bytes without closing anything. */
async function deadableLine(port: number) {
  let dead = false
  const sockets = new Set<Socket>()
  const server = createServer((inward) => {
    const outward = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [inward, outward],
      [outward, inward],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => dead || to.write(chunk))
      from.on('error', () => {})
      from.on('close', () => dead || to.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const closeAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`,
    cut: () => {
      dead = true
    },
    mend: () => {
      closeAll()
      dead = false
    },
    close: () => {
      closeAll()
      server.close()
    },
  }
}

it.run()
