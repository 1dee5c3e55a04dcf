/** Guests: who is no member and holds a ticket comes in for one request, and neither hears nor says anything else. */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Connection, Stream, StreamHandler } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { DENIED, dialError } from './dialError.ts'
import { FrameStream } from './frames.ts'
import type { Door } from './gater.ts'
import type { MemberNode } from './libp2pNode.ts'
import { peerIdOf } from './peerIds.ts'
import type { Streams } from './streams.ts'
import { NET_TIMING } from './timing.ts'
import type { RequestHandler } from './transport.ts'

const GUEST_MS = 30_000 // a request, and a consortium file on a slow line
const GUEST_STREAMS_MAX = 2 // one is enough

interface Registered {
  readonly components: {
    readonly registrar: { getHandler(protocol: string): { readonly handler: StreamHandler; readonly options: object } }
  }
}

/**
 * Call when the node has started: who opens a stream of what libp2p answers by itself, gossip among it, and is a guest loses the connection.
 * Handlers are wrapped, for libp2p 3.3 adds one to a protocol's list of middleware with each stream.
 */
export async function keepAmongMembers(node: MemberNode, door: Door): Promise<void> {
  const { registrar } = (node as unknown as Registered).components
  for (const protocol of node.getProtocols()) {
    const { handler, options } = registrar.getHandler(protocol)
    const guarded: StreamHandler = (stream, connection) => {
      if (door.guest(connection.remotePeer) === undefined) return handler(stream, connection)
      connection.abort(new Error('for members only'))
    }
    await node.handle(protocol, guarded, { ...options, force: true })
  }
}

/** Lets guests ask for this one thing. */
export async function answerGuests(
  { node, door, streams }: { readonly node: MemberNode; readonly door: Door; readonly streams: Streams },
  protocol: string,
  handler: RequestHandler,
): Promise<void> {
  const serve = async (stream: Stream, connection: Connection): Promise<void> => {
    const guest = door.guest(connection.remotePeer)
    if (guest === undefined) return stream.abort(new Error('no guest'))
    const late = setTimeout(() => connection.abort(new Error('a guest stays for one request')), GUEST_MS)
    connection.addEventListener('close', () => clearTimeout(late))
    await streams.serve(stream, guest, protocol, handler)
  }
  await node.handle(protocol, serve, { maxInboundStreams: GUEST_STREAMS_MAX })
}

/** Ends connections of guests that have been open for long, whether or not they asked. */
export function partWithGuests(node: MemberNode, door: Door, now: number): void {
  for (const connection of node.getConnections())
    if (door.guest(connection.remotePeer) !== undefined && now - connection.timeline.open > GUEST_MS)
      connection.abort(new Error('a guest stays for one request'))
}

/** What a guest asks, and whom; nobody but the holder of `member`'s key is told anything. */
export interface GuestRequest {
  /** Of the ticket's key, 32 bytes. */
  readonly seed: Uint8Array
  readonly member: MemberId
  /** Multiaddrs without /p2p/. */
  readonly addresses: readonly string[]
  readonly protocol: string
  readonly request: Uint8Array
  readonly frameBytesMax: number
  readonly signal: AbortSignal
}

/** Dials a member as a guest and yields the frames of its answer. Errors: `guest-unreachable`, `guest-refused`, those of `FrameStream`. */
export async function* askAsGuest(options: GuestRequest): AsyncGenerator<Uint8Array> {
  const { seed, protocol, request, frameBytesMax, signal } = options
  const node = await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seed),
    addresses: { listen: [] }, // it only dials out
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false }, // private addresses are what hospitals have
    connectionMonitor: { enabled: false },
  })
  try {
    const connection = await dialFirst(node, options)
    const stream = await connection.newStream(protocol, { signal }).catch((error: unknown) => {
      throw refused(messageOf(error))
    })
    const frames = new FrameStream(stream, NET_TIMING.idleMs, signal)
    try {
      await frames.write(request)
      for (
        let frame = await first(frames, frameBytesMax);
        frame !== undefined;
        frame = await frames.read(frameBytesMax)
      )
        yield frame
      await frames.closeWrite()
      await frames.finish()
    } finally {
      frames.release()
    }
  } finally {
    await node.stop()
  }
}

/** A door that does not let a guest in closes after the handshake, which shows here. */
async function first(frames: FrameStream, frameBytesMax: number): Promise<Uint8Array | undefined> {
  try {
    return await frames.read(frameBytesMax)
  } catch (error) {
    throw refused(messageOf(error))
  }
}

async function dialFirst(
  node: Awaited<ReturnType<typeof createLibp2p>>,
  { member, addresses, signal }: GuestRequest,
): Promise<Connection> {
  const failures: string[] = []
  for (const address of addresses) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(NET_TIMING.dialTimeoutMs)])
      return await node.dial(multiaddr(`${address}/p2p/${peerIdOf(member)}`), { signal: limit })
    } catch (error) {
      const why = dialError(error, address)
      if (why === DENIED) throw refused('it closed the connection right after the handshake')
      failures.push(why)
    }
  }
  throw new ConsiliumError({ code: 'guest-unreachable', message: failures.join('; ') || 'no address is known' })
}

function refused(why: string): ConsiliumError {
  return new ConsiliumError({ code: 'guest-refused', message: why })
}
