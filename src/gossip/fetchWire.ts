/** What nodes ask each other about updates, over streams: the newest messages, one message, what payloads are here, and chunks. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { Bitfield } from './bitfield.ts'

/** The protocols. `held` frames go on coming while something changes; an empty frame says that nothing did. */
export const FETCH = {
  newest: '/consilium/updates/newest/1',
  one: '/consilium/updates/one/1',
  held: '/consilium/updates/held/1',
  chunks: '/consilium/updates/chunks/1',
} as const

const INDEX_BYTES = 2
const ID_BYTES = 32
/** The longest frame of chunks, and of what is held. */
export const CHUNK_FRAME_BYTES_MAX = INDEX_BYTES + LIMITS.chunkBytesMax
export const HELD_FRAME_BYTES_MAX = ID_BYTES + LIMITS.chunksMax / 8

/** What is known already: the newest round of each author. The answer is a message a frame, of newer ones. */
export interface NewestRequest {
  readonly study: StudyId
  readonly known: ReadonlyMap<MemberId, number>
}

/** study 32, how many authors u16, then author 32 and round u32 of each. */
export function encodeNewest({ study, known }: NewestRequest): Uint8Array {
  const writer = new ByteWriter().bytes(fromHex(study)).u16(known.size)
  for (const [author, round] of known) writer.bytes(fromHex(author)).u32(round)
  return writer.finish()
}

/** Errors, blaming the sender: `truncated`, `trailing-bytes`, `request-malformed`. */
export function decodeNewest(bytes: Uint8Array): NewestRequest {
  const read = new ByteReader(bytes)
  const study = toHex(read.bytes(32)) as StudyId
  const count = read.u16()
  if (count > LIMITS.membersMax) throw malformed(`${count} authors`)
  const known = new Map<MemberId, number>()
  for (let i = 0; i < count; i++) known.set(toHex(read.bytes(32)) as MemberId, read.u32())
  read.end()
  return { study, known }
}

/** One update by its author and the digest of its weights. The answer is its message, or nothing. */
export interface OneRequest {
  readonly study: StudyId
  readonly author: MemberId
  readonly digest: Digest
}

/** study, author, digest: 96 bytes. */
export function encodeOne({ study, author, digest }: OneRequest): Uint8Array {
  return new ByteWriter().bytes(fromHex(study)).bytes(fromHex(author)).bytes(fromHex(digest)).finish()
}

/** Errors, blaming the sender: `truncated`, `trailing-bytes`. */
export function decodeOne(bytes: Uint8Array): OneRequest {
  const read = new ByteReader(bytes)
  const [study, author, digest] = [toHex(read.bytes(32)), toHex(read.bytes(32)), toHex(read.bytes(32))]
  read.end()
  return { study: study as StudyId, author: author as MemberId, digest: digest as Digest }
}

/** A payload and which of its chunks are here. */
export function encodeHeld(id: Digest, have: Bitfield): Uint8Array {
  return new ByteWriter().bytes(fromHex(id)).bytes(have.bytes).finish()
}

/** Error, blaming the sender: `truncated`. What the bits mean, the manifest says. */
export function decodeHeld(frame: Uint8Array): { id: Digest; bits: Uint8Array } {
  const read = new ByteReader(frame)
  return { id: toHex(read.bytes(ID_BYTES)) as Digest, bits: read.bytes(read.left) }
}

/** At most `count` of these chunks; `first`: only such as were given to nobody yet. The answer is a chunk a frame. */
export interface ChunksRequest {
  readonly id: Digest
  readonly first: boolean
  readonly count: number
  readonly wanted: Bitfield
}

/** id 32, first u8, count u16, chunks of the payload u16, then a bit for each. */
export function encodeChunks({ id, first, count, wanted }: ChunksRequest): Uint8Array {
  const writer = new ByteWriter()
    .bytes(fromHex(id))
    .u8(first ? 1 : 0)
    .u16(count)
  return writer.u16(wanted.length).bytes(wanted.bytes).finish()
}

/** Errors, blaming the sender: `truncated`, `trailing-bytes`, `request-malformed`. */
export function decodeChunks(bytes: Uint8Array): ChunksRequest {
  const read = new ByteReader(bytes)
  const id = toHex(read.bytes(ID_BYTES)) as Digest
  const first = read.u8()
  const count = read.u16()
  const length = read.u16()
  if (first > 1 || length > LIMITS.chunksMax) throw malformed(`${length} chunks`)
  const wanted = Bitfield.read(length, read.bytes(Math.ceil(length / 8)))
  if (wanted === null) throw malformed('bits beyond the last chunk')
  read.end()
  return { id, first: first === 1, count, wanted }
}

/** Its index u16, then its bytes. */
export function encodeChunk(index: number, chunk: Uint8Array): Uint8Array {
  return new ByteWriter().u16(index).bytes(chunk).finish()
}

/** Error, blaming the sender: `truncated`. */
export function decodeChunk(frame: Uint8Array): { index: number; chunk: Uint8Array } {
  const read = new ByteReader(frame)
  return { index: read.u16(), chunk: frame.subarray(INDEX_BYTES) }
}

function malformed(message: string): ConsiliumError {
  return new ConsiliumError({ code: 'request-malformed', message, blame: 'reject' })
}
