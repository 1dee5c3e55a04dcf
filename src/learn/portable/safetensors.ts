/**
 * Reads and writes safetensors files, to the layout that Hugging Face publishes: 8 bytes of the header's length, little-endian; the header, a
 * JSON object of tensors by name, padded with spaces; then all numbers, little-endian, one tensor after the other without a gap. The
 * reader is for files of strangers: it checks everything before it takes memory, and nothing in a file can run.
 */
import { isUtf8 } from 'node:buffer'
import { concat, fromUtf8, utf8 } from '../../core/bytes.ts'
import { bytesFloat, floatBytes } from '../../core/digest.ts'
import { ConsiliumError, invariant } from '../../core/errors.ts'
import { firstRepeatedKey } from './jsonKeys.ts'

/** Bytes of one number, by the format's own names of types. */
const DTYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
}
const HEADER_BYTES_MAX = 100_000_000 // of the format
const ALIGNMENT = 8 // the numbers begin at a multiple of it, so that any of them can be mapped into memory as they lie
const LENGTH_BYTES = 8
const RANK_MAX = 16 // more dimensions than any library takes
const METADATA = '__metadata__'

/** One tensor of a file: `data` is a view of the file's bytes. */
export interface Tensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** What a file holds, in the order of its header. */
export interface SafeTensors {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, Tensor>
}

/** A tensor of float32 to be written; row-major, as many values as the shape says. */
export interface FloatTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** The bytes of a file; tensors lie in the order given, metadata in the order of its keys. The same input gives the same bytes. */
export function encodeSafetensors(
  tensors: readonly FloatTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const keys = Object.keys(metadata).sort()
  const entries: [string, unknown][] = [[METADATA, Object.fromEntries(keys.map((key) => [key, metadata[key]]))]]
  const names = new Set([METADATA])
  let at = 0
  for (const { name, shape, values } of tensors) {
    invariant(!names.has(name), `two tensors are called ${name}`)
    invariant(sizeOf(shape) === values.length, `${name} has as many values as its shape says`)
    names.add(name)
    const end = at + values.byteLength
    entries.push([name, { dtype: 'F32', shape, data_offsets: [at, end] }])
    at = end
  }
  const json = utf8(JSON.stringify(Object.fromEntries(entries)))
  const padded = new Uint8Array(Math.ceil(json.length / ALIGNMENT) * ALIGNMENT).fill(0x20)
  padded.set(json)
  invariant(padded.length <= HEADER_BYTES_MAX, 'a header of ours is small')
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true)
  return concat([length, padded, ...tensors.map(({ values }) => floatBytes(values))])
}

/** Reads a whole file. Error: `safetensors-malformed`, one line that says what is wrong; `name` is what it calls the file. */
export function decodeSafetensors(bytes: Uint8Array, name: string): SafeTensors {
  const refuse = (what: string): never => {
    throw new ConsiliumError({ code: 'safetensors-malformed', message: `${name}: ${what}` })
  }
  const { header, data } = split(bytes, refuse)
  const tensors = new Map<string, Tensor>()
  let metadata: Readonly<Record<string, string>> = {}
  const spans: { readonly name: string; readonly from: number; readonly to: number }[] = []
  for (const [key, value] of Object.entries(header)) {
    if (key === METADATA) {
      metadata = metadataOf(value, refuse)
      continue
    }
    const { dtype, shape, from, to } = describedBy(key, value, data.length, refuse)
    spans.push({ name: key, from, to })
    tensors.set(key, { dtype, shape, data: data.subarray(from, to) })
  }
  checkSpans(spans, data.length, refuse)
  return { metadata, tensors }
}

/** The values of a tensor of float32. Error: `safetensors-malformed` where it is missing, of another type or shape. */
export function floatsOf(file: SafeTensors, tensor: string, shape: readonly number[], name: string): Float32Array {
  const found = file.tensors.get(tensor)
  if (found?.dtype === 'F32' && found.shape.join() === shape.join()) return bytesFloat(found.data)
  const given = found === undefined ? 'is missing' : `is ${found.dtype} [${found.shape.join(', ')}]`
  throw new ConsiliumError({
    code: 'safetensors-malformed',
    message: `${name}: tensor ${quoted(tensor)} ${given}; F32 [${shape.join(', ')}] is expected`,
  })
}

type Refuse = (what: string) => never

function split(bytes: Uint8Array, refuse: Refuse): { header: Record<string, unknown>; data: Uint8Array } {
  if (bytes.length < LENGTH_BYTES) return refuse(`${bytes.length} bytes, at least ${LENGTH_BYTES} are expected`)
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  if (length > BigInt(HEADER_BYTES_MAX))
    return refuse(`a header of ${length} bytes, at most ${HEADER_BYTES_MAX} are allowed: is it a safetensors file?`)
  const end = LENGTH_BYTES + Number(length)
  if (end > bytes.length) return refuse(`a header of ${length} bytes, but ${bytes.length - LENGTH_BYTES} follow`)
  const head = bytes.subarray(LENGTH_BYTES, end)
  if (head[0] !== 0x7b) return refuse('the header does not begin with "{"')
  if (!isUtf8(head)) return refuse('the header is not UTF-8')
  const text = fromUtf8(head)
  const header = parsed(text, refuse)
  const twice = firstRepeatedKey(text)
  if (twice !== null) return refuse(`the header has ${quoted(twice)} twice`)
  return { header, data: bytes.subarray(end) }
}

function parsed(text: string, refuse: Refuse): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown> // an object, for it begins with "{"
  } catch {
    return refuse('the header is not JSON')
  }
}

function metadataOf(value: unknown, refuse: Refuse): Readonly<Record<string, string>> {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isMap || !Object.values(value).every((each) => typeof each === 'string'))
    return refuse(`${METADATA} is not an object of strings`)
  return value as Readonly<Record<string, string>>
}

function describedBy(
  name: string,
  value: unknown,
  dataBytes: number,
  refuse: Refuse,
): { dtype: string; shape: number[]; from: number; to: number } {
  const fields = typeof value === 'object' && value !== null ? value : {}
  if (Object.keys(fields).sort().join() !== 'data_offsets,dtype,shape')
    return refuse(`${quoted(name)} does not have dtype, shape and data_offsets, and nothing else`)
  const { dtype, shape, data_offsets: offsets } = fields as Record<string, unknown>
  const each = typeof dtype === 'string' && Object.hasOwn(DTYPE_BYTES, dtype) ? DTYPE_BYTES[dtype] : undefined
  if (each === undefined) return refuse(`${quoted(name)} has a dtype that is not known: ${quoted(String(dtype))}`)
  if (!isWholes(shape) || shape.length > RANK_MAX) return refuse(`${quoted(name)} has no shape of whole numbers`)
  if (!isWholes(offsets) || offsets.length !== 2) return refuse(`${quoted(name)} has no two offsets`)
  const [from, to] = offsets as [number, number]
  if (from > to || to > dataBytes)
    return refuse(`${quoted(name)} lies from ${from} to ${to}, the file has ${dataBytes} bytes of numbers`)
  const size = sizeOf(shape) * each
  if (size !== to - from)
    return refuse(`${quoted(name)} has ${to - from} bytes, ${dtype} [${shape.join(', ')}] takes ${size}`)
  return { dtype: dtype as string, shape, from, to }
}

/** All numbers belong to one tensor each: what lies in a gap, or twice, could be anything. */
function checkSpans(
  spans: { readonly name: string; readonly from: number; readonly to: number }[],
  dataBytes: number,
  refuse: Refuse,
): void {
  let at = 0
  for (const { name, from, to } of spans.sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from < at) return refuse(`${quoted(name)} begins at ${from}, inside the tensor before it`)
    if (from > at) return refuse(`bytes ${at} to ${from} belong to no tensor`)
    at = to
  }
  if (at !== dataBytes) refuse(`bytes ${at} to ${dataBytes} belong to no tensor`)
}

function isWholes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0 && !Object.is(each, -0))
}

/** Infinite where no file could be as large. */
function sizeOf(shape: readonly number[]): number {
  const size = shape.reduce((product, each) => product * each, 1)
  return Number.isSafeInteger(size) ? size : Number.POSITIVE_INFINITY
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}
