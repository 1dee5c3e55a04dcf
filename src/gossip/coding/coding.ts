/** The codings of an update's weights, by number: what a study allows, how long a payload may be, and how it is read. */
import { bytesFloat, bytesUnder } from '../../core/digest.ts'
import { invariant } from '../../core/errors.ts'
import type { Range } from '../../core/ranges.ts'
import { payloadFault } from './fault.ts'
import { decodeFloat16, FLOAT16_BYTES, readFloat16 } from './float16.ts'
import { decodeInt8, int8Bytes, readInt8 } from './int8.ts'
import { decodeTopK, topKBytesMax, topKCount } from './topK.ts'

/** As a message names them; a number is never used for something else. */
export const CODING = { float32: 1, float16: 2, int8: 3, topK: 4 } as const
export type CodingNumber = (typeof CODING)[keyof typeof CODING]

/** What a study says of it; its `coding` section. */
export type CodingSpec =
  | { readonly kind: 'float32' | 'float16' | 'int8' }
  | {
      readonly kind: 'top-k'
      /** Of the weights, in each update that is no keyframe. */
      readonly share: number
      /** After so many rounds the author sends all of its weights again, as float16. */
      readonly keyframeRounds: number
    }

/** How the updates of one study are written: its coding, and the lengths of the model's tensors in the order of its weights. */
export interface WeightFormat {
  readonly coding: CodingSpec
  readonly tensors: readonly number[]
  /** All tensors together. */
  readonly parameters: number
}

/** Whether a message's number names a coding that this node reads. */
export function isCoding(number: number): number is CodingNumber {
  return Object.values(CODING).some((known) => known === number)
}

/** Whether an update written so belongs in a study that says `spec`. */
export function allows({ kind }: CodingSpec, coding: CodingNumber): boolean {
  if (kind === 'top-k') return coding === CODING.topK || coding === CODING.float16
  return coding === CODING[kind]
}

/** Whether it is read against weights that came before. */
export function isDelta(coding: CodingNumber): boolean {
  return coding === CODING.topK
}

/** The shortest and the longest payload. */
export function payloadBytes(coding: CodingNumber, format: WeightFormat): readonly [min: number, max: number] {
  const { parameters, tensors } = format
  if (coding === CODING.topK) return [Uint32Array.BYTES_PER_ELEMENT, topKBytesMax(parameters, countMax(format))]
  const bytes = {
    [CODING.float32]: Float32Array.BYTES_PER_ELEMENT * parameters,
    [CODING.float16]: FLOAT16_BYTES * parameters,
    [CODING.int8]: int8Bytes(tensors),
  }[coding]
  return [bytes, bytes]
}

/**
 * The weights that a payload stands for, the same float32 on every machine: only multiplication and addition, rounded once. `reference`:
 * what a top-k delta is against. Float32 stays in the payload's memory where that is aligned, so neither may be changed afterwards.
 * Errors, blaming the sender: `truncated`, `payload-length`, `payload-range`, `payload-order`.
 */
export function decodePayload(
  coding: CodingNumber,
  payload: Uint8Array,
  format: WeightFormat,
  reference: Float32Array | null,
): Float32Array {
  const { parameters, tensors } = format
  switch (coding) {
    case CODING.float32:
      return decodeFloat32(payload, parameters)
    case CODING.float16:
      return decodeFloat16(payload, parameters)
    case CODING.int8:
      return decodeInt8(payload, tensors)
    case CODING.topK:
      invariant(reference?.length === parameters, 'a delta is read against weights of its model')
      return decodeTopK(payload, reference, countMax(format))
  }
}

/** How an update is written whose weights are all in it: of deltas the keyframe. */
export function wholeCoding({ kind }: CodingSpec): Exclude<CodingNumber, typeof CODING.topK> {
  return kind === 'top-k' ? CODING.float16 : CODING[kind]
}

/**
 * The same of a payload of which only some is here, all of whose weights are in it: what is outside of `ranges` is of no meaning. The bytes of
 * the ranges are here, and those that all others are read with (`parts.ts`). Float32 stays in the payload's memory. Error, blaming the author:
 * `payload-range`.
 */
export function decodeRanges(payload: Uint8Array, format: WeightFormat, ranges: readonly Range[]): Float32Array {
  const { coding, parameters, tensors } = format
  const written = wholeCoding(coding)
  if (written === CODING.float32) return decodeFloat32(payload, parameters)
  const out = new Float32Array(parameters)
  for (const range of ranges)
    if (written === CODING.int8) readInt8(out, payload, tensors, range)
    else readFloat16(out, payload, range)
  return out
}

/** The same memory. */
export const encodeFloat32 = bytesUnder

function decodeFloat32(payload: Uint8Array, parameters: number): Float32Array {
  if (payload.length !== parameters * Float32Array.BYTES_PER_ELEMENT)
    throw payloadFault('payload-length', `${payload.length} bytes of float32 for ${parameters} weights`)
  return payload.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0
    ? new Float32Array(payload.buffer, payload.byteOffset, parameters)
    : bytesFloat(payload)
}

function countMax({ coding, parameters }: WeightFormat): number {
  return coding.kind === 'top-k' ? topKCount(parameters, coding.share) : 0
}
