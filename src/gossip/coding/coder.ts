/**
 * The author's side of a coding: weights in, payload out, with what the others will read of it. A top-k delta is against the author's own
 * last keyframe, so that a receiver needs that one and no chain of updates; what was not sent is kept and added the next time (error
 * feedback, Karimireddy et al. 2019), and a keyframe sends all of it.
 */
import { weightsDigest } from '../../core/digest.ts'
import type { Digest } from '../../core/ids.ts'
import type { Rng } from '../../core/rng.ts'
import { CODING, type CodingNumber, encodeFloat32, type WeightFormat } from './coding.ts'
import { encodeFloat16, fromFloat16, toFloat16 } from './float16.ts'
import { decodeInt8, encodeInt8 } from './int8.ts'
import { decodeTopK, encodeTopK, topKCount } from './topK.ts'

/** All of its weights that an author sent last, as the others read them. */
export interface Keyframe {
  readonly round: number
  readonly digest: Digest
  readonly weights: Float32Array
}

/** What an author must remember between its updates; private, for the residual tells of what was not published. */
export interface CoderState {
  readonly keyframe: Keyframe | null
  /** What the author has, less what the others read, where a coding keeps it: as many as there are weights. */
  readonly residual: Float32Array | null
}

export const NOTHING_SENT: CoderState = { keyframe: null, residual: null }

/** One update, coded. */
export interface Coded {
  readonly coding: CodingNumber
  /** Digest of the weights that a delta is against. */
  readonly reference: Digest | null
  readonly payload: Uint8Array
  /** What everybody reads of the payload: what is digested, and what merges. */
  readonly weights: Float32Array
  /** For the next update, if this one is sent. */
  readonly next: CoderState
}

/** Codes what was trained in `round`, all finite; `rng` draws the rounding of int8. What float16 cannot hold comes out infinite. */
export function codeUpdate(
  format: WeightFormat,
  trained: Float32Array,
  round: number,
  state: CoderState,
  rng: Rng,
): Coded {
  const whole = { reference: null, next: NOTHING_SENT }
  switch (format.coding.kind) {
    case 'float32':
      return { ...whole, coding: CODING.float32, payload: encodeFloat32(trained), weights: trained }
    case 'float16':
      return { ...whole, coding: CODING.float16, payload: encodeFloat16(trained), weights: asFloat16(trained) }
    case 'int8': {
      const payload = encodeInt8(trained, format.tensors, rng)
      return { ...whole, coding: CODING.int8, payload, weights: decodeInt8(payload, format.tensors) }
    }
    case 'top-k':
      return codeSparse(format, format.coding, trained, round, state)
  }
}

function codeSparse(
  format: WeightFormat,
  { share, keyframeRounds }: { readonly share: number; readonly keyframeRounds: number },
  trained: Float32Array,
  round: number,
  { keyframe, residual }: CoderState,
): Coded {
  const wanted = residual === null ? trained : trained.map((weight, i) => weight + (residual[i] as number))
  if (keyframe === null || round < keyframe.round || round >= keyframe.round + keyframeRounds) {
    const weights = asFloat16(wanted)
    const next = { keyframe: { round, digest: weightsDigest(weights), weights }, residual: less(wanted, weights) }
    return { coding: CODING.float16, reference: null, payload: encodeFloat16(wanted), weights, next }
  }
  const count = topKCount(format.parameters, share)
  const payload = encodeTopK(wanted, keyframe.weights, count)
  const weights = decodeTopK(payload, keyframe.weights, count)
  const next = { keyframe, residual: less(wanted, weights) }
  return { coding: CODING.topK, reference: keyframe.digest, payload, weights, next }
}

function asFloat16(weights: Float32Array): Float32Array {
  return weights.map((weight) => fromFloat16(toFloat16(weight)))
}

function less(weights: Float32Array, subtracted: Float32Array): Float32Array {
  return weights.map((weight, i) => weight - (subtracted[i] as number))
}
