/** Carries out what the swarm decides: listens to who has which chunks while something is fetched, asks for them, and checks what comes. */
import { setMaxListeners } from 'node:events'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { Rng } from '../core/rng.ts'
import {
  CHUNK_FRAME_BYTES_MAX,
  decodeChunk,
  decodeHeld,
  encodeChunks,
  FETCH,
  HELD_FRAME_BYTES_MAX,
} from '../gossip/fetchWire.ts'
import { HeldPayload } from '../gossip/heldPayload.ts'
import { type Manifest, payloadId } from '../gossip/manifest.ts'
import type { Shelf } from '../gossip/shelf.ts'
import { type ChunkRequest, Swarm } from '../gossip/swarm.ts'
import { Waiters } from '../gossip/waiters.ts'
import type { Transport } from '../net/transport.ts'
import type { UpdateServer } from './updateServer.ts'

const AWAITED_BYTES_MAX = 4 * LIMITS.modelBytesMax // of payloads that are on their way; more wait for room
const LOOK_MS = 1_000 // how soon somebody who has connected meanwhile is listened to
const TOLD_MAX = 2_048 // payloads that one peer may tell of: two for each member of the largest consortium

/** What a loader works with. `onFault`: a peer sent what no honest one sends. */
export interface ChunkLoaderParts {
  readonly transport: Pick<Transport, 'request' | 'peers'>
  readonly shelf: Shelf
  readonly server: Pick<UpdateServer, 'changed'>
  readonly seed: string
  readonly onFault: (peer: MemberId, code: string) => void
}

/** One fetch of one payload, for all who wait for it. */
interface Load {
  readonly payload: HeldPayload
  /** Ends its requests. */
  readonly stop: AbortController
}

interface Waiter {
  readonly resolve: (payload: HeldPayload) => void
  readonly reject: (error: ConsiliumError) => void
}

/** One per node. Nothing runs while nothing is fetched. */
export class ChunkLoader {
  readonly #parts: ChunkLoaderParts
  readonly #swarm: Swarm
  readonly #loads = new Map<Digest, Load>()
  readonly #waiters = new Waiters<Waiter>()
  /** What each peer that is listened to has told, of payloads that are not wanted yet, too. */
  readonly #told = new Map<MemberId, Map<Digest, Uint8Array>>()
  #listening = manyListeners()
  #isPlanned = false
  #timer: NodeJS.Timeout | null = null
  #awaitedBytes = 0
  /** Those who wait for room. */
  readonly #queue: (() => void)[] = []

  constructor(parts: ChunkLoaderParts) {
    this.#parts = parts
    this.#swarm = new Swarm(Rng.from('swarm', parts.seed))
  }

  /**
   * Resolves with the whole payload, which is served from its first chunk on, and then is the caller's to keep or to end. What is loaded
   * already is shared. An abort takes effect at once. Errors: `update-unserved`, `fetch-ended` after an abort.
   */
  async load(manifest: Manifest, author: MemberId, signal: AbortSignal): Promise<HeldPayload> {
    const id = payloadId(manifest)
    for (;;) {
      if (signal.aborted) throw ENDED
      const known = this.#parts.shelf.payload(id)
      if (known?.have.isFull) return known
      const load = this.#loads.get(id) ?? this.#begin(manifest)
      if (load !== null) return this.#joined(load, author, signal)
      await this.#room(signal)
    }
  }

  /** What waits behind it is newer: it goes on only while it makes progress. */
  hurry(manifest: Manifest): void {
    this.#swarm.hurry(payloadId(manifest))
    if (this.#loads.size > 0) this.#plan()
  }

  /** Null where there is no room. */
  #begin(manifest: Manifest): Load | null {
    const { payloadBytes } = manifest
    if (this.#awaitedBytes > 0 && this.#awaitedBytes + payloadBytes > AWAITED_BYTES_MAX) return null
    this.#awaitedBytes += payloadBytes
    const load = { payload: HeldPayload.awaited(manifest), stop: manyListeners() }
    this.#loads.set(load.payload.id, load)
    this.#parts.shelf.begin(load.payload)
    return load
  }

  /** There may be some now, or it was aborted. */
  #room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  async #joined(load: Load, author: MemberId, signal: AbortSignal): Promise<HeldPayload> {
    const { promise, ...waiter } = Promise.withResolvers<HeldPayload>()
    const { id, have } = load.payload
    const abort = (): void => {
      waiter.reject(ENDED)
      if (this.#waiters.leave(id, waiter)) this.#end(load)
    }
    signal.addEventListener('abort', abort, { once: true })
    this.#waiters.join(id, waiter)
    this.#swarm.want(id, author, have, performance.now())
    for (const [peer, told] of this.#told) this.#hear(peer, id, told.get(id))
    this.#plan()
    return promise.finally(() => signal.removeEventListener('abort', abort))
  }

  /** All who wait get what came of it. A load that is over already tells nobody: its payload may be loaded anew. */
  #settle(load: Load, error: ConsiliumError | null): void {
    const { payload } = load
    if (this.#loads.get(payload.id) !== load) return
    for (const waiter of this.#waiters.settle(payload.id)) {
      if (error === null) waiter.resolve(payload)
      else waiter.reject(error)
    }
    this.#end(load)
  }

  #end(load: Load): void {
    const { id, have, manifest } = load.payload
    this.#swarm.drop(id)
    this.#loads.delete(id)
    load.stop.abort()
    if (!have.isFull) this.#parts.shelf.end(id)
    if (this.#loads.size === 0) this.#rest()
    this.#awaitedBytes -= manifest.payloadBytes
    for (const wake of this.#queue.splice(0)) wake()
  }

  /** Asks for whatever can be asked for now, once for all events of this turn. */
  #plan(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    setImmediate(() => {
      this.#isPlanned = false
      this.#advance()
    })
  }

  #advance(): void {
    const now = performance.now()
    for (const id of this.#swarm.overdue(now)) {
      const load = this.#loads.get(id)
      if (load !== undefined) this.#settle(load, UNSERVED)
    }
    if (this.#loads.size === 0) return
    for (const { member, connected } of this.#parts.transport.peers()) {
      if (connected && !this.#told.has(member)) void this.#listen(member, this.#listening.signal)
    }
    for (const request of this.#swarm.next(now)) void this.#ask(request)
    if (this.#timer !== null) clearTimeout(this.#timer)
    const wakeMs = (this.#swarm.wakeAtMs(now) ?? Number.POSITIVE_INFINITY) - now
    this.#timer = setTimeout(() => this.#advance(), Math.min(LOOK_MS, Math.max(1, wakeMs)))
  }

  #rest(): void {
    this.#listening.abort()
    this.#listening = manyListeners()
    this.#told.clear()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Ends with the connection, or when nothing is fetched any more; a connected peer is listened to again at the next look. Never throws. */
  async #listen(peer: MemberId, signal: AbortSignal): Promise<void> {
    const told = new Map<Digest, Uint8Array>()
    this.#told.set(peer, told)
    try {
      const options = { signal, frameBytesMax: HELD_FRAME_BYTES_MAX }
      for await (const frame of this.#parts.transport.request(peer, FETCH.held, new Uint8Array(0), options)) {
        if (frame.length === 0) continue
        const { id, bits } = decodeHeld(frame)
        if (told.size >= TOLD_MAX && !told.has(id)) continue
        told.set(id, bits)
        this.#hear(peer, id, bits)
        this.#plan()
      }
    } catch (error) {
      this.#blame(peer, error)
    }
    if (this.#told.get(peer) !== told) return
    this.#swarm.gone(peer)
    // the next look, not this turn: who refuses to tell must not be asked in a circle
    setTimeout(() => this.#told.get(peer) === told && this.#told.delete(peer), LOOK_MS).unref()
  }

  #hear(peer: MemberId, id: Digest, bits: Uint8Array | undefined): void {
    if (bits !== undefined && !this.#swarm.heard(peer, id, bits)) this.#parts.onFault(peer, 'chunks-malformed')
  }

  /** Never throws; ends with one report to the swarm. */
  async #ask(request: ChunkRequest): Promise<void> {
    const { peer } = request
    let outcome: number | 'wrong' | 'failed' = 0
    try {
      outcome = await this.#take(request)
    } catch (error) {
      outcome = this.#blame(peer, error) ? 'wrong' : 'failed'
    }
    if (outcome === 'wrong') this.#parts.onFault(peer, 'chunk-wrong')
    this.#swarm.ended(request, outcome, performance.now())
    this.#plan()
  }

  async #take({ peer, id, wanted, count, first }: ChunkRequest): Promise<number | 'wrong'> {
    const load = this.#loads.get(id)
    if (load === undefined) return 0
    const { payload, stop } = load
    const options = { signal: stop.signal, frameBytesMax: CHUNK_FRAME_BYTES_MAX }
    const ask = encodeChunks({ id, wanted, count, first })
    let got = 0
    for await (const frame of this.#parts.transport.request(peer, FETCH.chunks, ask, options)) {
      if (this.#loads.get(id) !== load) return got
      const { index, chunk } = decodeChunk(frame)
      if (index >= wanted.length || !wanted.has(index) || got === count) return 'wrong'
      const put = payload.put(index, chunk)
      if (put === 'wrong') return 'wrong'
      got++
      if (put !== 'taken') continue
      this.#swarm.received(id, index, performance.now())
      this.#parts.server.changed(id)
      if (payload.have.isFull) this.#settle(load, null)
    }
    return got
  }

  /** Whether what a peer sent has no honest reading. */
  #blame(peer: MemberId, error: unknown): boolean {
    if (!(error instanceof ConsiliumError)) throw new Error(`fetching from ${peer}: ${messageOf(error)}`)
    return error.blame === 'reject'
  }
}

/** As many requests as there are peers end with it. */
function manyListeners(): AbortController {
  const control = new AbortController()
  setMaxListeners(0, control.signal)
  return control
}

const UNSERVED = new ConsiliumError({
  code: 'update-unserved',
  message: 'nobody who is connected has the weights of this update any more',
})
const ENDED = new ConsiliumError({ code: 'fetch-ended', message: 'it is not wanted any more' })
