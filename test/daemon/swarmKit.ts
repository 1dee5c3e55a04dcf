/** Nodes that serve and load payloads over requests in memory, or over any transport; a spoiler stands between who answers and who asks. */
import { ConsiliumError } from '../../src/core/errors.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { ChunkLoader } from '../../src/daemon/chunkLoader.ts'
import { UpdateServer } from '../../src/daemon/updateServer.ts'
import { FETCH } from '../../src/gossip/fetchWire.ts'
import { HeldPayload } from '../../src/gossip/heldPayload.ts'
import { type Manifest, manifestOf } from '../../src/gossip/manifest.ts'
import { Shelf } from '../../src/gossip/shelf.ts'
import type { RequestHandler, Transport } from '../../src/net/transport.ts'

export const FOREVER = new AbortController().signal

/** What goes out in place of a frame; a promise that never resolves is a peer that stalls. */
export type Spoil = (protocol: string, frame: Uint8Array) => Uint8Array | Promise<never>

export interface SwarmNode {
  readonly member: MemberId
  readonly transport: Pick<Transport, 'request' | 'peers'>
  readonly shelf: Shelf
  readonly server: UpdateServer
  readonly loader: ChunkLoader
  /** Who sent what no honest peer sends. */
  readonly faults: string[]
  /** Chunk frames that it gave out. */
  chunksOut: number
  /** Chunk bytes that it was given. */
  bytesIn: number
}

export const payloadOf = (bytes: number, label = 'payload'): Uint8Array => {
  const rng = Rng.from(label)
  return Uint8Array.from({ length: bytes }, () => rng.u32())
}

/** A node over `transport`. */
export function nodeOn(member: MemberId, transport: Pick<Transport, 'request' | 'peers'>): SwarmNode {
  const shelf = new Shelf()
  const server = new UpdateServer(shelf)
  const faults: string[] = []
  const onFault = (peer: MemberId, code: string): void => void faults.push(`${peer.slice(0, 4)} ${code}`)
  const node: SwarmNode = {
    ...{ member, transport, shelf, server, faults, chunksOut: 0, bytesIn: 0 },
    loader: new ChunkLoader({ transport: counting(transport, () => node), shelf, server, seed: member, onFault }),
  }
  return node
}

function counting(transport: Pick<Transport, 'request' | 'peers'>, node: () => SwarmNode) {
  return {
    peers: () => transport.peers(),
    async *request(...[peer, protocol, ask, options]: Parameters<Transport['request']>) {
      for await (const frame of transport.request(peer, protocol, ask, options)) {
        if (protocol === FETCH.chunks) node().bytesIn += frame.length
        yield frame
      }
    },
  }
}

/** All of `members` linked in memory; who is in `gone` answers nothing and is not connected. */
export function swarmOf(members: readonly MemberId[], spoil: Partial<Record<MemberId, Spoil>> = {}) {
  const handlers = new Map<MemberId, Map<string, RequestHandler>>()
  const gone = new Set<MemberId>()
  const nodes = members.map((member) => {
    const own = new Map<string, RequestHandler>()
    handlers.set(member, own)
    const transport = {
      peers: () =>
        members.flatMap((other) => (other === member || gone.has(other) ? [] : [{ member: other, connected: true }])),
      async *request(peer: MemberId, protocol: string, ask: Uint8Array, { signal }: { signal: AbortSignal }) {
        const frames = handlers.get(peer)?.get(protocol)?.(member, ask, signal)
        for await (const frame of frames ?? []) {
          if (gone.has(peer)) throw new ConsiliumError({ code: 'stream-reset', message: 'the connection is gone' })
          const given = spoil[peer]?.(protocol, frame) ?? frame
          yield given instanceof Promise ? await Promise.race([given, timeout(signal)]) : given
        }
      },
    } as unknown as Transport
    return nodeOn(member, transport)
  })
  const ready = Promise.all(
    nodes.map((node) =>
      node.server.serve({
        handle: async (protocol, handler) => {
          handlers.get(node.member)?.set(protocol, async function* (...asked) {
            for await (const frame of handler(...asked)) {
              if (protocol === FETCH.chunks) node.chunksOut++
              yield frame
            }
          })
        },
      }),
    ),
  )
  return { nodes, gone, ready }
}

/** As the transport does with a peer that says nothing, only sooner. */
async function timeout(signal: AbortSignal): Promise<never> {
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, 100)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve(undefined)
    })
  })
  throw new ConsiliumError({ code: 'request-timeout', message: 'nothing came' })
}

/** The node has all of it, as its author has. */
export function publish(node: SwarmNode, payload: Uint8Array): Manifest {
  const manifest = manifestOf(payload)
  const held = HeldPayload.whole(manifest, payload)
  node.shelf.begin(held)
  node.server.changed(held.id)
  return manifest
}
