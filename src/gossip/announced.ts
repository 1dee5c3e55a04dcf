/**
 * The updates that were announced and are being fetched: of each author one, behind which the newest waits. A fetch goes on though there is a
 * newer one: where it takes longer than its author's rounds, none would ever be complete else.
 */
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
  readonly #next = new Map<MemberId, Announcement>()

  /** What is being fetched of its author goes on; the newest comes next, in place of one that waited. */
  take({ author, round, digest }: Announcement): Judgement {
    const running = this.#fetching.get(author)
    for (const before of [running, this.#next.get(author)]) {
      if (before?.round !== round) continue
      return { verdict: 'ignore', reason: digest === before.digest ? 'update-known' : UPDATE_CONTRADICTS }
    }
    if (round < (this.#next.get(author) ?? running ?? { round: -1 }).round)
      return { verdict: 'ignore', reason: 'update-stale' }
    if (running === undefined && this.#fetching.size >= LIMITS.membersMax)
      return { verdict: 'ignore', reason: 'fetches-full' }
    const waits = running === undefined ? this.#fetching : this.#next
    waits.set(author, { author, round, digest })
    return { verdict: 'accept', displaced: null }
  }

  /** Whether it is to be fetched now. */
  isFetching(author: MemberId, digest: Digest): boolean {
    return this.#fetching.get(author)?.digest === digest
  }

  /** It has arrived, or nobody can serve it. False where it was not wanted any more. */
  settle(author: MemberId, digest: Digest): boolean {
    if (this.#next.get(author)?.digest === digest) this.#next.delete(author)
    return this.isFetching(author, digest) && this.#fetching.delete(author)
  }

  /** What waited until nothing of `author` was being fetched: from here on it is. Null where nothing did. */
  follow(author: MemberId): Announcement | null {
    const next = this.#next.get(author)
    if (next === undefined || this.#fetching.has(author)) return null
    this.#next.delete(author)
    this.#fetching.set(author, next)
    return next
  }

  clear(): void {
    this.#fetching.clear()
    this.#next.clear()
  }

  get size(): number {
    return this.#fetching.size
  }
}
