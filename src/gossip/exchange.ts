/** Which updates are taken in, held and merged: the newest of each member, checked against the study. */
import type { Blame } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type UpdateFacts, unread } from './update.ts'

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
  /** Own merges since this update was heard: 0 the first time. Of the own one 0, or the most that there is (`Rounds.publish`). */
  readonly ageRounds: number
}

/** An update that is held. */
export interface Held<A extends AuthorId = MemberId, R = Digest> {
  readonly author: A
  readonly round: number
  readonly digest: R
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

/** One held update in `#cells`: author, round, digest, examples, and the own round when it was heard. */
const STRIDE = 5
const [ROUND, DIGEST, EXAMPLES, HEARD] = [1, 2, 3, 4] as const

/**
 * The updates that one node holds of one study; at most one per member, of `heldMax` members at most. Of so many more it remembers which
 * round was the newest, though its weights are too old to be merged; who was heard longest ago is forgotten. All lies in flat lists, for
 * a simulator has a million of these, and what they give up must keep neither caches nor the collector busy.
 */
export class Exchange<A extends AuthorId = MemberId, R = Digest> {
  readonly #self: A
  readonly #heldMax: number
  /** What may still be merged, ascending by author. */
  readonly #cells: (A | R | number)[] = []
  /** How many of the cells are in use: the list is not made shorter, for it will be as long again. */
  #used = 0
  /** Author and newest round of those whose update became too old: a ring, as long as it had to be so far. */
  readonly #past: (A | number)[] = []
  #pastAt = 0

  constructor(self: A, heldMax: number = LIMITS.membersMax) {
    this.#self = self
    this.#heldMax = heldMax
  }

  /** What speaks against an update before its weights are known; null where nothing does, so that they are worth fetching. */
  foresee(offer: Offer<A, R>, signatureValid: boolean, expected: Expectation<A>): Judgement<R> | null {
    const { author, round, digest } = offer
    if (author === this.#self) return ECHO
    const fault = faultOf(offer, unread(signatureValid), expected)
    if (fault !== null) return fault
    const at = this.#find(author)
    const isHeld = at < this.#used && this.#cells[at] === author
    if (!isHeld) return round <= this.#recalled(author) ? STALE : null
    const held = this.#cells[at + ROUND] as number
    if (round === held) return this.#cells[at + DIGEST] === digest ? KNOWN : CONTRADICTS
    return round < held ? STALE : null
  }

  /** Checks an update, cheapest reason first, and holds it if nothing is wrong. */
  judge(offer: Offer<A, R>, facts: UpdateFacts, expected: Expectation<A>, ownRound: number): Judgement<R> {
    const { author, round, digest, examples } = offer
    if (author === this.#self) return ECHO
    const fault = faultOf(offer, facts, expected)
    if (fault !== null) return fault
    const cells = this.#cells
    const at = this.#find(author)
    if (at === this.#used || cells[at] !== author) return this.#add(at, offer, ownRound)
    const held = cells[at + ROUND] as number
    if (round < held) return STALE
    if (round === held) return cells[at + DIGEST] === digest ? KNOWN : CONTRADICTS
    const displaced = cells[at + DIGEST] as R
    cells[at + ROUND] = round
    cells[at + DIGEST] = digest
    cells[at + EXAMPLES] = examples
    cells[at + HEARD] = ownRound
    return { verdict: 'accept', displaced }
  }

  /**
   * Inputs of this round's merge, sorted by author: the own update, and the freshest of the others, as many as one entry can name. What is
   * older than `ageRoundsMax` is merged never more, and its weights are let go.
   */
  inputs(own: MergeInput<A, R>, ageRoundsMax: number, letGo?: (digest: R) => void): MergeInput<A, R>[] {
    this.#expire(own.round - ageRoundsMax, letGo)
    const others = this.#used > OTHERS_MAX * STRIDE ? this.#freshest(own.round) : null
    const inputs: MergeInput<A, R>[] = []
    let placed = false
    const count = others === null ? this.#used / STRIDE : others.length
    for (let i = 0; i < count; i++) {
      const input = others === null ? this.#input(i * STRIDE, own.round) : (others[i] as MergeInput<A, R>)
      if (!placed && input.author > own.author) {
        inputs.push(own)
        placed = true
      }
      inputs.push(input)
    }
    if (!placed) inputs.push(own)
    return inputs
  }

  /** Drops everything, for a new scaling makes it incomparable; returns the digests that are free now. */
  clear(): R[] {
    const digests = this.held.map(({ digest }) => digest)
    this.#cells.length = 0
    this.#used = 0
    this.#past.length = 0
    this.#pastAt = 0
    return digests
  }

  /** How many updates are held. */
  get size(): number {
    return this.#used / STRIDE
  }

  /** What may still be merged, ascending by author. */
  get held(): Held<A, R>[] {
    return Array.from({ length: this.size }, (_, i) => this.#input(i * STRIDE, 0))
  }

  /** After own rounds were renumbered from `before` to `after`, ages stay what they were. */
  shift(before: number, after: number): void {
    if (after === before) return
    const cells = this.#cells
    for (let at = HEARD; at < this.#used; at += STRIDE) cells[at] = (cells[at] as number) + after - before
  }

  #input(at: number, ownRound: number): MergeInput<A, R> {
    const cells = this.#cells
    return {
      author: cells[at] as A,
      round: cells[at + ROUND] as number,
      digest: cells[at + DIGEST] as R,
      examples: cells[at + EXAMPLES] as number,
      ageRounds: Math.max(0, ownRound - (cells[at + HEARD] as number)),
    }
  }

  #add(at: number, { author, round, digest, examples }: Offer<A, R>, ownRound: number): Judgement<R> {
    if (round <= this.#recalled(author)) return STALE
    const cells = this.#cells
    for (let i = this.#used - 1; i >= at; i--) cells[i + STRIDE] = cells[i] as number
    cells[at] = author
    cells[at + ROUND] = round
    cells[at + DIGEST] = digest
    cells[at + EXAMPLES] = examples
    cells[at + HEARD] = ownRound
    this.#used += STRIDE
    if (this.#used <= this.#heldMax * STRIDE) return ACCEPTED
    let oldest = at === 0 ? STRIDE : 0
    for (let i = 0; i < this.#used; i += STRIDE) {
      if (i !== at && (cells[i + HEARD] as number) < (cells[oldest + HEARD] as number)) oldest = i
    }
    const displaced = cells[oldest + DIGEST] as R
    this.#remember(cells[oldest] as A, cells[oldest + ROUND] as number)
    this.#used -= STRIDE
    for (let i = oldest; i < this.#used; i++) cells[i] = cells[i + STRIDE] as number
    return { verdict: 'accept', displaced }
  }

  /** What was heard before own round `fromRound` is too old. */
  #expire(fromRound: number, letGo: ((digest: R) => void) | undefined): void {
    const cells = this.#cells
    let kept = 0
    for (let at = 0; at < this.#used; at += STRIDE) {
      if ((cells[at + HEARD] as number) < fromRound) {
        this.#remember(cells[at] as A, cells[at + ROUND] as number)
        letGo?.(cells[at + DIGEST] as R)
        continue
      }
      if (kept < at) for (let i = 0; i < STRIDE; i++) cells[kept + i] = cells[at + i] as number
      kept += STRIDE
    }
    this.#used = kept
  }

  /** In place of the oldest that is remembered, where there are too many. */
  #remember(author: A, round: number): void {
    let at = this.#pastOf(author)
    if (at < 0) {
      at = this.#pastAt
      this.#pastAt = (at + 2) % (2 * this.#heldMax)
    }
    this.#past[at] = author
    this.#past[at + 1] = round
  }

  #recalled(author: A): number {
    const at = this.#pastOf(author)
    return at < 0 ? -1 : (this.#past[at + 1] as number)
  }

  #pastOf(author: A): number {
    const past = this.#past
    for (let at = 0; at < past.length; at += 2) if (past[at] === author) return at
    return -1
  }

  #freshest(ownRound: number): MergeInput<A, R>[] {
    const all = Array.from({ length: this.size }, (_, i) => this.#input(i * STRIDE, ownRound))
    all.sort((a, b) => a.ageRounds - b.ageRounds || compareIds(a.author, b.author))
    return all.slice(0, OTHERS_MAX).sort((a, b) => compareIds(a.author, b.author))
  }

  /** Where `author` stands, or would. */
  #find(author: A): number {
    const cells = this.#cells
    let [low, high] = [0, this.#used / STRIDE]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((cells[middle * STRIDE] as A) < author) low = middle + 1
      else high = middle
    }
    return low * STRIDE
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
