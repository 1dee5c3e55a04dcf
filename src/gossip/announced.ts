/**
 * The updates that were announced and are being fetched: of each author one, behind which the newest waits. A fetch goes on though there is a
 * newer one: where it takes longer than its author's rounds, none would ever be complete else.
 */
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type Judgement, type MergeInput, UPDATE_CONTRADICTS } from './exchange.ts'

/** What of an announcement is compared, and what a merge of its parts needs to know. */
export interface Announcement {
  readonly author: MemberId
  readonly round: number
  readonly digest: Digest
  readonly examples: number
  /** Null where all weights are carried, so that parts of them can be read. */
  readonly reference: Digest | null
}

interface Fetching extends Announcement {
  /** How many merges took parts of it: its age. */
  taken: number
}

/** One per study and node. What is here was judged already, as far as that goes without its weights. */
export class Announced {
  readonly #fetching = new Map<MemberId, Fetching>()
  readonly #next = new Map<MemberId, Announcement>()

  /** What is being fetched of its author goes on; the newest comes next, in place of one that waited. */
  take(announcement: Announcement): Judgement {
    const { author, round, digest, examples, reference } = announcement
    const running = this.#fetching.get(author)
    for (const before of [running, this.#next.get(author)]) {
      if (before?.round !== round) continue
      return { verdict: 'ignore', reason: digest === before.digest ? 'update-known' : UPDATE_CONTRADICTS }
    }
    if (round < (this.#next.get(author) ?? running ?? { round: -1 }).round)
      return { verdict: 'ignore', reason: 'update-stale' }
    if (running === undefined && this.#fetching.size >= LIMITS.membersMax)
      return { verdict: 'ignore', reason: 'fetches-full' }
    if (running === undefined) this.#begin(announcement)
    else this.#next.set(author, { author, round, digest, examples, reference })
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
    this.#begin(next)
    return next
  }

  #begin({ author, round, digest, examples, reference }: Announcement): void {
    this.#fetching.set(author, { author, round, digest, examples, reference, taken: 0 })
  }

  /** Those of which parts may be merged, ascending by author: as many as one entry can name, those that merges took least before others. */
  partial(ageRoundsMax: number): MergeInput[] {
    const whole = [...this.#fetching.values()].filter(
      ({ reference, taken }) => reference === null && taken <= ageRoundsMax,
    )
    return whole
      .sort((a, b) => a.taken - b.taken || compareIds(a.author, b.author))
      .slice(0, LIMITS.updateParentsMax)
      .sort((a, b) => compareIds(a.author, b.author))
      .map(({ author, round, digest, examples, taken }) => ({ author, round, digest, examples, ageRounds: taken }))
  }

  /** A merge took parts of it. */
  merged(author: MemberId, digest: Digest): void {
    const fetching = this.#fetching.get(author)
    if (fetching?.digest === digest) fetching.taken++
  }

  clear(): void {
    this.#fetching.clear()
    this.#next.clear()
  }

  get size(): number {
    return this.#fetching.size
  }
}
