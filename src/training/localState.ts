/** What a hospital carries from round to round beside the shared weights, its head and its optimiser; private, stored only here. */
import type { Cbor } from '../core/cbor.ts'
import { bytesFloat, floatBytes } from '../core/digest.ts'
import type { Digest } from '../core/ids.ts'
import type { Weights } from '../learn/learner.ts'
import { type Steering, UNSTEERED } from '../learn/steering.ts'

/** Of one study. Arrays are as long as the shared weights. */
export interface LocalState {
  readonly steering: Steering
  /** The round after whose merge `steering` holds; −1 before the first. */
  readonly steeredRound: number
  /** A round that was trained and not merged yet; `base` is null where nothing needs it. */
  readonly made: { readonly base: Float32Array | null; readonly update: Digest; readonly steps: number } | null
  readonly personal: { readonly weights: Weights; readonly optimiser: Uint8Array } | null
}

export const NO_LOCAL_STATE: LocalState = { steering: UNSTEERED, steeredRound: -1, made: null, personal: null }

/** [momentum, correction, round, made or null, personal or null]; weights as little-endian float32. */
export function localStateToCbor({ steering, steeredRound, made, personal }: LocalState): Cbor {
  const { momentum, correction } = steering
  return [
    maybeBytes(momentum),
    maybeBytes(correction),
    steeredRound,
    made === null ? null : [maybeBytes(made.base), made.update, made.steps],
    personal === null
      ? null
      : [floatBytes(personal.weights.shared), floatBytes(personal.weights.head), personal.optimiser],
  ]
}

/** Reads what `localStateToCbor` made. */
export function localStateFromCbor(value: unknown): LocalState {
  const [momentum, correction, steeredRound, made, personal] = value as [
    Uint8Array | null,
    Uint8Array | null,
    number,
    [Uint8Array | null, Digest, number] | null,
    [Uint8Array, Uint8Array, Uint8Array] | null,
  ]
  return {
    steering: { momentum: maybeFloats(momentum), correction: maybeFloats(correction) },
    steeredRound,
    made: made && { base: maybeFloats(made[0]), update: made[1], steps: made[2] },
    personal: personal && {
      weights: { shared: bytesFloat(personal[0]), head: bytesFloat(personal[1]) },
      optimiser: personal[2],
    },
  }
}

const maybeBytes = (values: Float32Array | null): Uint8Array | null => (values === null ? null : floatBytes(values))
const maybeFloats = (bytes: Uint8Array | null): Float32Array | null => (bytes === null ? null : bytesFloat(bytes))
