/**
 * IEEE 754 binary16: two bytes a weight, little-endian, rounded to nearest, ties to even. Off by at most 2⁻¹¹ of the weight, and by 2⁻²⁵
 * where it is below 2⁻¹⁴; what is above 65,504 becomes infinite, which nobody accepts.
 */
import type { Range } from '../../core/ranges.ts'
import { payloadFault } from './fault.ts'

export const FLOAT16_BYTES = 2
export const FLOAT16_MAX = 65_504

const single = new Float32Array(1)
const bits = new Uint32Array(single.buffer)

/** The 16 bits of `value`, a float32. */
export function toFloat16(value: number): number {
  single[0] = value
  const word = bits[0] as number
  const sign = (word >>> 16) & 0x8000
  const exponent = ((word >>> 23) & 0xff) - 112 // of float16, as it would be with more bits
  const fraction = word & 0x7f_ffff
  if (exponent === 143) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200)
  if (exponent >= 31) return sign | 0x7c00
  if (exponent < -10) return sign
  return exponent <= 0
    ? sign | rounded(fraction | 0x80_0000, 14 - exponent, 0)
    : sign | rounded(fraction, 13, exponent << 10)
}

/** `head` with `value` shifted right behind it, to nearest, ties to even; a carry goes on into the exponent, as it should. */
function rounded(value: number, shift: number, head: number): number {
  const kept = head + (value >>> shift)
  const rest = value & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept
}

/** The float32 that 16 bits stand for, exactly. */
export function fromFloat16(half: number): number {
  const sign = (half & 0x8000) === 0 ? 1 : -1
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  bits[0] = ((exponent + 112) << 23) | (fraction << 13)
  return sign * (single[0] as number)
}

/** Any float32 list; two bytes each. */
export function encodeFloat16(weights: Float32Array): Uint8Array {
  const out = new Uint8Array(weights.length * FLOAT16_BYTES)
  for (let i = 0; i < weights.length; i++) putFloat16(out, i * FLOAT16_BYTES, toFloat16(weights[i] as number))
  return out
}

/** Writes 16 bits at byte `at`, little-endian. */
export function putFloat16(bytes: Uint8Array, at: number, half: number): void {
  bytes[at] = half & 0xff
  bytes[at + 1] = half >>> 8
}

/** Errors, blaming the sender: `payload-length`, `payload-range` for what is not finite. */
export function decodeFloat16(payload: Uint8Array, parameters: number): Float32Array {
  if (payload.length !== parameters * FLOAT16_BYTES)
    throw payloadFault('payload-length', `${payload.length} bytes of float16 for ${parameters} weights`)
  const out = new Float32Array(parameters)
  readFloat16(out, payload, [0, parameters])
  return out
}

/** Reads a range of the weights to its place in `out`; the rest of the payload may be anything. Error: `payload-range`. */
export function readFloat16(out: Float32Array, payload: Uint8Array, [from, to]: Range): void {
  for (let i = from; i < to; i++) out[i] = finiteAt(payload, i * FLOAT16_BYTES)
}

/** The float16 at byte `at`. Error: `payload-range`. */
export function finiteAt(payload: Uint8Array, at: number): number {
  const half = (payload[at] as number) | ((payload[at + 1] as number) << 8)
  if ((half & 0x7c00) === 0x7c00) throw payloadFault('payload-range', `the float16 at byte ${at} is not finite`)
  return fromFloat16(half)
}
