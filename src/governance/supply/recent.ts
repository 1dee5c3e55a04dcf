/** What was worked out last: neighbours of one box ask for the same again and again. */

/** One value for each remainder of its number, so that it never grows. Values must not be changed. */
export class Recent<T> {
  readonly #slots: ({ readonly key: number; readonly value: T } | undefined)[]

  /** Holds at most so many. */
  constructor(slots: number) {
    this.#slots = new Array<undefined>(slots).fill(undefined)
  }

  /** As it was kept, or as `make` makes it. */
  get(key: number, make: () => T): T {
    const slot = key % this.#slots.length
    const kept = this.#slots[slot]
    if (kept !== undefined && kept.key === key) return kept.value
    const value = make()
    this.#slots[slot] = { key, value }
    return value
  }

  /** What was kept under this number counts no more. */
  drop(key: number): void {
    const slot = key % this.#slots.length
    if (this.#slots[slot]?.key === key) this.#slots[slot] = undefined
  }

  clear(): void {
    this.#slots.fill(undefined)
  }
}
