/** Generators by number: what is drawn for a node depends on nobody else's draws, and needs no state in between. */
import { Rng } from '../../src/core/rng.ts'

/** Four words of chance, from which generators for numbers are made. */
export class Keyed {
  readonly #key: Uint32Array

  constructor(rng: Rng) {
    this.#key = Uint32Array.from({ length: 4 }, () => rng.u32())
  }

  /** The generator of two whole numbers below 2^32: the same at every call. */
  rng(a: number, b = 0): Rng {
    const state = new Uint32Array(4)
    for (let i = 0; i < 4; i++) {
      const first = mix((this.#key[i] as number) ^ Math.imul(a, 2 * i + 1))
      state[i] = mix((first + Math.imul(b, 0x9e3779b1) + i) | 0)
    }
    return new Rng(state)
  }
}

/** The finalizer of MurmurHash3 (Appleby 2011): each bit of the input turns half of the output's, and no two inputs meet. */
function mix(word: number): number {
  let x = word
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}
