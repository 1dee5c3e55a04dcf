/** What the network tests share: members by number, transports on loopback, and waiting for a condition with a deadline. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { toHex } from '../../src/core/bytes.ts'
import { messageOf } from '../../src/core/errors.ts'
import { type MemberId, memberId } from '../../src/core/ids.ts'
import { Libp2pTransport, type Libp2pTransportOptions } from '../../src/net/libp2pTransport.ts'
import type { NetTiming } from '../../src/net/timing.ts'
import type { TransportEvents, Verdict } from '../../src/net/transport.ts'

export const LOOPBACK = '/ip4/127.0.0.1/tcp/0'
export const PREFIX = 'consilium/test/'
export const TOPIC = `${PREFIX}study`

/** Quick enough for a test; the ratios are those of the product. */
export const QUICK: Partial<NetTiming> = {
  tickMs: 25,
  yieldMs: 400,
  dialJitterMs: 30,
  backoffMinMs: 100,
  backoffMaxMs: 600,
  stableMs: 500,
  duplicateMs: 150,
  graceMs: 500,
  repairMs: 100,
  hangUpMs: 800,
  discoveryMs: 300,
  discoveryPerMemberMs: 0,
  idleMs: 1_000,
}

export interface Identity {
  readonly seed: Uint8Array
  readonly id: MemberId
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

export function identity(number: number): Identity {
  const seed = new Uint8Array(32).fill(number)
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return { seed, id: memberId(toHex(spki.subarray(-32))) }
}

/** So many identities, lowest key first. */
export function identities(count: number, from = 1): Identity[] {
  const all = Array.from({ length: count }, (_, i) => identity(from + i))
  return all.sort((a, b) => (a.id < b.id ? -1 : 1))
}

export interface Seat {
  readonly transport: Libp2pTransport
  readonly who: Identity
  readonly connected: Set<MemberId>
  readonly log: string[]
  readonly messages: { topic: string; author: MemberId; from: MemberId; data: Uint8Array }[]
  readonly strangers: { peer: string; direction: string }[]
  readonly misbehaved: MemberId[]
  verdict: (data: Uint8Array) => Promise<Verdict>
}

const seats: Seat[] = []

/** Starts a transport for a member; `stopAll` ends it. */
export async function seat(
  who: Identity,
  members: readonly { id: MemberId; addresses?: readonly string[] }[],
  options: Partial<Libp2pTransportOptions> = {},
): Promise<Seat> {
  const log: string[] = []
  const made: Omit<Seat, 'transport'> = {
    who,
    connected: new Set(),
    log,
    messages: [],
    strangers: [],
    misbehaved: [],
    verdict: async () => 'accept',
  }
  const transport = new Libp2pTransport(
    {
      privateKeySeed: who.seed,
      members: members.map((member) => ({ id: member.id, addresses: member.addresses ?? [] })),
      listen: [LOOPBACK],
      announce: [],
      bootstrap: [],
      mdns: false,
      topicPrefix: PREFIX,
      log: (level, event, facts) => log.push(`${level} ${event} ${JSON.stringify(facts)}`),
      ...options,
      timing: { ...QUICK, ...options.timing },
    },
    eventsOf(() => place),
  )
  const place: Seat = Object.assign(made, { transport })
  transport.subscribe(TOPIC)
  await transport.start(new AbortController().signal)
  seats.push(place)
  return place
}

function eventsOf(place: () => Seat): TransportEvents {
  return {
    onConnected: (member) => {
      if (place().connected.has(member)) place().log.push(`twice connected ${member}`)
      place().connected.add(member)
    },
    onDisconnected: (member) => place().connected.delete(member),
    onStranger: (peer, direction) => place().strangers.push({ peer, direction }),
    onMisbehaved: (member) => place().misbehaved.push(member),
    onMessage: (message) => {
      place().messages.push(message)
      return place().verdict(message.data)
    },
  }
}

export async function stopAll(): Promise<void> {
  await Promise.all(seats.splice(0).map((place) => place.transport.stop()))
}

/** The address of a seat without its /p2p/ part. */
export function addressOf(place: Seat): string {
  const address = place.transport.addresses()[0]
  if (address === undefined) throw new Error('this seat does not listen')
  return address.replace(/\/p2p\/.*/, '')
}

/** A port that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Waits until `condition` holds; names what was waited for when it does not in time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const deadline = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export const linked = (a: Seat, b: Seat): boolean => a.connected.has(b.who.id) && b.connected.has(a.who.id)

export const gossips = (a: Seat, b: Seat): boolean =>
  a.transport.peers().some((peer) => peer.member === b.who.id && peer.gossiping)

export const heard = (place: Seat, text: string): boolean =>
  place.messages.some((message) => Buffer.from(message.data).toString() === text)

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** The code of what a promise throws, or `nothing` when it throws nothing. */
export async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'nothing'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : messageOf(error)
  }
}

export async function collect(frames: AsyncIterable<Uint8Array>): Promise<string[]> {
  const out: string[] = []
  for await (const frame of frames) out.push(Buffer.from(frame).toString())
  return out
}
