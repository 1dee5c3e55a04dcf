/** A set of pairs of nodes, for graphs of millions of links: open addressing in one flat array. */

const EMPTY = -1
const SHARE_MAX = 0.6 // fuller, and a search takes many steps

/** Pairs of whole numbers below `nodes`; the order within a pair does not count. */
export class PairSet {
  readonly #nodes: number
  #slots: Float64Array
  #used = 0

  constructor(nodes: number, expected: number) {
    this.#nodes = nodes
    let size = 16
    while (size * SHARE_MAX < expected) size *= 2
    this.#slots = new Float64Array(size).fill(EMPTY)
  }

  has(a: number, b: number): boolean {
    const key = this.#key(a, b)
    return this.#slots[this.#slotOf(key)] === key
  }

  /** Returns whether it was not there yet. */
  add(a: number, b: number): boolean {
    const key = this.#key(a, b)
    const slot = this.#slotOf(key)
    if (this.#slots[slot] === key) return false
    this.#slots[slot] = key
    if (++this.#used > this.#slots.length * SHARE_MAX) this.#grow()
    return true
  }

  #key(a: number, b: number): number {
    return a < b ? a * this.#nodes + b : b * this.#nodes + a
  }

  /** Where the key is, or the free slot where it would be. */
  #slotOf(key: number): number {
    const mask = this.#slots.length - 1
    const low = key >>> 0
    const high = (key / 4_294_967_296) >>> 0
    let hash = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35)
    let slot = (hash ^ (hash >>> 16)) & mask
    while (this.#slots[slot] !== EMPTY && this.#slots[slot] !== key) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Float64Array(old.length * 2).fill(EMPTY)
    for (const key of old) if (key !== EMPTY) this.#slots[this.#slotOf(key)] = key
  }
}
