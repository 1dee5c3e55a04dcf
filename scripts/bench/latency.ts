/** From a member's publish to another's acceptance on loopback, for an update of 10 kB. */
import { randomBytes } from 'node:crypto'
import { signingKey } from '../../src/core/ed25519.ts'
import { Libp2pTransport } from '../../src/net/libp2pTransport.ts'
import type { TransportEvents } from '../../src/net/transport.ts'
import { type Figure, median, under } from './figures.ts'

const MESSAGES = 300
const MESSAGE_BYTES = 10_000
const TOPIC = 'consilium/1/bench/updates'
const READY_MS = 15_000

export async function bench(): Promise<Figure[]> {
  const seeds = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))] as const
  const members = seeds.map((seed) => ({ id: signingKey(seed).member, addresses: [] }))
  const arrived = new Map<number, number>()
  const listener = make(seeds[0], members, [], (data) =>
    arrived.set(new DataView(data.buffer, data.byteOffset).getUint32(0), performance.now()),
  )
  const stop = new AbortController()
  await listener.start(stop.signal)
  const sender = make(seeds[1], members, listener.addresses(), () => undefined)
  await sender.start(stop.signal)
  try {
    for (const one of [listener, sender]) one.subscribe(TOPIC)
    await until(() => sender.peers().some((peer) => peer.gossiping) && listener.peers().some((peer) => peer.gossiping))
    const tookMs: number[] = []
    for (let i = 0; i < MESSAGES; i++) {
      const data = new Uint8Array(randomBytes(MESSAGE_BYTES))
      new DataView(data.buffer).setUint32(0, i)
      const begun = performance.now()
      await sender.publish(TOPIC, data)
      await until(() => arrived.has(i))
      tookMs.push((arrived.get(i) as number) - begun)
    }
    return [
      under(
        'publish to acceptance',
        median(tookMs),
        50,
        'ms',
        `median of ${MESSAGES} messages of ${MESSAGE_BYTES} bytes, two nodes on loopback`,
      ),
    ]
  } finally {
    await Promise.all([listener.stop(), sender.stop()])
  }
}

function make(
  seed: Uint8Array,
  members: readonly { id: ReturnType<typeof signingKey>['member']; addresses: string[] }[],
  bootstrap: readonly string[],
  heard: (data: Uint8Array) => void,
): Libp2pTransport {
  const self = signingKey(seed).member
  const events: TransportEvents = {
    onConnected: () => undefined,
    onDisconnected: () => undefined,
    onStranger: () => undefined,
    onMisbehaved: () => undefined,
    onMessage: async ({ data }) => {
      heard(data)
      return 'accept'
    },
  }
  const others = members.filter(({ id }) => id !== self)
  return new Libp2pTransport(
    {
      privateKeySeed: seed,
      members: others,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      bootstrap,
      mdns: false,
      topicPrefix: 'consilium/1/bench',
      log: () => undefined,
    },
    events,
  )
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + READY_MS
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${READY_MS} ms in vain`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
