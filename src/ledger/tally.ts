/** What one decision slot remembers of others: a few rounds, of each voter no more than shows that it lied, and what was judged. */
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import type { Proposal, Value } from './slotMessage.ts'
import { type Equivocation, isEquivocation, type Quorum, type Vote, type VoterSignature } from './vote.ts'

const ROUNDS_BACK = 2 // commit votes of a round that has ended may still decide; older ones come as a certificate
const ROUNDS_AHEAD = 2 // votes of those who are a little faster; who is behind by more hears them again
const VOTES_MAX = 2 // per voter, phase and round: the second is proof of a lie, a third adds nothing
const JUDGED_MAX = 64 // one value comes with each round; one that is older is asked about again

/** The phases that are counted. */
export type Counted = 'prepare' | 'commit'

interface Round {
  proposal: Proposal | null
  readonly cast: Record<Counted, Map<MemberId, Vote[]>>
  readonly voters: Record<Counted, Map<Digest | null, Set<MemberId>>>
}

const NOBODY: ReadonlySet<MemberId> = new Set()

/** Bounded by the caller's voters: rounds × phases × voters × votes, and one value for each round. */
export class Tally {
  readonly #rounds = new Map<number, Round>()
  #current = 0

  /** Forgets what lies too far from `round`, which is the current one from now on. */
  moveTo(round: number): void {
    this.#current = round
    for (const known of this.#rounds.keys()) if (!this.remembers(known)) this.#rounds.delete(known)
  }

  /** Whether votes of `round` are counted now. */
  remembers(round: number): boolean {
    return round >= this.#current - ROUNDS_BACK && round <= this.#current + ROUNDS_AHEAD
  }

  /** Counts a vote of a remembered round; gives evidence where it contradicts one that is known. */
  add(vote: Vote, phase: Counted): Equivocation | null {
    const { cast, voters } = this.#round(vote.round)
    const known = cast[phase].get(vote.voter) ?? []
    if (known.length >= VOTES_MAX || known.some(({ value }) => value === vote.value)) return null
    cast[phase].set(vote.voter, [...known, vote])
    const same = voters[phase].get(vote.value) ?? new Set()
    voters[phase].set(vote.value, same.add(vote.voter))
    return known[0] === undefined ? null : [known[0], vote]
  }

  /** Keeps the first proposal of a remembered round; gives evidence where it contradicts the one that is known. */
  propose(proposal: Proposal): Equivocation | null {
    const round = this.#round(proposal.vote.round)
    round.proposal ??= proposal
    return isEquivocation(round.proposal.vote, proposal.vote) ? [round.proposal.vote, proposal.vote] : null
  }

  proposal(round: number): Proposal | null {
    return this.#rounds.get(round)?.proposal ?? null
  }

  /** Who voted for `value` in that phase of that round. */
  voters(round: number, phase: Counted, value: Digest | null): ReadonlySet<MemberId> {
    return this.#rounds.get(round)?.voters[phase].get(value) ?? NOBODY
  }

  /** Who voted for anything in that phase of that round. */
  anyVoters(round: number, phase: Counted): ReadonlySet<MemberId> {
    return new Set(this.#rounds.get(round)?.cast[phase].keys())
  }

  /** Their signatures for `value`, as a certificate has them; of nobody but `voters`. */
  signatures(round: number, phase: Counted, value: Digest, voters: readonly MemberId[]): VoterSignature[] {
    const cast = this.#rounds.get(round)?.cast[phase]
    const votes = voters.map((voter) => cast?.get(voter)?.find((vote) => vote.value === value))
    return votes.flatMap((vote) => (vote ? [{ voter: vote.voter, signature: vote.signature }] : []))
  }

  /** The rounds of which anything is remembered, newest first. */
  rounds(): number[] {
    return [...this.#rounds.keys()].sort((a, b) => b - a)
  }

  /** The values proposed in remembered rounds. */
  values(): Value[] {
    return [...this.#rounds.values()].flatMap(({ proposal }) => (proposal ? [proposal.value] : []))
  }

  /** All that is remembered, in an order that does not depend on the order of arrival where that makes no difference. */
  snapshot(): readonly (readonly [number, Proposal | null, readonly Vote[]])[] {
    return this.rounds().map((number) => {
      const { proposal, cast } = this.#round(number)
      const votes = [...cast.prepare.values(), ...cast.commit.values()]
      const sorted = votes.sort(([a], [b]) => compareIds(orderOf(a), orderOf(b)))
      return [number, proposal, sorted.flat()] as const
    })
  }

  #round(number: number): Round {
    const known = this.#rounds.get(number)
    if (known !== undefined) return known
    const made: Round = {
      proposal: null,
      cast: { prepare: new Map(), commit: new Map() },
      voters: { prepare: new Map(), commit: new Map() },
    }
    this.#rounds.set(number, made)
    return made
  }
}

/** The highest round in which each member was heard; bounded by the members. */
export class Claims {
  readonly #members: Quorum
  readonly #rounds = new Map<MemberId, number>()
  constructor(members: Quorum) {
    this.#members = members
  }

  /**
   * Notes that `voter` was in `round`. Gives the highest round above `current` that some honest member must have reached, because
   * those who claim it can't all be liars while the others make a quorum; null where there is none, or nothing is new.
   */
  add(voter: MemberId, round: number, current: number): number | null {
    if (round <= current || round <= this.#of(voter) || !this.#members.voters.includes(voter)) return null
    this.#rounds.set(voter, round)
    const claimed = [...new Set(this.#rounds.values())].filter((claim) => claim > current).sort((a, b) => b - a)
    return claimed.find((claim) => !this.#members.reached(this.#below(claim))) ?? null
  }

  /** Who was heard in a later round than `round`: they wait for nobody in this one any more. */
  above(round: number): MemberId[] {
    return this.#members.voters.filter((voter) => this.#of(voter) > round)
  }

  /** The claims that still matter in round `current`. */
  snapshot(current: number): readonly (readonly [MemberId, number])[] {
    return this.above(current).map((voter) => [voter, this.#of(voter)])
  }

  #of(voter: MemberId): number {
    return this.#rounds.get(voter) ?? -1
  }

  #below(round: number): Set<MemberId> {
    return new Set(this.#members.voters.filter((voter) => this.#of(voter) < round))
  }
}

/** Which values this member accepts, as far as it has been asked and has answered. */
export class Judgements {
  /** Null where the answer is still to come. Newest last. */
  readonly #known = new Map<Digest, boolean | null>()

  /** Null where there is no answer yet. */
  of(value: Digest): boolean | null {
    return this.#known.get(value) ?? null
  }

  note(value: Digest, accepted: boolean | null): void {
    this.#known.delete(value)
    this.#known.set(value, accepted)
    if (this.#known.size > JUDGED_MAX) this.#known.delete(this.#known.keys().next().value as Digest)
  }

  /** As if nobody had been asked. */
  forget(value: Digest): void {
    this.#known.delete(value)
  }

  /** Whether to ask: nobody has been asked yet. */
  ask(value: Digest): boolean {
    const unknown = !this.#known.has(value)
    if (unknown) this.note(value, null)
    return unknown
  }

  snapshot(): readonly (readonly [Digest, boolean | null])[] {
    return [...this.#known].sort(([a], [b]) => compareIds(a, b))
  }
}

function orderOf(vote: Vote | undefined): string {
  return vote === undefined ? '' : `${vote.phase} ${vote.voter}`
}
