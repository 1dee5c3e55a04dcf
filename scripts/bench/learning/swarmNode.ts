/** One node of the benchmarks of big models: a transport, what it serves and what it fetches, without ledger and learner. */
import { setMaxListeners } from 'node:events'
import { weightsDigest } from '../../../src/core/digest.ts'
import { signingKey } from '../../../src/core/ed25519.ts'
import type { Digest, MemberId, StudyId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import { ChunkLoader } from '../../../src/daemon/chunkLoader.ts'
import { UpdateServer } from '../../../src/daemon/updateServer.ts'
import { codeUpdate, NOTHING_SENT } from '../../../src/gossip/coding/coder.ts'
import { decodePayload, type WeightFormat } from '../../../src/gossip/coding/coding.ts'
import { HeldPayload } from '../../../src/gossip/heldPayload.ts'
import { Shelf } from '../../../src/gossip/shelf.ts'
import { bodyOf, decodeUpdate, encodeUpdate, inspectWeights, updateMessage } from '../../../src/gossip/update.ts'
import { Libp2pTransport } from '../../../src/net/libp2pTransport.ts'

export const TOPIC = 'consilium/1/bench/study'
const READY_MS = 120_000

/** As int8, of one tensor. */
export function formatOf(parameters: number): WeightFormat {
  return { coding: { kind: 'int8' }, tensors: [parameters], parameters }
}

/** Who takes part, the same in every process. */
export function seedsOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(32).fill(i + 1))
}

/** What a node is made of. */
export interface SwarmNodeOptions {
  readonly seed: Uint8Array
  readonly seeds: readonly Uint8Array[]
  readonly listen: string
  readonly bootstrap: readonly string[]
  readonly format: WeightFormat
}

/** `arrived` counts whole updates of others, decoded and checked. */
export class BenchNode {
  readonly #options: SwarmNodeOptions
  readonly #shelf = new Shelf()
  readonly #server = new UpdateServer(this.#shelf)
  readonly #loader: ChunkLoader
  readonly #stop = new AbortController()
  readonly member: MemberId
  readonly transport: Libp2pTransport
  arrived = 0

  constructor(options: SwarmNodeOptions) {
    setMaxListeners(0, this.#stop.signal) // every fetch ends with it
    this.#options = options
    const { seed, seeds, listen, bootstrap } = options
    this.member = signingKey(seed).member
    const events = {
      onConnected: () => undefined,
      onDisconnected: () => undefined,
      onStranger: () => undefined,
      onMisbehaved: () => undefined,
      onMessage: async ({ data }: { data: Uint8Array }) => {
        void this.#take(data)
        return 'accept' as const
      },
    }
    const members = seeds.map((one) => ({ id: signingKey(one).member, addresses: [] }))
    const given = { privateKeySeed: seed, members: members.filter(({ id }) => id !== this.member), bootstrap }
    const quiet = { announce: [], mdns: false, topicPrefix: 'consilium/1/bench', log: () => undefined }
    this.transport = new Libp2pTransport({ ...given, ...quiet, listen: [listen] }, events)
    const onFault = (peer: MemberId, code: string): never => {
      throw new Error(`${peer}: ${code}`)
    }
    const [shelf, server] = [this.#shelf, this.#server]
    this.#loader = new ChunkLoader({ transport: this.transport, shelf, server, seed: this.member, onFault })
  }

  async start(): Promise<void> {
    this.transport.subscribe(TOPIC)
    await this.transport.start(this.#stop.signal)
    await this.#server.serve(this.transport)
  }

  /** Until all others are connected and listen. */
  async ready(): Promise<void> {
    const others = this.#options.seeds.length - 1
    await until(() => this.transport.peers().filter(({ gossiping }) => gossiping).length === others)
  }

  /** Publishes weights drawn for this node and `round`; gives the bytes of their payload. */
  async publish(round: number): Promise<number> {
    const { seed, format } = this.#options
    const rng = Rng.from('weights', this.member, round)
    const weights = Float32Array.from({ length: format.parameters }, () => rng.float() - 0.5)
    const coded = codeUpdate(format, weights, round, NOTHING_SENT, rng)
    const held = 'ab'.repeat(32) as Digest
    const header = {
      ...{ study: held as StudyId, author: this.member, round, examples: 100, scaling: held, base: held, parents: [] },
      ...{ parameters: format.parameters, privacy: null, coding: coded.coding, reference: coded.reference },
      digest: weightsDigest(coded.weights),
    }
    const body = bodyOf(header, coded.payload)
    const signature = signingKey(seed).sign(updateMessage(header, body))
    const message = encodeUpdate(header, body, signature)
    const payload = body.manifest === null ? null : HeldPayload.whole(body.manifest, coded.payload)
    this.#shelf.put({ message, header, payload, keyframe: null })
    if (payload !== null) this.#server.changed(payload.id)
    await this.transport.publish(TOPIC, message)
    return coded.payload.length
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.transport.stop()
  }

  async #take(message: Uint8Array): Promise<void> {
    const { header, body } = decodeUpdate(message)
    if (body.manifest === null) throw new Error('the benchmark is about what does not fit a message')
    const payload = await this.#loader.load(body.manifest, header.author, this.#stop.signal)
    const weights = decodePayload(header.coding, payload.bytes, this.#options.format, null)
    if (!inspectWeights(header, weights, true).digestMatches) throw new Error('other weights arrived')
    this.#shelf.put({ message, header, payload, keyframe: null })
    this.arrived++
  }
}

/** Error: after two minutes. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + READY_MS
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${READY_MS} ms in vain`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
