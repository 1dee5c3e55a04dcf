/**
 * The changes that are largest against weights which the receiver has (Stich et al. 2018, Sparsified SGD with Memory): how many, big-endian
 * u32; their places, ascending, as gaps in LEB128; their values as float16. What is not sent is the author's residual, and is not lost.
 */
import { ByteReader } from '../../core/bytes.ts'
import { payloadFault } from './fault.ts'
import { FLOAT16_BYTES, FLOAT16_MAX, finiteAt, fromFloat16, putFloat16, toFloat16 } from './float16.ts'

const COUNT_BYTES = 4
const GAP_BITS = 7
const GAP_BYTES_MAX = 4 // 28 bits: more than a model has weights

/** How many values a `share` of the weights is. */
export function topKCount(parameters: number, share: number): number {
  return Math.ceil(parameters * share)
}

/** The longest payload of `count` values: each gap takes a byte, and one more for every 128 places that it skips, or fewer. */
export function topKBytesMax(parameters: number, count: number): number {
  return COUNT_BYTES + count * (1 + FLOAT16_BYTES) + Math.ceil(parameters / 127)
}

/**
 * The `count` changes from `reference` to `weights`, all finite, that are largest in size; of equals the first. Fewer where more are 0 in
 * float16; of what is beyond its range as much as it holds.
 */
export function encodeTopK(weights: Float32Array, reference: Float32Array, count: number): Uint8Array {
  const { places, values } = largestChanges(weights, reference, count)
  const out = new Uint8Array(topKBytesMax(weights.length, places.length))
  new DataView(out.buffer).setUint32(0, places.length)
  let [at, next] = [COUNT_BYTES, 0]
  for (const place of places) {
    at = putGap(out, at, place - next)
    next = place + 1
  }
  for (const value of values) {
    putFloat16(out, at, value)
    at += FLOAT16_BYTES
  }
  return out.slice(0, at)
}

/**
 * `reference` with the changes added, each sum rounded to float32 once. At most `countMax` values are read.
 * Errors, blaming the sender: `truncated`, `payload-length`, `payload-range`, `payload-order`.
 */
export function decodeTopK(payload: Uint8Array, reference: Float32Array, countMax: number): Float32Array {
  const count = new ByteReader(payload).u32()
  if (count > countMax) throw payloadFault('payload-length', `${count} changes, at most ${countMax} are allowed`)
  const places = new Uint32Array(count)
  let [at, next] = [COUNT_BYTES, 0]
  for (let i = 0; i < count; i++) {
    const gap = gapAt(payload, at)
    at += gap.bytes
    const place = next + gap.value
    if (place >= reference.length)
      throw payloadFault('payload-order', `a change of weight ${place}, of ${reference.length}`)
    places[i] = place
    next = place + 1
  }
  if (payload.length !== at + count * FLOAT16_BYTES)
    throw payloadFault('payload-length', `${payload.length - at} bytes for ${count} values`)
  const out = reference.slice()
  for (let i = 0; i < count; i++) {
    const value = finiteAt(payload, at + i * FLOAT16_BYTES)
    if (value === 0) throw payloadFault('payload-range', 'a change of 0 is none')
    const place = places[i] as number
    out[place] = (out[place] as number) + value
  }
  return out
}

function largestChanges(weights: Float32Array, reference: Float32Array, count: number) {
  const sizes = new Float32Array(weights.length)
  for (let i = 0; i < weights.length; i++) sizes[i] = Math.abs((weights[i] as number) - (reference[i] as number))
  const least = leastOf(sizes, count)
  let ties = Math.max(0, count - sizes.reduce((above, size) => (size > least ? above + 1 : above), 0))
  const places: number[] = []
  const values: number[] = []
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i] as number
    if (size < least || (size === least && ties-- <= 0)) continue
    const change = (weights[i] as number) - (reference[i] as number)
    const value = toFloat16(Math.max(-FLOAT16_MAX, Math.min(FLOAT16_MAX, change)))
    if (fromFloat16(value) === 0) continue
    places.push(i)
    values.push(value)
  }
  return { places, values }
}

/** The `count`-th largest. */
function leastOf(sizes: Float32Array, count: number): number {
  if (count >= sizes.length) return 0
  return sizes.slice().sort()[sizes.length - count] as number
}

function putGap(bytes: Uint8Array, from: number, gap: number): number {
  let [at, rest] = [from, gap]
  for (; rest >= 1 << GAP_BITS; rest >>>= GAP_BITS) bytes[at++] = (rest & 0x7f) | 0x80
  bytes[at++] = rest
  return at
}

/** In the fewest bytes, or it is refused: each number has one form. */
function gapAt(bytes: Uint8Array, from: number): { value: number; bytes: number } {
  let value = 0
  for (let i = 0; i < GAP_BYTES_MAX; i++) {
    const byte = bytes[from + i]
    if (byte === undefined) break
    value += (byte & 0x7f) * 2 ** (GAP_BITS * i)
    if (byte < 0x80) {
      if (byte === 0 && i > 0) throw payloadFault('payload-order', 'a gap in more bytes than it needs')
      return { value, bytes: i + 1 }
    }
  }
  throw payloadFault('payload-length', 'a gap without an end')
}
