/**
 * One byte a weight, with one scale for each tensor, rounded stochastically so that the mean over rounds is right (QSGD, Alistarh et al.
 * 2017, with the largest weight for the norm). Payload: the scales, little-endian float32, then one signed byte, −127 to 127, for each
 * weight. Off by less than one scale, the 127th part of the tensor's largest weight; where that is below 2·10⁻⁴³, all become 0.
 */
import type { Range } from '../../core/ranges.ts'
import type { Rng } from '../../core/rng.ts'
import { payloadFault } from './fault.ts'

const LEVELS = 127 // −128 stays unused, so that both signs reach equally far
const SCALE_BYTES = 4

/** How long a payload is. */
export function int8Bytes(tensors: readonly number[]): number {
  return tensors.reduce((sum, length) => sum + length, int8HeadBytes(tensors))
}

/** `tensors`: their lengths, in the order of the weights; `rng` draws the rounding, once for each weight that is not 0. */
export function encodeInt8(weights: Float32Array, tensors: readonly number[], rng: Rng): Uint8Array {
  const out = new Uint8Array(int8Bytes(tensors))
  const scales = new DataView(out.buffer)
  let at = 0
  for (const [tensor, length] of tensors.entries()) {
    const scale = Math.fround(largest(weights, at, length) / LEVELS)
    scales.setFloat32(tensor * SCALE_BYTES, scale, true)
    const from = tensors.length * SCALE_BYTES + at
    for (let i = 0; i < length; i++) out[from + i] = level(weights[at + i] as number, scale, rng) & 0xff
    at += length
  }
  return out
}

/** Errors, blaming the sender: `payload-length`, `payload-range`. */
export function decodeInt8(payload: Uint8Array, tensors: readonly number[]): Float32Array {
  const bytes = int8Bytes(tensors)
  if (payload.length !== bytes)
    throw payloadFault('payload-length', `${payload.length} bytes of int8, ${bytes} are what these tensors take`)
  const out = new Float32Array(bytes - tensors.length * SCALE_BYTES)
  readInt8(out, payload, tensors, [0, out.length])
  return out
}

/**
 * Reads a range of the weights to its place in `out`. Of the payload the scales must be there and the bytes of the range; the rest may be
 * anything. Error: `payload-range`.
 */
export function readInt8(out: Float32Array, payload: Uint8Array, tensors: readonly number[], [from, to]: Range): void {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const head = int8HeadBytes(tensors)
  let at = 0
  for (const [tensor, length] of tensors.entries()) {
    const scale = view.getFloat32(tensor * SCALE_BYTES, true)
    if (!(scale >= 0 && Number.isFinite(scale)) || Object.is(scale, -0))
      throw payloadFault('payload-range', `the scale of tensor ${tensor} is ${scale}`)
    const end = Math.min(to, at + length)
    for (let i = Math.max(from, at); i < end; i++) out[i] = scale * levelAt(view, head + i, scale)
    at += length
  }
}

/** Where the weights begin: behind the scales. */
export function int8HeadBytes(tensors: readonly number[]): number {
  return SCALE_BYTES * tensors.length
}

/** Rounded up with the chance that is its fraction; in range whatever the rounding of the scale was. */
function level(weight: number, scale: number, rng: Rng): number {
  if (weight === 0 || scale === 0) return 0
  const exact = weight / scale
  const low = Math.floor(exact)
  const drawn = rng.float() < exact - low ? low + 1 : low
  return Math.max(-LEVELS, Math.min(LEVELS, drawn))
}

function levelAt(view: DataView, at: number, scale: number): number {
  const level = view.getInt8(at)
  if (level < -LEVELS || (scale === 0 && level !== 0))
    throw payloadFault('payload-range', `level ${level} at byte ${at}, with scale ${scale}`)
  return level
}

function largest(weights: Float32Array, from: number, length: number): number {
  let most = 0
  for (let i = from; i < from + length; i++) most = Math.max(most, Math.abs(weights[i] as number))
  return most
}
