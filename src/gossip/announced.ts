/** The updates that were announced and are being fetched: at most one of each author, the newest. */
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type Judgement, UPDATE_CONTRADICTS } from './exchange.ts'

/** What of an announcement is compared. */
export interface Announcement {
  readonly author: MemberId
  readonly round: number
  readonly digest: Digest
}

/** One per study and node. What is here was judged already, as far as that goes without its weights. */
export class Announced {
  readonly #fetching = new Map<MemberId, Announcement>()

  /** A newer one takes the place of what is being fetched of its author, which need not arrive any more. */
  take({ author, round, digest }: Announcement): Judgement {
    const before = this.#fetching.get(author)
    if (before !== undefined && round <= before.round) {
      if (round < before.round) return { verdict: 'ignore', reason: 'update-stale' }
      const reason = digest === before.digest ? 'update-known' : UPDATE_CONTRADICTS
      return { verdict: 'ignore', reason }
    }
    if (before === undefined && this.#fetching.size >= LIMITS.membersMax)
      return { verdict: 'ignore', reason: 'fetches-full' }
    this.#fetching.set(author, { author, round, digest })
    return { verdict: 'accept', displaced: null }
  }

  /** It has arrived, or nobody can serve it. False where it was not wanted any more. */
  settle(author: MemberId, digest: Digest): boolean {
    return this.#fetching.get(author)?.digest === digest && this.#fetching.delete(author)
  }

  clear(): void {
    this.#fetching.clear()
  }

  get size(): number {
    return this.#fetching.size
  }
}
