/**
 * Who waits for each payload. Several updates may name one payload, as where a member signs what it copied from another's message: they
 * share its fetch, and none of them can take it from the others.
 */
import type { Digest } from '../core/ids.ts'

/** One per node; `W` is whatever waits. */
export class Waiters<W> {
  readonly #waiting = new Map<Digest, Set<W>>()

  /** True for the first, with whom the fetch begins. */
  join(id: Digest, waiter: W): boolean {
    const others = this.#waiting.get(id)
    if (others === undefined) this.#waiting.set(id, new Set([waiter]))
    else others.add(waiter)
    return others === undefined
  }

  /** True where it was the last, with whom the fetch ends; false where it did not wait. */
  leave(id: Digest, waiter: W): boolean {
    const waiting = this.#waiting.get(id)
    if (waiting?.delete(waiter) !== true || waiting.size > 0) return false
    return this.#waiting.delete(id)
  }

  /** The fetch is over: all who waited, the first to join first. */
  settle(id: Digest): W[] {
    const waiting = [...(this.#waiting.get(id) ?? [])]
    this.#waiting.delete(id)
    return waiting
  }
}
