/** Which chunks of a payload are here: a bit each, the first in the highest of the first byte. */

/** Of fixed length. */
export class Bitfield {
  readonly length: number
  readonly bytes: Uint8Array
  #count = 0

  constructor(length: number) {
    this.length = length
    this.bytes = new Uint8Array(Math.ceil(length / 8))
  }

  static full(length: number): Bitfield {
    const bits = new Bitfield(length)
    for (let i = 0; i < length; i++) bits.set(i)
    return bits
  }

  /** Null where `bytes` are no bitfield of that length: too few, too many, or with bits beyond the last. */
  static read(length: number, bytes: Uint8Array): Bitfield | null {
    const bits = new Bitfield(length)
    if (bytes.length !== bits.bytes.length) return null
    for (let i = 0; i < bytes.length * 8; i++) {
      const isSet = ((bytes[i >> 3] as number) & (128 >> (i & 7))) !== 0
      if (isSet && i >= length) return null
      if (isSet) bits.set(i)
    }
    return bits
  }

  /** How many are set. */
  get count(): number {
    return this.#count
  }

  get isFull(): boolean {
    return this.#count === this.length
  }

  has(i: number): boolean {
    return ((this.bytes[i >> 3] as number) & (128 >> (i & 7))) !== 0
  }

  set(i: number): void {
    if (this.has(i)) return
    this.bytes[i >> 3] = (this.bytes[i >> 3] as number) | (128 >> (i & 7))
    this.#count++
  }

  clear(i: number): void {
    if (!this.has(i)) return
    this.bytes[i >> 3] = (this.bytes[i >> 3] as number) & ~(128 >> (i & 7))
    this.#count--
  }
}
