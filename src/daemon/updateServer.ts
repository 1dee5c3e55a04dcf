/** Answers what other members ask about updates: messages and chunks that are here, and tells them of chunks as they arrive. */
import type { Digest } from '../core/ids.ts'
import { Bitfield } from '../gossip/bitfield.ts'
import {
  type ChunksRequest,
  decodeChunks,
  decodeNewest,
  decodeOne,
  encodeChunk,
  encodeHeld,
  FETCH,
} from '../gossip/fetchWire.ts'
import type { HeldPayload } from '../gossip/heldPayload.ts'
import type { Shelf } from '../gossip/shelf.ts'
import type { Transport } from '../net/transport.ts'

const GATHER_MS = 25 // chunks that come in such a time are told together
const STILL_HERE_MS = 3_000 // a third of what a receiver waits for a frame

/** One per node. Whoever changes the shelf's payloads, or what of them is withheld, calls `changed`. */
export class UpdateServer {
  readonly #shelf: Shelf
  /** What each listener was not told yet. */
  readonly #listeners = new Set<Listener>()

  constructor(shelf: Shelf) {
    this.#shelf = shelf
  }

  async serve(transport: Pick<Transport, 'handle'>): Promise<void> {
    await transport.handle(FETCH.newest, (_, request) => this.#newest(request))
    await transport.handle(FETCH.one, (_, request) => this.#one(request))
    await transport.handle(FETCH.held, (_, __, signal) => this.#held(signal))
    await transport.handle(FETCH.chunks, (_, request) => this.#chunks(decodeChunks(request)), true)
  }

  /** A payload has come, in whole or by a chunk; or it is withheld, or not any more. */
  changed(id: Digest): void {
    for (const listener of this.#listeners) listener.tell(id)
  }

  async *#newest(request: Uint8Array): AsyncIterable<Uint8Array> {
    const { study, known } = decodeNewest(request)
    for (const shelved of this.#shelf.current(study)) {
      const { header, message } = shelved
      if (header.round > (known.get(header.author) ?? -1) && !this.#shelf.isWithheld(shelved)) yield message
    }
  }

  async *#one(request: Uint8Array): AsyncIterable<Uint8Array> {
    const { study, author, digest } = decodeOne(request)
    const found = this.#shelf.find(study, author, digest)
    if (found !== null && !this.#shelf.isWithheld(found)) yield found.message
  }

  /** Everything that is here, then what changes, until the other side has enough. */
  async *#held(signal: AbortSignal): AsyncIterable<Uint8Array> {
    const listener = new Listener()
    this.#listeners.add(listener)
    try {
      for (const payload of this.#shelf.payloads()) yield encodeHeld(payload.id, this.#shown(payload))
      while (!signal.aborted) {
        const ids = await listener.wait(signal)
        if (ids === null) yield new Uint8Array(0)
        for (const id of ids ?? []) {
          const payload = this.#shelf.payload(id)
          if (payload !== null) yield encodeHeld(id, this.#shown(payload))
        }
      }
    } finally {
      this.#listeners.delete(listener)
    }
  }

  #shown({ id, have }: HeldPayload): Bitfield {
    return this.#shelf.isPayloadWithheld(id) ? new Bitfield(have.length) : have
  }

  /** What was given out and not taken is given to somebody else. */
  async *#chunks({ id, wanted, count, first }: ChunksRequest): AsyncIterable<Uint8Array> {
    const payload = this.#shelf.payload(id)
    if (payload === null || wanted.length !== payload.manifest.chunks.length) return
    for (let given = 0; given < count; given++) {
      const index = this.#shelf.isPayloadWithheld(id) ? null : payload.give(wanted, first)
      if (index === null) return
      wanted.clear(index)
      let isTaken = false
      try {
        yield encodeChunk(index, payload.chunk(index))
        isTaken = true
      } finally {
        if (!isTaken) payload.takeBack(index)
      }
    }
  }
}

/** What one listener was not told yet. */
class Listener {
  readonly #ids = new Set<Digest>()
  #wake: () => void = () => undefined

  tell(id: Digest): void {
    this.#ids.add(id)
    this.#wake()
  }

  /** What has changed, a moment after the first of it did; null where nothing does for a while. */
  async wait(signal: AbortSignal): Promise<Digest[] | null> {
    if (this.#ids.size === 0) await this.#sleep(STILL_HERE_MS, signal, true)
    if (this.#ids.size === 0) return null
    await this.#sleep(GATHER_MS, signal, false)
    const ids = [...this.#ids]
    this.#ids.clear()
    return ids
  }

  #sleep(ms: number, signal: AbortSignal, wakes: boolean): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#wake = () => undefined
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
      if (wakes) this.#wake = done
    })
  }
}
