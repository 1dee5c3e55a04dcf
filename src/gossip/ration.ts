/** How often each chunk of a payload was given out by one node, so that an author gives out each once before any twice. */
import type { Bitfield } from './bitfield.ts'

/** One per payload and node. */
export class Ration {
  readonly #given: Uint16Array

  constructor(chunks: number) {
    this.#given = new Uint16Array(chunks)
  }

  /**
   * The chunk to give to somebody who wants any of `wanted`: of those in `have` the one that was given out least often, the first of equals.
   * `first`: only one that nobody was given. Null where there is none.
   */
  give(have: Bitfield, wanted: Bitfield, first: boolean): number | null {
    let best = -1
    for (let i = 0; i < wanted.length; i++) {
      if (!wanted.has(i) || !have.has(i)) continue
      if (best < 0 || (this.#given[i] as number) < (this.#given[best] as number)) best = i
    }
    if (best < 0 || (first && (this.#given[best] as number) > 0)) return null
    this.#given[best] = Math.min(0xffff, (this.#given[best] as number) + 1)
    return best
  }

  /** It did not arrive. */
  takeBack(index: number): void {
    this.#given[index] = Math.max(0, (this.#given[index] as number) - 1)
  }
}
