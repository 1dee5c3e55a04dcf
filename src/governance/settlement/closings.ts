/**
 * How a period of a settlement is closed: a party proposes, the parties that must sign vote, and a quorum of equal votes closes it. A vote is an
 * entry, and counts when that is final: a quorum of members has cosigned the log that it stands in, and no log has two final histories. So of
 * each attempt every node counts the same one vote of each party, its first, even of a party that lies to different nodes; two closes of one
 * period would need two votes of some party. An attempt that can reach no quorum any more is over for good, and the next one begins.
 */
import { toHex } from '../../core/bytes.ts'
import type { Cbor } from '../../core/cbor.ts'
import { type AgreementId, compareIds, type Digest, type MemberId } from '../../core/ids.ts'
import { LIMITS } from '../../core/limits.ts'
import { quorum } from '../../ledger/founding.ts'
import type { Place } from '../agreements.ts'
import type { Objection } from '../kinds/settlement.ts'
import { readBody } from '../kinds.ts'
import type { Sizes } from './contributions.ts'
import { cutOfBody } from './statement.ts'

/** An entry as this fold needs it. */
export interface SettlementFact extends Place {
  readonly timeMs: number
  readonly kind: string
  readonly body: Cbor | null
}

/** A proposal without its lines, which its entry has. */
export interface ProposalWord {
  readonly place: Place
  readonly timeMs: number
  readonly period: number
  readonly attempt: number
  readonly previous: Digest | null
  readonly until: number
  readonly cut: Sizes
  readonly result: Digest
}

/** One party's vote; `objection` is null where it confirms. */
export interface VoteWord {
  readonly place: Place
  readonly period: number
  readonly attempt: number
  readonly proposal: Digest
  readonly result: Digest | null
  readonly objection: Objection | null
}

/** What one member says of one agreement's settlement, in the order of its log. */
interface Voice {
  readonly proposals: ProposalWord[]
  /** By period and attempt: the first, and the first other one after it. */
  readonly votes: Map<string, readonly [VoteWord, VoteWord | null]>
}

const PROPOSALS_MAX = 1_000 // of one member in all: a close a month of each of ten agreements, for eight years
const VOTES_MAX = 8_000 // of one member in all: eight for each

/** All that was said of settlements, bounded by author. What is here depends on each author's log alone. */
export class Settlements {
  readonly #voices = new Map<MemberId, Map<AgreementId, Voice>>()
  readonly #said = new Map<MemberId, { proposals: number; votes: number }>()

  /** Whether the fact was about a settlement. */
  fold(fact: SettlementFact): boolean {
    switch (fact.kind) {
      case 'settlement.proposed':
        this.#propose(fact)
        return true
      case 'settlement.confirmed':
      case 'settlement.refused':
        this.#vote(fact.kind, fact)
        return true
      default:
        return false
    }
  }

  /** Whether what `author` proposes is still read. */
  mayPropose(author: MemberId): boolean {
    return (this.#said.get(author)?.proposals ?? 0) < PROPOSALS_MAX
  }

  /** What a member says of an agreement's settlement; null where nothing. */
  of(author: MemberId, agreement: AgreementId): Voice | null {
    return this.#voices.get(author)?.get(agreement) ?? null
  }

  #propose(fact: SettlementFact): void {
    const body = readBody('settlement.proposed', fact.body)
    const cut = body === null ? null : cutOfBody(body.cut)
    if (body === null || cut === null || !this.#may(fact.author, 'proposals', PROPOSALS_MAX)) return
    const voice = this.#voiceOf(fact.author, toHex(body.agreement) as AgreementId)
    const { period, attempt, previous, until, result } = body
    const digests = { previous: previous && (toHex(previous) as Digest), result: toHex(result) as Digest }
    voice?.proposals.push({ place: placeOf(fact), timeMs: fact.timeMs, period, attempt, until, cut, ...digests })
  }

  #vote(kind: 'settlement.confirmed' | 'settlement.refused', fact: SettlementFact): void {
    const body = readBody(kind, fact.body)
    if (body === null) return
    const { period, attempt } = body
    const voice = this.#voiceOf(fact.author, toHex(body.agreement) as AgreementId)
    const key = slotOf(period, attempt)
    const [first, other] = voice?.votes.get(key) ?? [null, null]
    if (voice === null || other !== null) return
    const vote: VoteWord = {
      ...{ place: placeOf(fact), period, attempt, proposal: toHex(body.proposal) as Digest },
      result: 'result' in body ? (toHex(body.result) as Digest) : null,
      objection: 'reason' in body ? body.reason : null,
    }
    if (first !== null && isSame(first, vote)) return
    if (!this.#may(fact.author, 'votes', VOTES_MAX)) return
    voice.votes.set(key, first === null ? [vote, null] : [first, vote])
  }

  #may(author: MemberId, what: 'proposals' | 'votes', max: number): boolean {
    const said = this.#said.get(author) ?? { proposals: 0, votes: 0 }
    this.#said.set(author, said)
    if (said[what] >= max) return false
    said[what]++
    return true
  }

  #voiceOf(author: MemberId, agreement: AgreementId): Voice | null {
    const voices = this.#voices.get(author) ?? new Map<AgreementId, Voice>()
    this.#voices.set(author, voices)
    const known = voices.get(agreement)
    if (known !== undefined || voices.size >= LIMITS.agreementsMentionedMax) return known ?? null
    const voice: Voice = { proposals: [], votes: new Map() }
    voices.set(agreement, voice)
    return voice
  }
}

const slotOf = (period: number, attempt: number): string => `${period} ${attempt}`
const placeOf = ({ author, seq, hash, lamport }: SettlementFact): Place => ({ author, seq, hash, lamport })
const isSame = (a: VoteWord, b: VoteWord): boolean =>
  a.proposal === b.proposal && a.result === b.result && (a.objection === null) === (b.objection === null)

/** Who proposes and who votes: all parties, and those that must sign. */
export interface Parties {
  readonly agreement: AgreementId
  readonly parties: readonly MemberId[]
  readonly voters: readonly MemberId[]
}

/** A period that is closed, and by whose votes. */
export interface Closed {
  readonly proposal: ProposalWord
  readonly confirmed: readonly VoteWord[]
}

/** One attempt at closing the open period. */
export interface Attempt {
  readonly attempt: number
  /** In canonical order: by Lamport time, author and place. Those of the open attempt that are not final yet are among them. */
  readonly proposals: readonly ProposalWord[]
  /** Final ones, by voter. */
  readonly votes: readonly VoteWord[]
  /** Known ones that are not final yet. */
  readonly pending: readonly VoteWord[]
}

/** Where an agreement's settlement stands. */
export interface SettlementStanding {
  readonly closed: readonly Closed[]
  readonly open: {
    readonly period: number
    readonly previous: ProposalWord | null
    readonly attempts: readonly Attempt[]
  }
  /** Equal votes that close a period. */
  readonly needed: number
  /** Voters who voted twice in one attempt, with both entries. */
  readonly twice: readonly (readonly [VoteWord, VoteWord])[]
}

/** By what is final; `known` entries beyond it are shown, and decide nothing. */
export function settlementStanding(
  settlements: Settlements,
  who: Parties,
  final: (member: MemberId) => number,
): SettlementStanding {
  const needed = quorum(who.voters.length)
  const closed: Closed[] = []
  let attempts: Attempt[] = []
  for (;;) {
    const previous = closed.at(-1)?.proposal ?? null
    const attempt = attemptOf(settlements, who, final, closed.length, attempts.length)
    const outcome = outcomeOf(attempt, who, needed, previous, final)
    if (outcome === 'open') {
      const open = { period: closed.length, previous, attempts: [...attempts, attempt] }
      return { closed, open, needed, twice: twiceOf(settlements, who) }
    }
    if (outcome === 'over') attempts.push(attempt)
    else {
      closed.push(outcome)
      attempts = []
    }
  }
}

function attemptOf(
  settlements: Settlements,
  { agreement, parties, voters }: Parties,
  final: (member: MemberId) => number,
  period: number,
  attempt: number,
): Attempt {
  const proposals = parties.flatMap((party) => settlements.of(party, agreement)?.proposals ?? [])
  const cast = voters.flatMap((voter) => {
    const votes = settlements.of(voter, agreement)?.votes.get(slotOf(period, attempt))
    return votes === undefined ? [] : [votes[0]]
  })
  const isFinal = ({ place }: VoteWord): boolean => place.seq < final(place.author)
  return {
    attempt,
    proposals: proposals.filter((one) => one.period === period && one.attempt === attempt).sort(inOrder),
    votes: cast.filter(isFinal),
    pending: cast.filter((vote) => !isFinal(vote)),
  }
}

function inOrder({ place: a }: ProposalWord, { place: b }: ProposalWord): number {
  return compareIds(a.lamport, b.lamport) || compareIds(a.author, b.author) || compareIds(a.seq, b.seq)
}

/** Closed, or over without a close, or neither yet; of attempts with the same final votes the same at every node. */
function outcomeOf(
  { proposals, votes }: Attempt,
  { voters }: Parties,
  needed: number,
  previous: ProposalWord | null,
  final: (member: MemberId) => number,
): Closed | 'open' | 'over' {
  const tally = new Map<Digest, VoteWord[]>()
  for (const vote of votes) {
    if (vote.objection !== null) continue
    const before = tally.get(vote.proposal) ?? []
    tally.set(vote.proposal, [...before, vote])
  }
  let most = 0
  for (const [hash, equal] of tally) {
    const proposal = proposals.find(({ place }) => place.hash === hash)
    const known = proposal !== undefined && proposal.place.seq < final(proposal.place.author)
    if (known && !follows(proposal.previous, proposal.cut, previous)) continue // nobody who is honest votes for that
    const confirmed = known ? equal.filter(({ result }) => result === proposal.result) : equal
    most = Math.max(most, confirmed.length)
    if (confirmed.length >= needed) return known ? { proposal, confirmed } : 'open'
  }
  return voters.length - votes.length + most < needed ? 'over' : 'open'
}

/** Whether a proposal goes on from where the period before it ended. */
export function follows(previous: Digest | null, cut: Sizes, before: ProposalWord | null): boolean {
  if (previous !== (before?.place.hash ?? null)) return false
  return [...(before?.cut ?? [])].every(([member, size]) => (cut.get(member) ?? 0) >= size)
}

/** Whether `voter` turned down a proposal of the same party in an earlier attempt. */
export function hasTurnedDown(
  attempts: readonly Attempt[],
  voter: MemberId,
  { place: { author } }: Pick<ProposalWord, 'place'>,
): boolean {
  return attempts.slice(0, -1).some(({ proposals, votes }) => {
    const own = votes.find(({ place, objection }) => place.author === voter && objection !== null)
    return proposals.some(({ place }) => place.hash === own?.proposal && place.author === author)
  })
}

function twiceOf(settlements: Settlements, { agreement, voters }: Parties): (readonly [VoteWord, VoteWord])[] {
  return voters.flatMap((voter) => {
    const votes = [...(settlements.of(voter, agreement)?.votes.values() ?? [])]
    return votes.flatMap(([first, other]) => (other === null ? [] : [[first, other] as const]))
  })
}
