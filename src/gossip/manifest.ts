/** What an update that is too long for one message says of its payload: the digests of its chunks, by which anybody's copy is as good. */
import { type ByteReader, ByteWriter, fromHex, toHex } from '../core/bytes.ts'
import { taggedDigest } from '../core/digest.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'

/** All chunks are `chunkBytes` long but the last. */
export interface Manifest {
  readonly payloadBytes: number
  readonly chunkBytes: number
  readonly chunks: readonly Digest[]
}

/** The longest payload: of float32, the longest coding. */
export const PAYLOAD_BYTES_MAX = LIMITS.modelBytesMax

/** How long the chunks of a payload are: the smallest power of two that gives not too many of them. */
export function chunkBytesOf(payloadBytes: number): number {
  let chunkBytes: number = LIMITS.chunkBytesMin
  while (Math.ceil(payloadBytes / chunkBytes) > LIMITS.chunksMax) chunkBytes *= 2
  return chunkBytes
}

/** Cuts a payload. */
export function manifestOf(payload: Uint8Array): Manifest {
  invariant(payload.length > 0 && payload.length <= PAYLOAD_BYTES_MAX, `a payload of ${payload.length} bytes`)
  const chunkBytes = chunkBytesOf(payload.length)
  const chunks: Digest[] = []
  for (let at = 0; at < payload.length; at += chunkBytes)
    chunks.push(chunkDigest(payload.subarray(at, at + chunkBytes)))
  return { payloadBytes: payload.length, chunkBytes, chunks }
}

/** The name by which a chunk is checked. */
export function chunkDigest(chunk: Uint8Array): Digest {
  return taggedDigest('chunk', chunk)
}

/** A payload's name among nodes, whoever signed for it. */
export function payloadId(manifest: Manifest): Digest {
  return taggedDigest('payload', encodeManifest(manifest))
}

/** Where a chunk lies in its payload. */
export function chunkRange({ payloadBytes, chunkBytes }: Manifest, index: number): readonly [from: number, to: number] {
  return [index * chunkBytes, Math.min(payloadBytes, (index + 1) * chunkBytes)]
}

/** payload bytes, chunk bytes (u32 each), then 32 bytes for each chunk. */
export function encodeManifest({ payloadBytes, chunkBytes, chunks }: Manifest): Uint8Array {
  const writer = new ByteWriter().u32(payloadBytes).u32(chunkBytes)
  for (const chunk of chunks) writer.bytes(fromHex(chunk))
  return writer.finish()
}

/** Error, blaming the sender: `update-manifest`, for lengths that no author uses; `truncated`. */
export function readManifest(read: ByteReader): Manifest {
  const payloadBytes = read.u32()
  const chunkBytes = read.u32()
  const fits = chunkBytes >= LIMITS.chunkBytesMin && chunkBytes <= LIMITS.chunkBytesMax
  const count = Math.ceil(payloadBytes / chunkBytes)
  if (!fits || payloadBytes === 0 || payloadBytes > PAYLOAD_BYTES_MAX || count > LIMITS.chunksMax) {
    const message = `a payload of ${payloadBytes} bytes in chunks of ${chunkBytes}`
    throw new ConsiliumError({ code: 'update-manifest', message, blame: 'reject' })
  }
  return { payloadBytes, chunkBytes, chunks: Array.from({ length: count }, () => toHex(read.bytes(32)) as Digest) }
}
