/** The updates that were announced and are being fetched: at most one of each author, the newest. */
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

  /** A newer one takes the place of what is being fetched of its author, which need not arrive any more. */
  take({ author, round, digest, examples, reference }: Announcement): Judgement {
    const before = this.#fetching.get(author)
    if (before !== undefined && round <= before.round) {
      if (round < before.round) return { verdict: 'ignore', reason: 'update-stale' }
      const reason = digest === before.digest ? 'update-known' : UPDATE_CONTRADICTS
      return { verdict: 'ignore', reason }
    }
    if (before === undefined && this.#fetching.size >= LIMITS.membersMax)
      return { verdict: 'ignore', reason: 'fetches-full' }
    this.#fetching.set(author, { author, round, digest, examples, reference, taken: 0 })
    return { verdict: 'accept', displaced: null }
  }

  /** It has arrived, or nobody can serve it. False where it was not wanted any more. */
  settle(author: MemberId, digest: Digest): boolean {
    return this.#fetching.get(author)?.digest === digest && this.#fetching.delete(author)
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
  }

  get size(): number {
    return this.#fetching.size
  }
}
