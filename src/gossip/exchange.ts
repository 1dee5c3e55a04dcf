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
  author: A
  round: number
  digest: R
  examples: number
  /** Own round when it was heard. */
  heardAtRound: number
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
 * The updates that one node holds of one study; at most one per member, of `heldMax` members at most. Of so many more it remembers which
 * round was the newest, though its weights are too old to be merged; who was heard longest ago is forgotten.
 */
export class Exchange<A extends AuthorId = MemberId, R = Digest> {
  readonly #self: A
  readonly #heldMax: number
  /** What may still be merged, ascending by author. */
  readonly #rows: Row<A, R>[] = []
  /** Rows that were given up, to be used again: a million nodes that exchange for months must not keep the collector busy. */
  readonly #spare: Row<A, R>[] = []
  /** The newest rounds of those whose update became too old: two rings, as long as they had to be so far. */
  readonly #pastAuthors: A[] = []
  readonly #pastRounds: number[] = []
  #pastAt = 0

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
    const displaced = row.digest
    row.round = offer.round
    row.digest = offer.digest
    row.examples = offer.examples
    row.heardAtRound = ownRound
    return { verdict: 'accept', displaced }
  }

  /**
   * Inputs of this round's merge, sorted by author: the own update, and the freshest of the others, as many as one entry can name. What is
   * older than `ageRoundsMax` is merged never more, and its weights are let go.
   */
  inputs(own: MergeInput<A, R>, ageRoundsMax: number, letGo?: (digest: R) => void): MergeInput<A, R>[] {
    this.#expire(own.round - ageRoundsMax, letGo)
    const rows = this.#rows.length > OTHERS_MAX ? this.#freshest() : this.#rows
    const inputs: MergeInput<A, R>[] = []
    let placed = false
    for (const { author, round, digest, examples, heardAtRound } of rows) {
      if (!placed && author > own.author) {
        inputs.push(own)
        placed = true
      }
      inputs.push({ author, round, digest, examples, ageRounds: Math.max(0, own.round - heardAtRound) })
    }
    if (!placed) inputs.push(own)
    return inputs
  }

  /** Drops everything, for a new scaling makes it incomparable; returns the digests that are free now. */
  clear(): R[] {
    const digests = this.#rows.map(({ digest }) => digest)
    this.#rows.length = 0
    this.#pastAuthors.length = 0
    this.#pastRounds.length = 0
    this.#pastAt = 0
    return digests
  }

  /** What may still be merged, ascending by author. */
  get held(): readonly Held<A, R>[] {
    return this.#rows
  }

  /** After own rounds were renumbered from `before` to `after`, ages stay what they were. */
  shift(before: number, after: number): void {
    if (after !== before) for (const row of this.#rows) row.heardAtRound += after - before
  }

  #add(at: number, { author, round, digest, examples }: Offer<A, R>, ownRound: number): Judgement<R> {
    if (round <= this.#recalled(author)) return STALE
    const row = this.#spare.pop()
    if (row === undefined) this.#rows.splice(at, 0, { author, round, digest, examples, heardAtRound: ownRound })
    else {
      row.author = author
      row.round = round
      row.digest = digest
      row.examples = examples
      row.heardAtRound = ownRound
      this.#rows.splice(at, 0, row)
    }
    if (this.#rows.length <= this.#heldMax) return ACCEPTED
    let oldest = at === 0 ? 1 : 0
    for (let i = 0; i < this.#rows.length; i++) {
      if (i !== at && this.#row(i).heardAtRound < this.#row(oldest).heardAtRound) oldest = i
    }
    const displaced = this.#row(oldest).digest
    this.#giveUp(this.#row(oldest))
    this.#rows.splice(oldest, 1)
    return { verdict: 'accept', displaced }
  }

  /** What was heard before own round `fromRound` is too old. */
  #expire(fromRound: number, letGo: ((digest: R) => void) | undefined): void {
    const rows = this.#rows
    let kept = 0
    for (let i = 0; i < rows.length; i++) {
      const row = this.#row(i)
      if (row.heardAtRound >= fromRound) rows[kept++] = row
      else {
        letGo?.(row.digest)
        this.#giveUp(row)
      }
    }
    rows.length = kept
  }

  /** Remembers the round, in place of the oldest that is remembered where there are too many. */
  #giveUp(row: Row<A, R>): void {
    this.#spare.push(row)
    let at = this.#pastAuthors.indexOf(row.author)
    if (at < 0) {
      at = this.#pastAt
      this.#pastAt = (at + 1) % this.#heldMax
    }
    this.#pastAuthors[at] = row.author
    this.#pastRounds[at] = row.round
  }

  #recalled(author: A): number {
    const at = this.#pastAuthors.indexOf(author)
    return at < 0 ? -1 : (this.#pastRounds[at] as number)
  }

  #freshest(): Row<A, R>[] {
    const rows = [...this.#rows].sort((a, b) => b.heardAtRound - a.heardAtRound || compareIds(a.author, b.author))
    return rows.slice(0, OTHERS_MAX).sort((a, b) => compareIds(a.author, b.author))
  }

  #row(i: number): Row<A, R> {
    return this.#rows[i] as Row<A, R>
  }

  /** Where `author` stands, or would. */
  #find(author: A): number {
    let [low, high] = [0, this.#rows.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#row(middle).author < author) low = middle + 1
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
  let ahead = 0
  for (const round of heard) if (round > own) ahead++
  if (2 * ahead <= heard.length) return own + 1 // the lower median of them all is not above the own
  const sorted = [...heard, own].sort((a, b) => a - b)
  return (sorted[Math.floor((sorted.length - 1) / 2)] as number) + 1
}
