/**
 * Whom a node has asked for the newest updates of a study, which gossip does not repeat: every connected member once, one after the other,
 * for each tells only what is newer than what is known here.
 */
import type { MemberId } from '../core/ids.ts'

/** One per study and node. */
export class CatchUp {
  readonly #asked = new Set<MemberId>()
  #asking: MemberId | null = null

  /** Whom to ask now, of those who are connected; null while one is being asked, and when all were. */
  next(connected: readonly MemberId[]): MemberId | null {
    if (this.#asking !== null) return null
    const member = connected.find((one) => !this.#asked.has(one)) ?? null
    if (member === null) return null
    this.#asked.add(member)
    this.#asking = member
    return member
  }

  /** Whether an answer is waited for. */
  get isAsking(): boolean {
    return this.#asking !== null
  }

  /** It has told, or could not. */
  told(member: MemberId): void {
    if (this.#asking === member) this.#asking = null
  }

  /** Who comes back is asked again: it may have heard what was said here while it was away. */
  gone(member: MemberId): void {
    this.#asked.delete(member)
    this.told(member)
  }

  /** Everybody is asked again. */
  restart(): void {
    this.#asked.clear()
    this.#asking = null
  }
}
