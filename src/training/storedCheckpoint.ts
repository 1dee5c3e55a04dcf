/** A checkpoint with the numbers that it names, and the bytes in which a node keeps it. */
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { bytesFloat, bytesUnder } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { CodingNumber } from '../gossip/coding/coding.ts'
import type { Weights } from '../learn/learner.ts'
import type { Checkpoint } from '../node/checkpoint.ts'
import { type LocalState, localStateFromCbor, localStateToCbor, NO_LOCAL_STATE } from './localState.ts'
import type { StoredCoding } from './updateCoder.ts'

/** The machine's part, the shared weights, and what is private to the hospital: never sent, stored only here. */
export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint
  readonly shared: Float32Array
  readonly head: Float32Array
  readonly optimiser: Uint8Array
  readonly local: LocalState
  /** The model that `checkpoint.standing` calls the best, as this hospital had it; null before the first merge. */
  readonly best: Weights | null
  /** How the newest own update was written; the residual in it is private too. */
  readonly coding: StoredCoding
  /** Of the updates that `checkpoint.others` names those that there was room for: the folder of updates is written later, and a kill may come first. */
  readonly others: readonly Float32Array[]
}

const VERSION = 2 // 1 had neither local state nor best model, and float32 alone
const CHECKPOINT_BYTES_MAX = 16 * LIMITS.modelBytesMax // shared weights, moments, steering, best, personal and its moments, payload, keyframe, residual

/**
 * CBOR of [version, checkpoint, shared, head, optimiser, local, best or null where it is the newest, coding, and others where there are any];
 * weights as little-endian float32.
 */
export function encodeCheckpoint(stored: StoredCheckpoint): Uint8Array {
  const { checkpoint, shared, head, optimiser, local, best, coding, others } = stored
  const plain = { ...checkpoint, parents: [...checkpoint.parents] } as unknown as Cbor
  const isNewest = checkpoint.standing?.best.model === checkpoint.shared
  const kept = best === null || isNewest ? null : [bytesUnder(best.shared), bytesUnder(best.head)]
  const numbers = [bytesUnder(shared), bytesUnder(head), optimiser]
  const tested = others.length === 0 ? [] : [others.map(bytesUnder)]
  return encodeCbor([VERSION, plain, ...numbers, localStateToCbor(local), kept, plainCoding(coding), ...tested])
}

/** Reads what `encodeCheckpoint` wrote, in this version or the one before. Errors: `database-newer`, those of `decodeCbor`. */
export function decodeCheckpoint(bytes: Uint8Array): StoredCheckpoint {
  const [version, checkpoint, shared, head, optimiser, local, best, coding, others = []] = decodeCbor(
    bytes,
    CHECKPOINT_BYTES_MAX,
  ) as PlainCheckpoint
  if (version > VERSION) {
    throw new ConsiliumError({
      code: 'database-newer',
      message: `a checkpoint of version ${version} was found; this version reads ${VERSION}: run the newer Consilium again`,
    })
  }
  const numbers = { shared: bytesFloat(shared), head: bytesFloat(head), optimiser }
  if (version === 1) {
    const before = checkpoint as Omit<Checkpoint, 'standing'>
    const since = { local: NO_LOCAL_STATE, best: null, coding: null, others: [] }
    return { checkpoint: { ...before, standing: null }, ...numbers, ...since }
  }
  const { shared: newest, standing } = checkpoint as Checkpoint
  const other = best && { shared: bytesFloat(best[0]), head: bytesFloat(best[1]) }
  const isNewest = standing?.best.model === newest
  return {
    checkpoint: checkpoint as Checkpoint,
    ...numbers,
    local: localStateFromCbor(local),
    best: isNewest ? { shared: numbers.shared, head: numbers.head } : other,
    coding: readCoding(coding),
    others: others.map(bytesFloat),
  }
}

type PlainCheckpoint = [
  ...[
    version: number,
    checkpoint: unknown,
    shared: Uint8Array,
    head: Uint8Array,
    optimiser: Uint8Array,
    local: unknown,
  ],
  ...[best: [Uint8Array, Uint8Array] | null, coding: PlainCoding, others?: Uint8Array[]],
]
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
