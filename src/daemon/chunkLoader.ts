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

interface Load {
  readonly payload: HeldPayload
  readonly stop: AbortController
  readonly done: (error: ConsiliumError | null) => void
}

/** One per node. Nothing runs while nothing is fetched. */
export class ChunkLoader {
  readonly #parts: ChunkLoaderParts
  readonly #swarm: Swarm
  readonly #loads = new Map<Digest, Load>()
  /** What each peer that is listened to has told, of payloads that are not wanted yet, too. */
  readonly #told = new Map<MemberId, Map<Digest, Uint8Array>>()
  #listening = manyListeners()
  #isPlanned = false
  #timer: NodeJS.Timeout | null = null
  #awaitedBytes = 0
  readonly #waiting: (() => void)[] = []

  constructor(parts: ChunkLoaderParts) {
    this.#parts = parts
    this.#swarm = new Swarm(Rng.from('swarm', parts.seed))
  }

  /**
   * Resolves with the whole payload, which is served from its first chunk on, and then is the caller's to keep or to end. An abort takes
   * effect at once. Errors: `update-unserved`, `fetch-ended` after an abort.
   */
  async load(manifest: Manifest, author: MemberId, signal: AbortSignal): Promise<HeldPayload> {
    const { shelf } = this.#parts
    const known = shelf.payload(payloadId(manifest))
    if (known?.have.isFull) return known
    await this.#room(manifest.payloadBytes, signal)
    const payload = HeldPayload.awaited(manifest)
    shelf.begin(payload)
    try {
      await this.#loaded(payload, author, signal)
      return payload
    } catch (error) {
      shelf.end(payload.id)
      throw error
    } finally {
      this.#awaitedBytes -= manifest.payloadBytes
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  async #room(bytes: number, signal: AbortSignal): Promise<void> {
    while (this.#awaitedBytes > 0 && this.#awaitedBytes + bytes > AWAITED_BYTES_MAX) {
      if (signal.aborted) throw ENDED
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    if (signal.aborted) throw ENDED
    this.#awaitedBytes += bytes
  }

  async #loaded(payload: HeldPayload, author: MemberId, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { id } = payload
    const stop = manyListeners()
    const done: Load['done'] = (error) => {
      this.#swarm.drop(id)
      this.#loads.delete(id)
      stop.abort()
      if (error === null) resolve()
      else reject(error)
      if (this.#loads.size === 0) this.#rest()
    }
    const abort = (): void => done(ENDED)
    signal.addEventListener('abort', abort, { once: true })
    this.#loads.set(id, { payload, stop, done })
    this.#swarm.want(id, author, payload.have, performance.now())
    for (const [peer, told] of this.#told) this.#hear(peer, id, told.get(id))
    if (signal.aborted) abort()
    this.#plan()
    await promise.finally(() => signal.removeEventListener('abort', abort))
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
    for (const id of this.#swarm.overdue(now)) this.#loads.get(id)?.done(UNSERVED)
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
    const { peer, id } = request
    let outcome: number | 'wrong' | 'failed' = 0
    try {
      outcome = await this.#take(request)
    } catch (error) {
      outcome = this.#blame(peer, error) ? 'wrong' : 'failed'
    }
    if (outcome === 'wrong') this.#parts.onFault(peer, 'chunk-wrong')
    this.#swarm.ended(request, outcome, performance.now())
    const load = this.#loads.get(id)
    if (load?.payload.have.isFull) load.done(null)
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
      const { index, chunk } = decodeChunk(frame)
      if (index >= wanted.length || !wanted.has(index) || got === count) return 'wrong'
      const put = payload.put(index, chunk)
      if (put === 'wrong') return 'wrong'
      got++
      if (put !== 'taken') continue
      this.#swarm.received(id, index, performance.now())
      this.#parts.server.changed(id)
      if (payload.have.isFull) load.done(null)
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
