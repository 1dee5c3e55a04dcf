/**
 * What can be merged of an update while the rest of it is still on its way: the parts whose chunks are here. Each was checked against the digest
 * that the author signed, and what they say is held to the bounds that the whole will be held to.
 */
import { ConsiliumError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Range } from '../core/ranges.ts'
import type { Bitfield } from './bitfield.ts'
import { decodeRanges, type WeightFormat, wholeCoding } from './coding/coding.ts'
import { partitionOf, rangesOf } from './coding/parts.ts'
import type { HeldPayload } from './heldPayload.ts'
import type { Manifest } from './manifest.ts'
import type { UpdateHeader } from './update.ts'

/** Some parts of an update: `weights` is as long as the model and means something in `ranges` alone. */
export interface Parts {
  readonly weights: Float32Array
  readonly ranges: readonly Range[]
  /** The chunks that they were read from, as a bitfield's bytes: what a log names. */
  readonly chunks: Uint8Array
}

/** Which parts these chunks give; null where they give none, or the author cut its payload otherwise than the partition says. */
export function partsHere(
  { coding, reference, parameters }: UpdateHeader,
  manifest: Manifest,
  have: Bitfield,
  format: WeightFormat,
): Omit<Parts, 'weights'> | null {
  if (coding !== wholeCoding(format.coding) || reference !== null || parameters !== format.parameters) return null
  const partition = partitionOf(format)
  const { payloadBytes, chunkBytes } = manifest
  if (payloadBytes !== partition.payloadBytes || chunkBytes !== partition.chunkBytes) return null
  const ranges = rangesOf(partition, have)
  return ranges.length === 0 ? null : { ranges, chunks: have.bytes.slice() }
}

/** The parts that are here of a payload; null where there are none, and where their author will be refused for them. */
export function readParts(header: UpdateHeader, payload: HeldPayload, format: WeightFormat): Parts | null {
  const here = partsHere(header, payload.manifest, payload.have, format)
  if (here === null) return null
  try {
    const parts = { ...here, weights: decodeRanges(payload.bytes, format, here.ranges) }
    return isBounded(parts) ? parts : null
  } catch (error) {
    if (error instanceof ConsiliumError) return null // what cannot be read is for who has all of it to blame its author for
    throw error
  }
}

/** Whether the whole can still be within the bounds: finite, and no longer than `LIMITS.updateNormMax` allows. */
export function isBounded({ weights, ranges }: Pick<Parts, 'weights' | 'ranges'>): boolean {
  const { updateNormMax } = LIMITS
  let squares = 0
  for (const [from, to] of ranges)
    for (let i = from; i < to; i++) squares += (weights[i] as number) * (weights[i] as number)
  return squares <= updateNormMax * updateNormMax * weights.length
}
