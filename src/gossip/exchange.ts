/** Which updates are taken in, held and merged: the newest of each member, checked against the study. */
import type { Blame } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { UpdateFacts, UpdateHeader } from './update.ts'

/** What one study expects of an update. */
export interface Expectation {
  readonly self: MemberId
  readonly parameters: number
  readonly scaling: Digest
  /** Rounds that the study runs; a higher number cannot be. */
  readonly rounds: number
  readonly accepted: ReadonlySet<MemberId>
}

/** One update as it goes into a merge; the shell finds its weights by `digest`. */
export interface MergeInput {
  readonly author: MemberId
  readonly round: number
  readonly digest: Digest
  readonly examples: number
  /** Own merges since this update was heard: 0 the first time. */
  readonly ageRounds: number
}

interface Held {
  readonly round: number
  readonly digest: Digest
  readonly examples: number
  /** Own round when it was heard. */
  readonly heardAtRound: number
}

export type Judgement =
  | { readonly verdict: 'accept'; readonly displaced: Digest | null }
  | { readonly verdict: Blame; readonly reason: string }

/**
 * Two updates of one author for one round. Who forwards the second may have seen only that one, so the forwarder is not blamed;
 * the author, who signed both, is.
 */
export const UPDATE_CONTRADICTS = 'update-contradicts'

/** The updates that one node holds of one study; at most one per member. */
export class Exchange {
  readonly #held = new Map<MemberId, Held>()

  /** Checks an update, cheapest reason first, and holds it if nothing is wrong. */
  judge(header: UpdateHeader, facts: UpdateFacts, expected: Expectation, ownRound: number): Judgement {
    if (header.author === expected.self) return { verdict: 'ignore', reason: 'update-own' } // an echo, as after a restart
    const fault = faultOf(header, facts, expected)
    if (fault !== null) return fault
    const held = this.#held.get(header.author)
    if (held !== undefined && header.round < held.round) return { verdict: 'ignore', reason: 'update-stale' }
    if (held !== undefined && header.round === held.round) {
      return held.digest === header.digest
        ? { verdict: 'ignore', reason: 'update-known' }
        : { verdict: 'ignore', reason: UPDATE_CONTRADICTS }
    }
    this.#held.set(header.author, {
      round: header.round,
      digest: header.digest,
      examples: header.examples,
      heardAtRound: ownRound,
    })
    return { verdict: 'accept', displaced: held?.digest ?? null }
  }

  /** Inputs of this round's merge, sorted by author: the own update, and the freshest of the others, as many as one entry can name. */
  inputs(own: MergeInput, ageRoundsMax: number): MergeInput[] {
    const others: MergeInput[] = []
    for (const [author, held] of this.#held) {
      const ageRounds = Math.max(0, own.round - held.heardAtRound)
      if (ageRounds <= ageRoundsMax)
        others.push({ author, round: held.round, digest: held.digest, examples: held.examples, ageRounds })
    }
    others.sort((a, b) => a.ageRounds - b.ageRounds || compareIds(a.author, b.author))
    return [own, ...others.slice(0, LIMITS.updateParentsMax - 1)].sort((a, b) => compareIds(a.author, b.author))
  }

  /** Drops everything, for a new scaling makes it incomparable; returns the digests that are free now. */
  clear(): Digest[] {
    const digests = [...this.#held.values()].map((held) => held.digest)
    this.#held.clear()
    return digests
  }

  get held(): ReadonlyMap<MemberId, { readonly round: number; readonly digest: Digest }> {
    return this.#held
  }

  /** After own rounds were renumbered from `before` to `after`, ages stay what they were. */
  shift(before: number, after: number): void {
    for (const [author, held] of this.#held) {
      this.#held.set(author, { ...held, heardAtRound: held.heardAtRound + after - before })
    }
  }
}

function faultOf(
  header: UpdateHeader,
  facts: UpdateFacts,
  expected: Expectation,
): { verdict: Blame; reason: string } | null {
  if (!facts.signatureValid) return { verdict: 'reject', reason: 'update-signature' }
  if (!facts.digestMatches) return { verdict: 'reject', reason: 'update-digest' }
  if (!expected.accepted.has(header.author)) return { verdict: 'ignore', reason: 'author-not-in-study' }
  if (header.scaling !== expected.scaling) return { verdict: 'ignore', reason: 'scaling-differs' }
  if (header.parameters !== expected.parameters) return { verdict: 'reject', reason: 'update-shape' }
  if (!facts.finite) return { verdict: 'reject', reason: 'update-not-finite' }
  if (facts.rms > LIMITS.updateNormMax) return { verdict: 'reject', reason: 'update-norm' }
  if (header.round >= expected.rounds) return { verdict: 'reject', reason: 'round-beyond-end' }
  if (header.examples === 0) return { verdict: 'reject', reason: 'update-without-examples' }
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
