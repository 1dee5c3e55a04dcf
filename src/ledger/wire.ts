/** What replication says over streams: a range request, frames that each end at a signed head, and the vector of heads. */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type RangeResult, storedHead, type Tip, verifyRange } from './chain.ts'
import type { Entry } from './entry.ts'
import { openHead } from './head.ts'
import type { LogBatch } from './store.ts'

const CBOR_HEAD_MAX = 5 // a length below 2^32
export const FRAME_BYTES_MAX = LIMITS.rangeBytesMax + LIMITS.headBytesMax + (LIMITS.rangeEntriesMax + 3) * CBOR_HEAD_MAX
const HEADS_PER_FRAME_MAX = 128 // 43 kB of usual heads: a vector of 1,000 members is 8 frames
export const HEADS_FRAME_BYTES_MAX = HEADS_PER_FRAME_MAX * (LIMITS.headBytesMax + CBOR_HEAD_MAX) + CBOR_HEAD_MAX
const REQUEST_VERSION = 1

/** Asks for `author`'s entries from `fromSize` on, up to whatever the answerer has. */
export interface RangeRequest {
  readonly author: MemberId
  readonly fromSize: number
}

/** Entries with the head that covers them: the head's size is the number of entries before plus those in the frame. */
export interface Frame {
  readonly note: Uint8Array
  readonly raws: readonly Uint8Array[]
}

/** CBOR of [1, author as 32 bytes, size]. */
export function encodeRangeRequest({ author, fromSize }: RangeRequest): Uint8Array {
  return encodeCbor([REQUEST_VERSION, fromHex(author), fromSize])
}

/** Errors: `range-request-malformed` and those of `decodeCbor`; they blame the sender. */
export function decodeRangeRequest(bytes: Uint8Array): RangeRequest {
  const value = decodeCbor(bytes, LIMITS.requestBytesMax)
  const [version, author, fromSize] = Array.isArray(value) && value.length === 3 ? (value as Cbor[]) : []
  if (
    version !== REQUEST_VERSION ||
    !isBytes(author, 32, 32) ||
    typeof fromSize !== 'number' ||
    !Number.isSafeInteger(fromSize) ||
    fromSize < 0
  ) {
    throw malformed('range-request-malformed', 'a range request is [1, author, size]')
  }
  return { author: toHex(author) as MemberId, fromSize }
}

/** CBOR of [note, entries]. The caller keeps to `LIMITS.rangeBytesMax` and `LIMITS.rangeEntriesMax`. */
export function encodeFrame({ note, raws }: Frame): Uint8Array {
  const bytes = encodeCbor([note, raws])
  invariant(bytes.length <= FRAME_BYTES_MAX && raws.length <= LIMITS.rangeEntriesMax, 'a frame within its bounds')
  return bytes
}

/** Errors: `frame-malformed` and those of `decodeCbor`; they blame the sender. Checks no signature and no hash. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const value = decodeCbor(bytes, FRAME_BYTES_MAX)
  const [note, raws] = Array.isArray(value) && value.length === 2 ? (value as Cbor[]) : []
  if (
    !isBytes(note, 1, LIMITS.headBytesMax) ||
    !Array.isArray(raws) ||
    raws.length === 0 ||
    raws.length > LIMITS.rangeEntriesMax
  ) {
    throw malformed('frame-malformed', `a frame is [note, [1 to ${LIMITS.rangeEntriesMax} entries]]`)
  }
  if (!(raws as Cbor[]).every((raw) => isBytes(raw, 1, LIMITS.entryBytesMax)))
    throw malformed('frame-malformed', 'an entry is too large')
  return { note, raws: raws as unknown as Uint8Array[] }
}

/** A checked frame, ready to be stored. */
export interface OpenedFrame {
  readonly batch: LogBatch
  readonly tip: Tip
  readonly entries: readonly Entry[]
}

/**
 * Reads a frame that should continue the log at `tip` and checks all of it: bounds, then signature, then entries, then root.
 * Errors: those of `decodeFrame`, `openHead` and `verifyRange`, each with its blame.
 */
export function openFrame(tip: Tip, bytes: Uint8Array, founding: Digest): OpenedFrame {
  const { note, raws } = decodeFrame(bytes)
  const result: RangeResult = verifyRange(tip, raws, openHead(note, founding))
  if (!result.ok)
    throw new ConsiliumError({ code: result.code, message: `range refused: ${result.message}`, blame: result.blame })
  const batch = {
    author: tip.author,
    from: tip.size,
    entries: raws,
    head: storedHead(result.tip, note),
    nodes: result.nodes,
  }
  return { batch, tip: result.tip, entries: result.entries }
}

/** The heads that a node holds, as one or more frames. */
export function encodeHeads(notes: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let at = 0; at < notes.length; at += HEADS_PER_FRAME_MAX)
    frames.push(encodeCbor(notes.slice(at, at + HEADS_PER_FRAME_MAX)))
  return frames
}

/** The notes in one frame, unverified. Errors: `heads-malformed` and those of `decodeCbor`; they blame the sender. */
export function decodeHeads(bytes: Uint8Array): Uint8Array[] {
  const value = decodeCbor(bytes, HEADS_FRAME_BYTES_MAX)
  if (!Array.isArray(value) || value.length === 0 || value.length > HEADS_PER_FRAME_MAX) {
    throw malformed('heads-malformed', `a head vector is an array of 1 to ${HEADS_PER_FRAME_MAX} notes`)
  }
  if (!value.every((note) => isBytes(note, 1, LIMITS.headBytesMax)))
    throw malformed('heads-malformed', 'a note is not bytes, or too large')
  return value as Uint8Array[]
}

function isBytes(value: Cbor | undefined, min: number, max: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length >= min && value.length <= max
}

function malformed(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message: `replication message refused: ${message}`, blame: 'reject' })
}
