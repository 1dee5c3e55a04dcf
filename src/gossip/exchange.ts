/** Which updates are taken in, held and merged: the newest of each member, checked against the study. */
import type { Blame } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { UpdateFacts } from './update.ts'

/** What names a member in an exchange: its key, or its number where a simulator has a million of them. */
export type AuthorId = string | number

/** What one study expects of an update. */
export interface Expectation<A extends AuthorId = MemberId> {
  readonly parameters: number
  readonly scaling: Digest
  /** Rounds that the study runs; a higher number cannot be. */
  readonly rounds: number
  readonly accepted: { has(author: A): boolean }
}

/** What an update says of itself, as far as it is judged; `UpdateHeader` has it. */
export interface Offer<A extends AuthorId = MemberId, R = Digest> {
  readonly author: A
  readonly round: number
  readonly examples: number
  readonly scaling: Digest
  readonly digest: R
  readonly parameters: number
}

/** One update as it goes into a merge; the shell finds its weights by `digest`. */
export interface MergeInput<A extends AuthorId = MemberId, R = Digest> {
  readonly author: A
  readonly round: number
  readonly digest: R
  readonly examples: number
  /** Own merges since this update was heard: 0 the first time. */
  readonly ageRounds: number
}

/** An update that is held. */
export interface Held<A extends AuthorId = MemberId, R = Digest> {
  readonly author: A
  readonly round: number
  readonly digest: R
}

interface Row<A extends AuthorId, R> {
  readonly author: A
  round: number
  digest: R
  examples: number
  /** Own round when it was heard. */
  heardAtRound: number
  /** Whether its weights may still be merged. */
  fresh: boolean
}

export type Judgement<R = Digest> =
  | {
      readonly verdict: 'accept'
      /** What is held no more, in its place. */ readonly displaced: R | null
    }
  | { readonly verdict: Blame; readonly reason: string }

/**
 * Two updates of one author for one round. Who forwards the second may have seen only that one, so the forwarder is not blamed;
 * the author, who signed both, is.
 */
export const UPDATE_CONTRADICTS = 'update-contradicts'

const OTHERS_MAX = LIMITS.updateParentsMax - 1 // beside the own update: as many as one entry can name

const ACCEPTED = { verdict: 'accept', displaced: null } as const
const ECHO = { verdict: 'ignore', reason: 'update-own' } as const // as after a restart
const STALE = { verdict: 'ignore', reason: 'update-stale' } as const
const KNOWN = { verdict: 'ignore', reason: 'update-known' } as const
const CONTRADICTS = { verdict: 'ignore', reason: UPDATE_CONTRADICTS } as const

/**
 * The updates that one node holds of one study; at most one per member. Of `heldMax` members at most: beyond that who was heard longest
 * ago is forgotten, and an older update of theirs could be taken again.
 */
export class Exchange<A extends AuthorId = MemberId, R = Digest> {
  readonly #self: A
  readonly #heldMax: number
  /** Ascending by author. */
  readonly #rows: Row<A, R>[] = []

  constructor(self: A, heldMax: number = LIMITS.membersMax) {
    this.#self = self
    this.#heldMax = heldMax
  }

  /** Checks an update, cheapest reason first, and holds it if nothing is wrong. */
  judge(offer: Offer<A, R>, facts: UpdateFacts, expected: Expectation<A>, ownRound: number): Judgement<R> {
    if (offer.author === this.#self) return ECHO
    const fault = faultOf(offer, facts, expected)
    if (fault !== null) return fault
    const at = this.#find(offer.author)
    const row = this.#rows[at]
    if (row === undefined || row.author !== offer.author) return this.#add(at, offer, ownRound)
    if (offer.round < row.round) return STALE
    if (offer.round === row.round) return row.digest === offer.digest ? KNOWN : CONTRADICTS
    const displaced = row.fresh ? row.digest : null
    row.round = offer.round
    row.digest = offer.digest
    row.examples = offer.examples
    row.heardAtRound = ownRound
    row.fresh = true
    return displaced === null ? ACCEPTED : { verdict: 'accept', displaced }
  }

  /**
   * Inputs of this round's merge, sorted by author: the own update, and the freshest of the others, as many as one entry can name. What is
   * older than `ageRoundsMax` is merged never more, and its weights are let go.
   */
  inputs(own: MergeInput<A, R>, ageRoundsMax: number, letGo?: (digest: R) => void): MergeInput<A, R>[] {
    const others: MergeInput<A, R>[] = []
    for (const row of this.#rows) {
      if (!row.fresh) continue
      const ageRounds = Math.max(0, own.round - row.heardAtRound)
      if (ageRounds > ageRoundsMax) {
        row.fresh = false
        letGo?.(row.digest)
      } else {
        const { author, round, digest, examples } = row
        others.push({ author, round, digest, examples, ageRounds })
      }
    }
    if (others.length > OTHERS_MAX) {
      others.sort((a, b) => a.ageRounds - b.ageRounds || compareIds(a.author, b.author))
      others.length = OTHERS_MAX
      others.sort((a, b) => compareIds(a.author, b.author))
    }
    let place = 0
    while (place < others.length && (others[place] as MergeInput<A, R>).author < own.author) place++
    others.splice(place, 0, own)
    return others
  }

  /** Drops everything, for a new scaling makes it incomparable; returns the digests that are free now. */
  clear(): R[] {
    const digests = this.held.map(({ digest }) => digest)
    this.#rows.length = 0
    return digests
  }

  /** What may still be merged, ascending by author. */
  get held(): readonly Held<A, R>[] {
    return this.#rows.filter(({ fresh }) => fresh)
  }

  /** After own rounds were renumbered from `before` to `after`, ages stay what they were. */
  shift(before: number, after: number): void {
    if (after !== before) for (const row of this.#rows) row.heardAtRound += after - before
  }

  #add(at: number, { author, round, digest, examples }: Offer<A, R>, ownRound: number): Judgement<R> {
    this.#rows.splice(at, 0, { author, round, digest, examples, heardAtRound: ownRound, fresh: true })
    if (this.#rows.length <= this.#heldMax) return ACCEPTED
    let oldest = at === 0 ? 1 : 0
    for (let i = 0; i < this.#rows.length; i++) {
      if (i !== at && this.#heardAt(i) < this.#heardAt(oldest)) oldest = i
    }
    const [dropped] = this.#rows.splice(oldest, 1)
    return dropped?.fresh ? { verdict: 'accept', displaced: dropped.digest } : ACCEPTED
  }

  #heardAt(i: number): number {
    return (this.#rows[i] as Row<A, R>).heardAtRound
  }

  /** Where `author` stands, or would. */
  #find(author: A): number {
    let [low, high] = [0, this.#rows.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#rows[middle] as Row<A, R>).author < author) low = middle + 1
      else high = middle
    }
    return low
  }
}

function faultOf<A extends AuthorId>(
  offer: Offer<A, unknown>,
  facts: UpdateFacts,
  expected: Expectation<A>,
): { verdict: Blame; reason: string } | null {
  if (!facts.signatureValid) return { verdict: 'reject', reason: 'update-signature' }
  if (!facts.digestMatches) return { verdict: 'reject', reason: 'update-digest' }
  if (!expected.accepted.has(offer.author)) return { verdict: 'ignore', reason: 'author-not-in-study' }
  if (offer.scaling !== expected.scaling) return { verdict: 'ignore', reason: 'scaling-differs' }
  if (offer.parameters !== expected.parameters) return { verdict: 'reject', reason: 'update-shape' }
  if (!facts.finite) return { verdict: 'reject', reason: 'update-not-finite' }
  if (facts.rms > LIMITS.updateNormMax) return { verdict: 'reject', reason: 'update-norm' }
  if (offer.round >= expected.rounds) return { verdict: 'reject', reason: 'round-beyond-end' }
  if (offer.examples === 0) return { verdict: 'reject', reason: 'update-without-examples' }
  return null
}

/**
 * The round number to go on from. A node that was away takes up the median of what it hears (lower median, own included), so that
 * no minority of members can push a study to its end.
 */
export function nextRound(own: number, heard: readonly number[]): number {
  const sorted = [...heard, own].sort((a, b) => a - b)
  const median = sorted[Math.floor((sorted.length - 1) / 2)] as number
  return Math.max(own, median) + 1
}
