/** How many different things each holder may bring; the first ones count, and bringing one again costs nothing. */

/** Grows to `max` things for each holder; its users bound the holders. */
export class Quota<Holder, Thing> {
  readonly #max: number
  readonly #taken = new Map<Holder, Set<Thing>>()

  /** `max` things for each holder. */
  constructor(max: number) {
    this.#max = max
  }

  /** Whether `thing` is among the first of `holder`. */
  take(holder: Holder, thing: Thing): boolean {
    const taken = this.#taken.get(holder) ?? new Set()
    if (taken.has(thing)) return true
    if (taken.size >= this.#max) return false
    this.#taken.set(holder, taken.add(thing))
    return true
  }

  has(holder: Holder, thing: Thing): boolean {
    return this.#taken.get(holder)?.has(thing) ?? false
  }

  /** Whether anything new of `holder` would be refused. */
  isFull(holder: Holder): boolean {
    return (this.#taken.get(holder)?.size ?? 0) >= this.#max
  }
}
