/** A checkpoint with the numbers that it names, and the bytes in which a node keeps it. */
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { bytesFloat, bytesUnder } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { CodingNumber } from '../gossip/coding/coding.ts'
import type { Checkpoint } from '../node/checkpoint.ts'
import type { StoredCoding } from './updateCoder.ts'

/** The machine's part, the shared weights, and what is private to the hospital: never sent, stored only here. */
export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint
  readonly shared: Float32Array
  readonly head: Float32Array
  readonly optimiser: Uint8Array
  /** How the newest own update was written; the residual in it is private too. */
  readonly coding: StoredCoding
}

const VERSION = 2
const CHECKPOINT_BYTES_MAX = 8 * LIMITS.modelBytesMax // shared weights, two optimiser moments, payload, keyframe and residual, with room

/** CBOR of [version, checkpoint, shared, head, optimiser, coding]; weights as little-endian float32. */
export function encodeCheckpoint({ checkpoint, shared, head, optimiser, coding }: StoredCheckpoint): Uint8Array {
  const plain = { ...checkpoint, parents: [...checkpoint.parents] } as unknown as Cbor
  return encodeCbor([VERSION, plain, bytesUnder(shared), bytesUnder(head), optimiser, plainCoding(coding)])
}

/** Reads what `encodeCheckpoint` wrote, now or in version 1, which knew float32 alone. Errors: `database-newer`, those of `decodeCbor`. */
export function decodeCheckpoint(bytes: Uint8Array): StoredCheckpoint {
  const [version, checkpoint, shared, head, optimiser, coding] = decodeCbor(bytes, CHECKPOINT_BYTES_MAX) as [
    number,
    unknown,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    PlainCoding | undefined,
  ]
  if (version !== VERSION && version !== 1) {
    throw new ConsiliumError({
      code: 'database-newer',
      message: `a checkpoint of version ${version} was found; this version reads ${VERSION}: run the newer Consilium again`,
    })
  }
  const weights = { shared: bytesFloat(shared), head: bytesFloat(head) }
  return { checkpoint: checkpoint as Checkpoint, ...weights, optimiser, coding: readCoding(coding ?? null) }
}

type PlainKeyframe = [round: number, digest: Digest, weights: Uint8Array] | null
/** [coding, reference, payload, keyframe, residual]. */
type PlainCoding = [CodingNumber, Digest | null, Uint8Array, PlainKeyframe, Uint8Array | null] | null

function plainCoding(coding: StoredCoding): PlainCoding {
  if (coding === null) return null
  const { written, state } = coding
  const { keyframe, residual } = state
  const sent: PlainKeyframe = keyframe === null ? null : [keyframe.round, keyframe.digest, bytesUnder(keyframe.weights)]
  return [written.coding, written.reference, written.payload, sent, residual === null ? null : bytesUnder(residual)]
}

function readCoding(plain: PlainCoding): StoredCoding {
  if (plain === null) return null
  const [coding, reference, payload, sent, residual] = plain
  const keyframe = sent === null ? null : { round: sent[0], digest: sent[1], weights: bytesFloat(sent[2]) }
  const state = { keyframe, residual: residual === null ? null : bytesFloat(residual) }
  return { written: { coding, reference, payload }, state }
}
