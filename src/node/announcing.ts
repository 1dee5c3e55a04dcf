/** When the own newest head is told to all: soon after it was signed, and not too often. */

const EVERY_MS = 500 // often enough to follow a round, seldom enough for 40 members

/** One per machine. */
export class Announcing {
  #dirty = false
  #atMs = Number.NEGATIVE_INFINITY

  /** The own log has a head that the others have not been told of. */
  grown(): void {
    this.#dirty = true
  }

  /** Whether to announce now; counts as done. */
  isDue(now: number): boolean {
    if (!this.#dirty || now < this.#atMs + EVERY_MS) return false
    this.#dirty = false
    this.#atMs = now
    return true
  }

  wakeAtMs(): number | null {
    return this.#dirty ? this.#atMs + EVERY_MS : null
  }
}
