/** A checkpoint with the numbers that it names, and the bytes in which a node keeps it. */
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { bytesFloat, floatBytes } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Checkpoint } from '../node/checkpoint.ts'

/** The machine's part, the shared weights, and what is private to the hospital: never sent, stored only here. */
export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint
  readonly shared: Float32Array
  readonly head: Float32Array
  readonly optimiser: Uint8Array
}

const VERSION = 1
const CHECKPOINT_BYTES_MAX = 67_108_864 // shared weights, head and two optimiser moments, with room for larger models

/** CBOR of [version, checkpoint, shared, head, optimiser]; weights as little-endian float32. */
export function encodeCheckpoint({ checkpoint, shared, head, optimiser }: StoredCheckpoint): Uint8Array {
  const plain = { ...checkpoint, parents: [...checkpoint.parents] } as unknown as Cbor
  return encodeCbor([VERSION, plain, floatBytes(shared), floatBytes(head), optimiser])
}

/** Reads what `encodeCheckpoint` wrote. Errors: `database-newer`, those of `decodeCbor`. */
export function decodeCheckpoint(bytes: Uint8Array): StoredCheckpoint {
  const [version, checkpoint, shared, head, optimiser] = decodeCbor(bytes, CHECKPOINT_BYTES_MAX) as [
    number,
    unknown,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  if (version !== VERSION) {
    throw new ConsiliumError({
      code: 'database-newer',
      message: `a checkpoint of version ${version} was found; this version reads ${VERSION}: run the newer Consilium again`,
    })
  }
  return { checkpoint: checkpoint as Checkpoint, shared: bytesFloat(shared), head: bytesFloat(head), optimiser }
}
