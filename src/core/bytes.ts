/** Byte strings: hex, UTF-8, comparison, concatenation, and a bounded reader and writer for the binary codecs. */
import { ConsiliumError } from './errors.ts'

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The UTF-8 bytes of `text`; half a surrogate pair becomes U+FFFD. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** Decodes UTF-8; throws `bad-utf8` on invalid sequences instead of replacing them. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    throw new ConsiliumError({ code: 'bad-utf8', message: 'invalid UTF-8', blame: 'reject' })
  }
}

/** Lowercase hexadecimal digits, two for each byte. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Decodes hex; throws `bad-hex` where `text` is not an even number of hexadecimal digits, of either case. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) {
    throw new ConsiliumError({ code: 'bad-hex', message: 'not hexadecimal', blame: 'reject' })
  }
  return new Uint8Array(Buffer.from(text, 'hex'))
}

/** Whether both have the same length and bytes; not in constant time, so never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** All parts, one after the other, in a new array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Reads fixed-width big-endian fields; every overrun is a `truncated` error that blames the sender. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  constructor(bytes: Uint8Array) {
    // a plain view: the slice of a Buffer would share its memory instead of copying it
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  get left(): number {
    return this.#bytes.length - this.#at
  }
  u8(): number {
    return this.#view.getUint8(this.#step(1))
  }
  u16(): number {
    return this.#view.getUint16(this.#step(2))
  }
  u32(): number {
    return this.#view.getUint32(this.#step(4))
  }
  /** IEEE 754 binary64. */
  f64(): number {
    return this.#view.getFloat64(this.#step(8))
  }
  /** A copy of the next `length` bytes, aligned at offset 0 of its own buffer. */
  bytes(length: number): Uint8Array {
    const at = this.#step(length)
    return this.#bytes.slice(at, at + length)
  }
  end(): void {
    if (this.left !== 0) throw malformed('trailing-bytes', `${this.left} bytes after the end`)
  }
  #step(length: number): number {
    const at = this.#at
    if (length > this.left) throw malformed('truncated', `${length} bytes expected, ${this.left} left`)
    this.#at += length
    return at
  }
}

function malformed(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message, blame: 'reject' })
}

/** Writes fixed-width big-endian fields; a value that does not fit its field keeps its low bits. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = []
  u8(value: number): this {
    return this.bytes(Uint8Array.of(value))
  }
  u16(value: number): this {
    return this.bytes(Uint8Array.of(value >>> 8, value))
  }
  u32(value: number): this {
    return this.bytes(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value))
  }
  /** IEEE 754 binary64. */
  f64(value: number): this {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, value)
    return this.bytes(bytes)
  }
  bytes(value: Uint8Array): this {
    this.#parts.push(value)
    return this
  }
  finish(): Uint8Array {
    return concat(this.#parts)
  }
}
