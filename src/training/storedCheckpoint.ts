/** A checkpoint with the numbers that it names, and the bytes in which a node keeps it. */
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { bytesFloat, floatBytes } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Weights } from '../learn/learner.ts'
import type { Checkpoint } from '../node/checkpoint.ts'
import { type LocalState, localStateFromCbor, localStateToCbor, NO_LOCAL_STATE } from './localState.ts'

/** The machine's part, the shared weights, and what is private to the hospital: never sent, stored only here. */
export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint
  readonly shared: Float32Array
  readonly head: Float32Array
  readonly optimiser: Uint8Array
  readonly local: LocalState
  /** The model that `checkpoint.standing` calls the best, as this hospital had it; null before the first merge. */
  readonly best: Weights | null
}

const VERSION = 2 // 1 had neither local state nor best model
const CHECKPOINT_BYTES_MAX = 268_435_456 // shared weights nine times at most (moments, steering, best, personal and its moments), of models of 7 M

/** CBOR of [version, checkpoint, shared, head, optimiser, local, best or null where it is the newest]; weights as little-endian float32. */
export function encodeCheckpoint({ checkpoint, shared, head, optimiser, local, best }: StoredCheckpoint): Uint8Array {
  const plain = { ...checkpoint, parents: [...checkpoint.parents] } as unknown as Cbor
  const isNewest = checkpoint.standing?.best.model === checkpoint.shared
  const kept = best === null || isNewest ? null : [floatBytes(best.shared), floatBytes(best.head)]
  const numbers = [floatBytes(shared), floatBytes(head), optimiser]
  return encodeCbor([VERSION, plain, ...numbers, localStateToCbor(local), kept])
}

/** Reads what `encodeCheckpoint` wrote, in this version or the one before. Errors: `database-newer`, those of `decodeCbor`. */
export function decodeCheckpoint(bytes: Uint8Array): StoredCheckpoint {
  const [version, checkpoint, shared, head, optimiser, local, best] = decodeCbor(bytes, CHECKPOINT_BYTES_MAX) as [
    number,
    unknown,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    unknown,
    [Uint8Array, Uint8Array] | null,
  ]
  if (version > VERSION) {
    throw new ConsiliumError({
      code: 'database-newer',
      message: `a checkpoint of version ${version} was found; this version reads ${VERSION}: run the newer Consilium again`,
    })
  }
  const numbers = { shared: bytesFloat(shared), head: bytesFloat(head), optimiser }
  if (version === 1) {
    const before = checkpoint as Omit<Checkpoint, 'standing'>
    return { checkpoint: { ...before, standing: null }, ...numbers, local: NO_LOCAL_STATE, best: null }
  }
  const { shared: newest, standing } = checkpoint as Checkpoint
  const other = best && { shared: bytesFloat(best[0]), head: bytesFloat(best[1]) }
  const isNewest = standing?.best.model === newest
  return {
    checkpoint: checkpoint as Checkpoint,
    ...numbers,
    local: localStateFromCbor(local),
    best: isNewest ? { shared: numbers.shared, head: numbers.head } : other,
  }
}
