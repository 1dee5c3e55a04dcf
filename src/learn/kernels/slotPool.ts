/** Numbered slots of equal size with counts of who holds them, so that copies of a model in flight are one and memory stays flat. */
import { invariant } from '../../core/errors.ts'

const FIRST_CAPACITY = 64
const CAPACITY_MAX = 2 ** 30 // slot numbers stay small integers

/**
 * Hands out slots 0, 1, 2 …; a slot is taken with one holder, and free again when all have released it. The slot freed last is taken first, for it
 * is in the cache. `onFresh` is called before a slot is handed out for the first time; where it throws, nothing has been taken.
 */
export class SlotPool {
  readonly #onFresh: (slot: number) => void
  #holders = new Int32Array(0)
  #free = new Int32Array(0)
  #freeCount = 0
  #fresh = 0
  constructor(onFresh: (slot: number) => void = () => undefined) {
    this.#onFresh = onFresh
  }

  /** Slots that somebody holds. */
  get used(): number {
    return this.#fresh - this.#freeCount
  }

  /** The most slots that were held at one time. */
  get peak(): number {
    return this.#fresh
  }

  /** A free slot, held once; what it contains is left from before. Errors: those of `onFresh`. */
  take(): number {
    const slot = this.#freeCount > 0 ? (this.#free[--this.#freeCount] as number) : this.#next()
    this.#holders[slot] = 1
    return slot
  }

  /** One holder more; returns the slot. */
  retain(slot: number): number {
    this.#check(slot)
    this.#holders[slot] = (this.#holders[slot] as number) + 1
    return slot
  }

  /** One holder less; the last one frees the slot. */
  release(slot: number): void {
    this.#check(slot)
    const left = (this.#holders[slot] as number) - 1
    this.#holders[slot] = left
    if (left === 0) this.#free[this.#freeCount++] = slot
  }

  /** How many hold the slot; 0 where it is free. */
  holders(slot: number): number {
    return this.#holders[slot] ?? 0
  }

  #check(slot: number): void {
    if (!((this.#holders[slot] as number) > 0)) invariant(false, `slot ${slot} is used after its last release`)
  }

  #next(): number {
    this.#onFresh(this.#fresh)
    if (this.#fresh === this.#holders.length) this.#double()
    return this.#fresh++
  }

  #double(): void {
    const capacity = Math.max(FIRST_CAPACITY, 2 * this.#holders.length)
    invariant(capacity <= CAPACITY_MAX, `${capacity} slots`)
    const holders = new Int32Array(capacity)
    holders.set(this.#holders)
    this.#holders = holders
    const free = new Int32Array(capacity)
    free.set(this.#free)
    this.#free = free
  }
}
