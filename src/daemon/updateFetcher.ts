/** Fetches the weights of announced updates, the keyframes that deltas are against, and what was said while this node was away. */
import { weightsDigest } from '../core/digest.ts'
import { ConsiliumError, invariant, messageOf } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import {
  allows,
  CODING,
  decodePayload,
  encodeFloat32,
  payloadBytes,
  type WeightFormat,
} from '../gossip/coding/coding.ts'
import { encodeNewest, encodeOne, FETCH } from '../gossip/fetchWire.ts'
import { HeldPayload } from '../gossip/heldPayload.ts'
import { payloadId } from '../gossip/manifest.ts'
import { type Parts, readParts } from '../gossip/partial.ts'
import type { Shelf } from '../gossip/shelf.ts'
import {
  decodeUpdate,
  isSigned,
  type Update,
  type UpdateBody,
  type UpdateHeader,
  type Verify,
} from '../gossip/update.ts'
import type { Transport } from '../net/transport.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import type { ChunkLoader } from './chunkLoader.ts'
import type { InputStore } from './inputStore.ts'
import type { Log } from './log.ts'
import type { UpdateServer } from './updateServer.ts'

/** An update with everything that belongs to it. */
export interface Arrival {
  readonly update: Update
  readonly message: Uint8Array
  readonly weights: Float32Array
  /** Null where the message carries it, or it cannot be had again. */
  readonly payload: HeldPayload | null
}

/** What a fetcher works with. `arrived` takes what was fetched; `take` a message that a peer told of, whose signature is valid. */
export interface UpdateFetcherParts {
  readonly transport: Pick<Transport, 'request' | 'peers'>
  readonly shelf: Shelf
  readonly server: UpdateServer
  readonly loader: ChunkLoader
  readonly inputs: Pick<InputStore, 'read'>
  readonly formatOf: (study: StudyId) => WeightFormat | null
  readonly verify: Verify
  readonly arrived: (arrival: Arrival) => void
  readonly take: (update: Update, message: Uint8Array, from: MemberId) => void
  readonly feed: (event: NodeEvent) => void
  readonly log: Log
}

interface Expected {
  readonly update: Update
  readonly message: Uint8Array
}

type FetchAction = Extract<Action, { type: 'fetch-update' }>

/** One per daemon. At most one fetch for each author of a study: the next one ends it. */
export class UpdateFetcher {
  readonly #parts: UpdateFetcherParts
  /** Announcements that were accepted, the newest of each author of a study, until they are fetched. */
  readonly #expected = new Map<string, Expected>()
  readonly #running = new Map<string, { readonly control: AbortController; readonly update: Update }>()

  constructor(parts: UpdateFetcherParts) {
    this.#parts = parts
  }

  /** An announcement was accepted: `fetch` comes next, or when what is being fetched of its author is here. */
  expect(update: Update, message: Uint8Array): void {
    const key = keyOf(update.header)
    this.#expected.set(key, { update, message })
    const before = this.#running.get(key)?.update.body.manifest
    if (before != null) this.#parts.loader.hurry(before)
  }

  /** Ends with `arrived`, with a `fetch-failed`, or in silence where a newer update took its place. */
  async fetch(action: FetchAction, stopping: AbortSignal): Promise<void> {
    const { type: _, ...wanted } = action
    const key = keyOf(action)
    this.#running.get(key)?.control.abort()
    const expected = this.#expected.get(key)
    if (expected?.update.header.digest !== action.digest) return
    this.#expected.delete(key)
    const control = new AbortController()
    this.#running.set(key, { control, update: expected.update })
    try {
      this.#parts.arrived(await this.#fetched(expected, AbortSignal.any([control.signal, stopping])))
    } catch (error) {
      if (control.signal.aborted || stopping.aborted) return
      const known = error instanceof ConsiliumError
      this.#parts.log('debug', 'fetch-failed', { ...wanted, error: messageOf(error) })
      const [code, blame] = [known ? error.code : 'fetch-failed', known && error.blame === 'reject']
      this.#parts.feed({ type: 'fetch-failed', ...wanted, code, blame })
    } finally {
      if (this.#running.get(key)?.control === control) this.#running.delete(key)
    }
  }

  /** What can be read now of an update that is being fetched; null where nothing can. */
  partsOf(study: StudyId, author: MemberId, digest: Digest): Parts | null {
    const { shelf, formatOf } = this.#parts
    const { header, body } = this.#running.get(keyOf({ study, author }))?.update ?? {}
    if (header?.digest !== digest || body?.manifest == null) return null
    const [payload, format] = [shelf.payload(payloadId(body.manifest)), formatOf(study)]
    return payload === null || format === null ? null : readParts(header, payload, format)
  }

  /** Takes every message that is newer than what is here; whoever sends one with a forged signature is to blame. Feeds `updates-told`. */
  async ask({ study, peer }: Extract<Action, { type: 'ask-updates' }>, signal: AbortSignal): Promise<void> {
    const { transport, shelf, take, feed } = this.#parts
    const known = new Map(shelf.newest(study).map(({ header }) => [header.author, header.round]))
    try {
      const options = { signal, frameBytesMax: LIMITS.updateBytesMax }
      let left: number = LIMITS.membersMax
      for await (const message of transport.request(peer, FETCH.newest, encodeNewest({ study, known }), options)) {
        const update = this.#signed(message)
        if (update.header.study !== study || left-- === 0) throw UNASKED
        take(update, message, peer)
      }
    } catch (error) {
      this.#blame(peer, error)
    } finally {
      feed({ type: 'updates-told', study, from: peer })
    }
  }

  async #fetched({ update, message }: Expected, signal: AbortSignal): Promise<Arrival> {
    const { inputs } = this.#parts
    const { header } = update
    const stored = await inputs.read(header.study, header.digest) // it was here before a restart
    if (stored !== null) return { update, message, weights: stored, payload: payloadOf(update, stored) }
    const reference = header.reference === null ? null : await this.#keyframe(header, header.reference, signal)
    return { update, message, ...(await this.#loaded(update, reference, signal)) }
  }

  /** Errors: those of `load`, and blaming the author those of `decodePayload`; then nothing of it is left here. */
  async #loaded(
    { header, body }: Update,
    reference: Float32Array | null,
    signal: AbortSignal,
  ): Promise<Pick<Arrival, 'weights' | 'payload'>> {
    const { shelf, loader } = this.#parts
    const payload = body.manifest === null ? null : await loader.load(body.manifest, header.author, signal)
    try {
      return { payload, weights: decodePayload(header.coding, bytesOf(body, payload), this.#format(header), reference) }
    } catch (error) {
      if (payload !== null) shelf.end(payload.id)
      throw error
    }
  }

  /** The weights that a delta is against: from here, from the disk, or from whoever has them, the author first. Error: `keyframe-unserved`. */
  async #keyframe({ study, author }: UpdateHeader, digest: Digest, signal: AbortSignal): Promise<Float32Array> {
    const { shelf, inputs, transport } = this.#parts
    const here = shelf.keyframe(study, author, digest) ?? (await inputs.read(study, digest))
    if (here !== null) return here
    const peers = transport.peers().flatMap(({ member, connected }) => (connected ? [member] : []))
    for (const peer of peers.sort((a, b) => Number(b === author) - Number(a === author))) {
      const found = await this.#keyframeFrom(peer, { study, author, digest }, signal)
      if (found !== null) return found
    }
    throw new ConsiliumError({
      code: 'keyframe-unserved',
      message: `nobody who is connected has the keyframe ${digest.slice(0, 12)} any more`,
    })
  }

  /** Null where `peer` does not have it; what is signed but cannot be read is its author's fault. */
  async #keyframeFrom(
    peer: MemberId,
    wanted: { readonly study: StudyId; readonly author: MemberId; readonly digest: Digest },
    signal: AbortSignal,
  ): Promise<Float32Array | null> {
    const { shelf, server } = this.#parts
    const found = await this.#messageFrom(peer, wanted, signal)
    if (found === null) return null
    const { update, message } = found
    const { header } = update
    requireWhole(update, this.#format(header))
    const { weights, payload } = await this.#loaded(update, null, signal)
    if (weightsDigest(weights) !== wanted.digest) {
      if (payload !== null) shelf.end(payload.id)
      throw new ConsiliumError({ code: 'update-digest', message: 'a keyframe of other weights', blame: 'reject' })
    }
    shelf.put({ message, header, payload, keyframe: weights })
    if (payload !== null) server.changed(payload.id)
    return weights
  }

  async #messageFrom(
    peer: MemberId,
    wanted: { readonly study: StudyId; readonly author: MemberId; readonly digest: Digest },
    signal: AbortSignal,
  ): Promise<Expected | null> {
    const { transport } = this.#parts
    try {
      const options = { signal, frameBytesMax: LIMITS.updateBytesMax }
      for await (const message of transport.request(peer, FETCH.one, encodeOne(wanted), options)) {
        const update = this.#signed(message)
        const { study, author, digest, coding } = update.header
        if (study !== wanted.study || author !== wanted.author || digest !== wanted.digest) throw UNASKED
        return coding === CODING.float16 ? { update, message } : null
      }
    } catch (error) {
      if (signal.aborted) throw error
      this.#blame(peer, error)
    }
    return null
  }

  /** Errors, blaming who sent it: those of `decodeUpdate`, `update-signature`. */
  #signed(message: Uint8Array): Update {
    const update = decodeUpdate(message)
    if (isSigned(update, this.#parts.verify)) return update
    throw new ConsiliumError({ code: 'update-signature', message: 'not signed by its author', blame: 'reject' })
  }

  #format({ study }: UpdateHeader): WeightFormat {
    const format = this.#parts.formatOf(study)
    if (format !== null) return format
    throw new ConsiliumError({ code: 'study-unknown', message: `study ${study.slice(0, 12)} is not known here` })
  }

  #blame(peer: MemberId, error: unknown): void {
    if (!(error instanceof ConsiliumError)) throw error
    this.#parts.log('debug', 'updates-not-told', { peer, error: messageOf(error) })
    if (error.blame === 'reject')
      this.#parts.feed({ type: 'malformed-heard', ticket: null, from: peer, code: error.code, blame: 'reject' })
  }
}

const keyOf = ({ study, author }: { study: StudyId; author: MemberId }): string => `${study} ${author}`

const UNASKED = new ConsiliumError({ code: 'update-unasked', message: 'an update nobody asked for', blame: 'reject' })

function bytesOf(body: UpdateBody, fetched: HeldPayload | null): Uint8Array {
  const bytes = fetched?.bytes ?? body.payload
  invariant(bytes !== null, 'a payload is inline or fetched')
  return bytes
}

/**
 * Before anything of a keyframe is fetched: it is written as the study says. Error, blaming the author: `payload-length`; `update-coding`
 * where the study has none.
 */
function requireWhole({ header: { coding }, body }: Update, format: WeightFormat): void {
  const [bytes] = payloadBytes(coding, format)
  if (!allows(format.coding, coding))
    throw new ConsiliumError({ code: 'update-coding', message: 'this study has no keyframes', blame: 'reject' })
  const told = body.manifest?.payloadBytes ?? bytesOf(body, null).length
  if (told === bytes) return
  const message = `a keyframe of ${told} bytes where the study's have ${bytes}`
  throw new ConsiliumError({ code: 'payload-length', message, blame: 'reject' })
}

/**
 * Of float32 the weights are the payload, so that it can be served again. Error, blaming the author, who signed both: `update-digest`, where
 * its chunks are not of the weights that it names.
 */
function payloadOf({ header, body }: Update, weights: Float32Array): HeldPayload | null {
  if (body.manifest === null || header.coding !== CODING.float32) return null
  const payload = HeldPayload.checked(body.manifest, encodeFloat32(weights))
  if (payload !== null) return payload
  throw new ConsiliumError({ code: 'update-digest', message: 'chunks of other weights', blame: 'reject' })
}
