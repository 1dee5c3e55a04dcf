/** A running hash of millions of events a second: two multiply-and-rotate lanes over 32-bit words; not against malice, but against accident. */
import { toHex } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'

/** Equal words in equal order give equal hashes, on every machine: only 32-bit integer arithmetic is used. */
export class FastTrace {
  #a = 0x243f6a88 // the first digits of π, as any constants would do
  #b = 0x85a308d3
  #words = 0

  /** Folds one 32-bit word. Each lane is a bijection of its state for a given word, so that a difference never vanishes at once. */
  word(word: number): void {
    const a = Math.imul(this.#a ^ word, 0x9e3779b1)
    this.#a = ((a << 13) | (a >>> 19)) + 0x165667b1
    const b = Math.imul(this.#b + word, 0x85ebca77)
    this.#b = ((b << 17) | (b >>> 15)) ^ this.#a
    this.#words++
  }

  /** Folds a whole number of up to 53 bits. */
  number(value: number): void {
    this.word(value | 0)
    this.word(Math.floor(value / 4_294_967_296))
  }

  /** SHA-256 of the lanes and of how many words they have seen; 64 hex digits. */
  get hash(): string {
    const words = Uint32Array.of(this.#a, this.#b, this.#words | 0, Math.floor(this.#words / 4_294_967_296))
    return toHex(sha256(new Uint8Array(words.buffer)))
  }
}
