/** What Adam carries from round to round, as bytes: version byte, u32 number of steps, float32 first moments, then second moments. */
import { ByteReader, ByteWriter } from '../core/bytes.ts'
import { bytesFloat, floatBytes } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'

/** Kingma and Ba 2015, their defaults; epsilon as float32 Keras has it. */
export const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }

const STATE_VERSION = 1
const HEADER_BYTES = 5

/** Adam's moments (Kingma and Ba 2015, Alg. 1) after `steps` updates, counted from the first round. */
export interface AdamState {
  readonly steps: number
  /** Twice as many as parameters, head last in each half: first moments, then second. */
  readonly moments: Float32Array
}

/** What `decodeState` reads: 5 bytes, and 8 for each parameter. */
export function encodeState(state: AdamState): Uint8Array {
  return new ByteWriter().u8(STATE_VERSION).u32(state.steps).bytes(floatBytes(state.moments)).finish()
}

/** Decodes the state of a model of `parameters` numbers, head included. Errors: `learner-state`. */
export function decodeState(bytes: Uint8Array, parameters: number): AdamState {
  const expected = HEADER_BYTES + 8 * parameters
  if (bytes.length !== expected || bytes[0] !== STATE_VERSION) {
    const given = `the optimiser's state is ${bytes.length} bytes of version ${bytes[0]}`
    const message = `${given}, ${expected} of version ${STATE_VERSION} were expected; start again from an empty state`
    throw new ConsiliumError({ code: 'learner-state', message })
  }
  const reader = new ByteReader(bytes.subarray(1))
  return { steps: reader.u32(), moments: bytesFloat(reader.bytes(reader.left)) }
}
