/**
 * Reads canonical CBOR in one pass, for `cbor.ts`: three times the rate of decoding with a library and encoding again. It takes only
 * what is certainly the one encoding of what it gives; of anything else it says nothing, and the slower way decides.
 */
import { LIMITS } from './limits.ts'

type Item = null | boolean | number | string | Uint8Array | Item[] | { [key: string]: Item }

const TEXT = 3 // major types, RFC 8949 §3.1
const UNSURE = -1

/** What `bytes` mean, or undefined: where they are not canonical, too deep, or of a kind too rare to be read here. Bytes are copied. */
export function readCanonical(bytes: Uint8Array): Item | undefined {
  const reader = new Reader(bytes)
  const item = reader.item(1)
  return reader.at === bytes.length ? item : undefined
}

/** Every method moves on, or gives undefined; then nothing that was read counts. */
class Reader {
  at = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  item(depth: number): Item | undefined {
    const initial = this.#bytes[this.at++]
    if (initial === undefined) return undefined
    const major = initial >> 5
    if (major === 7) return this.#simple(initial)
    const argument = this.#argument(initial & 31)
    if (argument === UNSURE) return undefined
    switch (major) {
      case 0:
        return argument
      case 1:
        return argument < Number.MAX_SAFE_INTEGER ? -1 - argument : undefined
      case 2:
        return this.#byteString(argument)
      case TEXT:
        return this.#text(argument)
      case 4:
        return this.#array(argument, depth)
      case 5:
        return this.#map(argument, depth)
      default:
        return undefined // a tag
    }
  }

  /** The argument of an item's head in its shortest form, below 2^53. */
  #argument(info: number): number {
    if (info < 24) return info
    if (info > 27) return UNSURE
    const width = 1 << (info - 24)
    const bytes = this.#bytes
    if (width > bytes.length - this.at) return UNSURE
    let value = 0
    for (const end = this.at + width; this.at < end; this.at++) value = value * 256 + (bytes[this.at] as number)
    const least = width === 1 ? 24 : width === 2 ? 256 : width === 4 ? 65_536 : 4_294_967_296
    return value >= least && value <= Number.MAX_SAFE_INTEGER ? value : UNSURE
  }

  #byteString(length: number): Uint8Array | undefined {
    const from = this.at
    if (length > this.#bytes.length - from) return undefined
    this.at += length
    return this.#bytes.slice(from, this.at)
  }

  /** ASCII alone: other text is rare, and whether it is well formed is a library's business. */
  #text(length: number): string | undefined {
    const bytes = this.#bytes
    if (length > bytes.length - this.at) return undefined
    let text = ''
    for (const end = this.at + length; this.at < end; this.at++) {
      const unit = bytes[this.at] as number
      if (unit > 0x7f) return undefined
      text += String.fromCharCode(unit)
    }
    return text
  }

  #array(count: number, depth: number): Item[] | undefined {
    if (this.#isBeyond(count, depth)) return undefined
    const items: Item[] = []
    for (let i = 0; i < count; i++) {
      const item = this.item(depth + 1)
      if (item === undefined) return undefined
      items.push(item)
    }
    return items
  }

  /** Keys are text, each greater than the one before it: bytewise, as encoded. */
  #map(count: number, depth: number): { [key: string]: Item } | undefined {
    if (this.#isBeyond(count, depth)) return undefined
    const items: { [key: string]: Item } = {}
    let before = -1
    for (let i = 0; i < count; i++) {
      const from = this.at
      const key = this.#key()
      if (key === undefined || (before >= 0 && !this.#isGreater(from, before))) return undefined
      const item = this.item(depth + 1)
      if (item === undefined) return undefined
      items[key] = item
      before = from
    }
    return items
  }

  #key(): string | undefined {
    const initial = this.#bytes[this.at++]
    if (initial === undefined || initial >> 5 !== TEXT) return undefined
    const length = this.#argument(initial & 31)
    const key = length === UNSURE ? undefined : this.#text(length)
    return key === '__proto__' ? undefined : key // assigning that one would make no property
  }

  /** Whether the encoded key at `from`, which ends here, comes after the one at `before`. */
  #isGreater(from: number, before: number): boolean {
    const bytes = this.#bytes
    for (let i = 0; from + i < this.at; i++) {
      const difference = (bytes[from + i] as number) - (bytes[before + i] as number)
      if (difference !== 0) return difference > 0
    }
    return false
  }

  #isBeyond(count: number, depth: number): boolean {
    return count > 0 && (depth > LIMITS.cborDepthMax || count > this.#bytes.length - this.at)
  }

  #simple(initial: number): Item | undefined {
    if (initial === 0xf6) return null
    if (initial === 0xf5) return true
    if (initial === 0xf4) return false
    const value = initial === 0xfb ? this.#float64() : initial === 0xf9 ? this.#float16() : undefined
    return value === undefined || Number.isInteger(value) ? undefined : value
  }

  /** Those that no shorter float holds. */
  #float64(): number | undefined {
    if (8 > this.#bytes.length - this.at) return undefined
    const value = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.at, 8).getFloat64(0)
    this.at += 8
    return Number.isFinite(value) && Math.fround(value) !== value ? value : undefined
  }

  /** Normal ones, such as halves and quarters. */
  #float16(): number | undefined {
    if (2 > this.#bytes.length - this.at) return undefined
    const high = this.#bytes[this.at] as number
    const low = this.#bytes[this.at + 1] as number
    this.at += 2
    const exponent = (high >> 2) & 31
    if (exponent === 0 || exponent === 31) return undefined
    const size = (1024 + ((high & 3) << 8) + low) * 2 ** (exponent - 25)
    return high < 128 ? size : -size
  }
}
