/** Chance that nobody can foresee: where the bits of noise and of sampling come from. */
import { randomFillSync } from 'node:crypto'
import { invariant } from '../../core/errors.ts'

/** Fills bytes with random bits. Whoever knows them can take the noise off again: a daemon's come from the system's generator alone. */
export type Fill = (bytes: Uint8Array) => void

const BLOCK_BYTES = 65_536 // one call of the generator for so much costs a tenth of as many small ones

/** Words, uniform and normal numbers out of random bits. */
export class Chance {
  readonly #fill: Fill
  readonly #words = new Uint32Array(BLOCK_BYTES / 4)
  #next = this.#words.length
  #spare: number | null = null

  /** `fill` is given by simulations and tests alone. */
  constructor(fill: Fill = (bytes) => void randomFillSync(bytes)) {
    this.#fill = fill
  }

  /** 32 bits. */
  word(): number {
    if (this.#next === this.#words.length) {
      this.#fill(new Uint8Array(this.#words.buffer))
      this.#next = 0
    }
    const word = this.#words[this.#next] as number
    this.#words[this.#next++] = 0 // what made the noise is not left lying in memory
    return word
  }

  /** Whether something of this chance happens, exact to 2⁻⁵³. */
  happens(chance: number): boolean {
    return (this.word() >>> 5) * 2 ** 26 + (this.word() >>> 6) < chance * 2 ** 53
  }

  /**
   * A standard normal number, by Box and Muller 1958. The uniform number in its logarithm has all its 53 digits however small it is, so
   * that the tails have no holes: beyond six deviations a uniform number of 53 bits would leave but few of the values that there should be.
   */
  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log(this.#positive()))
    const angle = 2 * Math.PI * ((this.word() + this.word() * 2 ** -32) * 2 ** -32)
    this.#spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** Above 0, at most 1: bits are drawn until there is a leading one, and 64 more. */
  #positive(): number {
    let scale = 2 ** -32
    let lead = this.word()
    for (; lead === 0; lead = this.word()) {
      scale *= 2 ** -32
      invariant(scale > 0, 'random bits are not all zeros')
    }
    return (lead + (this.word() + (this.word() + 0.5) * 2 ** -32) * 2 ** -32) * scale
  }
}
