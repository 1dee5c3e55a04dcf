/** Deterministic CBOR (RFC 8949 §4.2.1): encoding, and a strict decoder that refuses what does not round-trip. */
import { decode, encode, rfc8949EncodeOptions } from 'cborg'
import { equalBytes } from './bytes.ts'
import { readCanonical } from './cborReader.ts'
import { ConsiliumError, invariant, messageOf } from './errors.ts'
import { LIMITS } from './limits.ts'

/** What may be encoded: no `undefined`, no NaN or infinity, integers below 2^53. */
export type Cbor = null | boolean | number | string | Uint8Array | readonly Cbor[] | { readonly [key: string]: Cbor }

/**
 * The canonical bytes of `value`, which `decodeCbor` gives back (−0 as 0): what no peer could read must never be signed.
 * Error: `cbor-unencodable` for text with half a surrogate pair or a leading byte order mark.
 */
export function encodeCbor(value: Cbor): Uint8Array {
  checkEncodable(value, 1)
  return plain(encode(value, rfc8949EncodeOptions))
}

/**
 * Decodes `bytes` and checks that encoding the result gives the same bytes back.
 * Errors: `cbor-malformed`, `cbor-not-canonical`, `cbor-too-deep`, `cbor-too-large`; all blame the sender.
 */
export function decodeCbor(bytes: Uint8Array, bytesMax: number = LIMITS.entryBytesMax): Cbor {
  if (bytes.length > bytesMax) throw refused('cbor-too-large', `${bytes.length} bytes, at most ${bytesMax} are allowed`)
  return readCanonical(plain(bytes)) ?? decodeSlowly(bytes)
}

/** As `decodeCbor`, by the definition itself: decodes, encodes again and compares; the sizes are those that were checked. */
export function decodeSlowly(bytes: Uint8Array): Cbor {
  checkDepth(bytes)
  let value: Cbor
  try {
    value = decode(plain(bytes), {
      allowIndefinite: false,
      allowNaN: false,
      allowInfinity: false,
      allowUndefined: false,
      allowBigInt: false,
      strict: true,
      rejectDuplicateMapKeys: true,
    })
  } catch (error) {
    throw refused('cbor-malformed', messageOf(error))
  }
  let again: Uint8Array
  try {
    again = encode(value, rfc8949EncodeOptions)
  } catch (error) {
    throw refused('cbor-not-canonical', messageOf(error))
  }
  if (!equalBytes(again, bytes))
    throw refused('cbor-not-canonical', 'the bytes are not the canonical encoding of what they mean')
  return value
}

/** A plain view of what may be a Buffer, whose `slice` would share memory where a Uint8Array's copies. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message, blame: 'reject' })
}

/** Keeps out what the decoder refuses; `depth` is that of `value`'s own items. */
function checkEncodable(value: Cbor, depth: number): void {
  if (typeof value === 'string') return checkText(value)
  if (typeof value === 'number') return invariant(Number.isFinite(value), 'numbers in CBOR are finite')
  if (typeof value !== 'object') return invariant(typeof value === 'boolean', `no ${typeof value} in CBOR`)
  if (value === null || value instanceof Uint8Array) return
  const items = Array.isArray(value) ? value : Object.values(value)
  invariant(depth <= LIMITS.cborDepthMax || items.length === 0, `CBOR is nested at most ${LIMITS.cborDepthMax} deep`)
  if (items !== value) for (const key of Object.keys(value)) checkText(key)
  for (const item of items) checkEncodable(item, depth + 1)
}

function checkText(text: string): void {
  if (text.isWellFormed() && !text.startsWith('\ufeff')) return
  const what = text.isWellFormed() ? 'starts with a byte order mark' : 'has half of a surrogate pair'
  const message = `the text ${JSON.stringify(text.slice(0, 40))} ${what}: remove that character`
  throw new ConsiliumError({ code: 'cbor-unencodable', message })
}

/** Bounds nesting before the recursive decoder sees the bytes: a linear scan over the item heads. */
function checkDepth(bytes: Uint8Array): void {
  const open: number[] = []
  let at = 0
  while (at < bytes.length) {
    const initial = bytes[at] as number
    const major = initial >> 5
    const info = initial & 31
    if (info > 27) return // indefinite or reserved: the decoder says what is wrong
    const width = info < 24 ? 0 : 1 << (info - 24)
    let length = info < 24 ? info : 0
    for (let i = 1; i <= width; i++) length = length * 256 + (bytes[at + i] ?? 0)
    at += 1 + width
    if (major === 2 || major === 3) at += length
    const top = open.length - 1
    if (top >= 0) open[top] = (open[top] as number) - 1
    const items = major === 4 ? length : major === 5 ? length * 2 : 0
    if (items > 0) {
      open.push(items)
      if (open.length > LIMITS.cborDepthMax) throw refused('cbor-too-deep', `nested deeper than ${LIMITS.cborDepthMax}`)
    } else {
      while (open[open.length - 1] === 0) open.pop()
    }
  }
}
