/** A payload that is here, in whole or in part: chunks are checked as they come, and served as soon as they are here. */
import { equalBytes } from '../core/bytes.ts'
import type { Digest } from '../core/ids.ts'
import { Bitfield } from './bitfield.ts'
import { chunkDigest, chunkRange, type Manifest, payloadId } from './manifest.ts'
import { Ration } from './ration.ts'

/** One per payload. Holds one copy of its bytes, and what it serves are views of that. */
export class HeldPayload {
  readonly id: ReturnType<typeof payloadId>
  readonly manifest: Manifest
  readonly bytes: Uint8Array
  readonly have: Bitfield
  readonly #ration: Ration
  #asked = false

  private constructor(manifest: Manifest, bytes: Uint8Array, have: Bitfield) {
    this.id = payloadId(manifest)
    this.manifest = manifest
    this.bytes = bytes
    this.have = have
    this.#ration = new Ration(manifest.chunks.length)
  }

  /** All of it is here; `bytes` must not change any more. */
  static whole(manifest: Manifest, bytes: Uint8Array): HeldPayload {
    return new HeldPayload(manifest, bytes, Bitfield.full(manifest.chunks.length))
  }

  /** Bytes that came in another way; null where they are not what the manifest says. */
  static checked(manifest: Manifest, bytes: Uint8Array): HeldPayload | null {
    const isChunk = (digest: Digest, i: number): boolean =>
      chunkDigest(bytes.subarray(...chunkRange(manifest, i))) === digest
    const isIt = bytes.length === manifest.payloadBytes && manifest.chunks.every(isChunk)
    return isIt ? HeldPayload.whole(manifest, bytes) : null
  }

  /** Nothing of it is here yet. */
  static awaited(manifest: Manifest): HeldPayload {
    return new HeldPayload(manifest, new Uint8Array(manifest.payloadBytes), new Bitfield(manifest.chunks.length))
  }

  /** Takes a chunk that came; `wrong` where it is none of this payload, or not that one. */
  put(index: number, chunk: Uint8Array): 'taken' | 'known' | 'wrong' {
    const digest = this.manifest.chunks[index]
    if (digest === undefined) return 'wrong'
    const [from, to] = chunkRange(this.manifest, index)
    if (this.have.has(index)) return equalBytes(this.chunk(index), chunk) ? 'known' : 'wrong'
    if (chunk.length !== to - from || chunkDigest(chunk) !== digest) return 'wrong'
    this.bytes.set(chunk, from)
    this.have.set(index)
    return 'taken'
  }

  chunk(index: number): Uint8Array {
    return this.bytes.subarray(...chunkRange(this.manifest, index))
  }

  /** As `Ration.give`. */
  give(wanted: Bitfield, first: boolean): number | null {
    this.#asked = true
    return this.#ration.give(this.have, wanted, first)
  }

  /** Whether somebody has asked for any of it since this was called last. */
  wasAsked(): boolean {
    const asked = this.#asked
    this.#asked = false
    return asked
  }

  /** It did not arrive. */
  takeBack(index: number): void {
    this.#ration.takeBack(index)
  }
}
