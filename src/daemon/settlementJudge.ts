/** Judges proposals to close a period: what is wrong with one, and what this hospital has to say to those of an attempt. */
import { setImmediate } from 'node:timers/promises'
import type { Digest, MemberId } from '../core/ids.ts'
import type { AgreementState } from '../governance/agreements.ts'
import type { Objection } from '../governance/kinds/settlement.ts'
import {
  type Attempt,
  follows,
  hasTurnedDown,
  type ProposalWord,
  type SettlementStanding,
} from '../governance/settlement/closings.ts'
import { ANSWERED, proposalFault, SLACK_MS } from '../governance/settlement/faults.ts'
import type { Statement } from '../governance/settlement/statement.ts'
import { decodeEntry } from '../ledger/entry.ts'
import type { SettlementFacts } from '../report/settlement.ts'
import type { Daemon } from './daemon.ts'

const PER_PARTY = 4 // looked at of one attempt: who is honest needs one, and one more for each time that its clock was wrong
const WAIT_MAX_MS = 86_400_000 // cosignatures take minutes, and a hospital that is off at night is back by then

/** What a judge needs of the desk. */
export interface JudgeParts {
  standing(state: AgreementState): SettlementStanding
  compute(
    state: AgreementState,
    period: number,
    proposal: ProposalWord,
  ): Promise<{ readonly statement: Statement; readonly facts: Pick<SettlementFacts, 'missing'> }>
  final(author: MemberId): number
}

/** What there is to say: about which proposal, null where about none yet; and whether something waits for entries that are on their way. */
export interface Answer {
  readonly says: { readonly proposal: ProposalWord; readonly objection: Objection | null } | null
  readonly waits: boolean
}

/** One per desk. Of each proposal that it looks at by itself it computes one statement at most, whatever comes later. */
export class SettlementJudge {
  readonly #daemon: Pick<Daemon, 'home' | 'logs' | 'machine'>
  readonly #desk: JudgeParts
  /** What was found, by proposal: what is within a cut is final, and what lies beyond stays so. At most as many as are read of all members. */
  readonly #found = new Map<Digest, Objection>()
  /** Since when proposals are known here that wait. */
  readonly #waiting = new Map<Digest, number>()

  constructor(daemon: Pick<Daemon, 'home' | 'logs' | 'machine'>, desk: JudgeParts) {
    this.#daemon = daemon
    this.#desk = desk
  }

  /** Why this node would not confirm a proposal now; `wait`: what it needs is on its way. A statement is computed last. */
  async objectionTo(state: AgreementState, proposal: ProposalWord): Promise<Objection | 'wait' | null> {
    const { previous } = this.#desk.standing(state).open
    if (!follows(proposal.previous, proposal.cut, previous)) return 'chain'
    const shown = proposalFault(state, proposal, previous, Date.now())
    if (shown !== null) return shown
    for (const [member, size] of proposal.cut) if (size > this.known(member)) return 'wait'
    if (state.agreement.studies.some((study) => this.#daemon.machine.study(study) === null)) return 'wait'
    const { statement, facts } = await this.#desk.compute(state, proposal.period, proposal)
    if (!statement.isSigned) return 'unsigned'
    for (const { member } of state.agreement.parties) if (await this.#leavesOut(member, proposal)) return 'cut-behind'
    if (statement.result === proposal.result) return null
    return facts.missing.length > 0 ? 'bodies-missing' : 'differs'
  }

  /**
   * Confirms the first proposal that is sound; where none is, or may be when more is final, says what it finds otherwise. Of a party whose proposal it turned down in this
   * period it turns down no other, and waits for none of it: else one that proposes nonsense again and again would cost each attempt its quorum.
   */
  async answer(state: AgreementState, attempts: readonly Attempt[]): Promise<Answer> {
    const self = this.#daemon.home.key.id
    let objected: Answer['says'] = null
    let [waits, isHeld] = [false, false]
    for (const proposal of firstOfEach((attempts.at(-1) as Attempt).proposals)) {
      const found = await this.#verdict(state, proposal)
      if (found === null) return { says: { proposal, objection: null }, waits: false }
      const isHeard = !hasTurnedDown(attempts, self, proposal)
      if (found === 'wait') {
        waits = true
        isHeld ||= isHeard
      } else if (ANSWERED.has(found) && isHeard) objected ??= { proposal, objection: found }
    }
    return { says: isHeld ? null : objected, waits }
  }

  /** How much of a log is final, and stored here. */
  known(member: MemberId): number {
    return Math.min(this.#desk.final(member), this.#daemon.logs.sizeOf(member).size)
  }

  async #verdict(state: AgreementState, proposal: ProposalWord): Promise<Objection | 'wait' | null> {
    const { hash } = proposal.place
    const before = this.#found.get(hash)
    if (before !== undefined) return before
    await setImmediate() // a statement takes a tenth of a second where there are many rounds
    const found = await this.objectionTo(state, proposal)
    if (found === null) return null
    if (found === 'wait') {
      const since = this.#waiting.get(hash) ?? Date.now()
      this.#waiting.set(hash, since)
      if (Date.now() - since < WAIT_MAX_MS) return 'wait'
    }
    this.#waiting.delete(hash)
    const objection = found === 'wait' ? 'cut-ahead' : found
    this.#found.set(hash, objection)
    return objection
  }

  /** Whether entries of before the proposal's time, which are final here, lie beyond its cut. */
  async #leavesOut(member: MemberId, { cut, until, place }: ProposalWord): Promise<boolean> {
    const size = cut.get(member) ?? 0
    if (size >= this.#desk.final(member)) return false
    const [raw] = await this.#daemon.logs.entries(member, size, size + 1)
    if (raw === undefined) return false
    const { timeMs, lamport } = decodeEntry(raw)
    return timeMs < until - SLACK_MS && lamport < place.lamport // a clock that is behind says "before" of what came after
  }
}

function firstOfEach(proposals: readonly ProposalWord[]): ProposalWord[] {
  const counts = new Map<MemberId, number>()
  return proposals.filter(({ place: { author } }) => {
    const count = (counts.get(author) ?? 0) + 1
    counts.set(author, count)
    return count <= PER_PARTY
  })
}
