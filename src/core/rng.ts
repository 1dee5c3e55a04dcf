/** A seeded generator for reproducible choices (splits, shuffles, initial weights). Not for keys, salts or privacy noise. */
import { fromHex, utf8 } from './bytes.ts'
import { sha256 } from './digest.ts'
import { invariant } from './errors.ts'

/** xoshiro128** 1.1 (Blackman and Vigna 2018), 32-bit output, period 2^128 − 1. */
export class Rng {
  readonly #s: Uint32Array
  constructor(state: Uint32Array) {
    this.#s = state.slice(0, 4)
    if (this.#s.every((word) => word === 0)) this.#s[0] = 1
  }

  /** A generator from any labels: the same labels give the same stream on every machine. */
  static from(...labels: readonly (string | number)[]): Rng {
    const seed = sha256(utf8(JSON.stringify(labels)))
    const view = new DataView(seed.buffer)
    return new Rng(Uint32Array.of(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)))
  }

  /** A generator from a 64-digit hex digest. */
  static fromDigest(digest: string): Rng {
    const view = new DataView(fromHex(digest).buffer)
    return new Rng(Uint32Array.of(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)))
  }

  /** Uniform over 0 … 2^32 − 1. */
  u32(): number {
    const s = this.#s as unknown as [number, number, number, number]
    const x = Math.imul(s[1], 5)
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0
    const t = s[1] << 9
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = (s[3] << 11) | (s[3] >>> 21)
    return result
  }

  /** Uniform over 0 … n − 1 without bias (Lemire 2019, rejection); n is at most 2^32. */
  below(n: number): number {
    invariant(Number.isInteger(n) && n > 0 && n <= 2 ** 32, 'below() draws from 1 to 2^32 values')
    const limit = Math.floor(2 ** 32 / n) * n
    let x = this.u32()
    while (x >= limit) x = this.u32()
    return x % n
  }

  /** Uniform in [0, 1) with 53 bits. */
  float(): number {
    return ((this.u32() >>> 5) * 67_108_864 + (this.u32() >>> 6)) / 9_007_199_254_740_992
  }

  /** Shuffles in place (Fisher and Yates; Durstenfeld 1964). */
  shuffle<T extends unknown[] | Uint32Array>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const swap = items[i]
      items[i] = items[j] as never
      items[j] = swap as never
    }
    return items
  }
}
