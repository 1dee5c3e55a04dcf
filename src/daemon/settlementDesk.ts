/** Computes settlements from what is final here, proposes and confirms closes, and does by itself what config.yaml lets it. */

import type { Study } from '../config/study.ts'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { AgreementState } from '../governance/agreements.ts'
import type { Objection } from '../governance/kinds/settlement.ts'
import type { Body, Kind } from '../governance/kinds.ts'
import type { SettlementBook } from '../governance/settlement/book.ts'
import {
  type Attempt,
  type ProposalWord,
  type SettlementStanding,
  settlementStanding,
  type VoteWord,
} from '../governance/settlement/closings.ts'
import type { Sizes } from '../governance/settlement/contributions.ts'
import { faultText, proposalFault, SLACK_MS } from '../governance/settlement/faults.ts'
import { cutBody, linesBody, type Statement } from '../governance/settlement/statement.ts'
import type { StudyState } from '../governance/studies.ts'
import { underAgreements } from '../governance/terms.ts'
import { glanceAt } from '../ledger/entry.ts'
import { FENCED } from '../node/boot.ts'
import { type SettlementFacts, type SettlementNaming, settlementFacts } from '../report/settlement.ts'
import { actOf } from './agreementDesk.ts'
import { cutOf } from './cut.ts'
import type { Daemon } from './daemon.ts'
import type { InputStore } from './inputStore.ts'
import type { Log } from './log.ts'
import { slicesOf } from './logSlices.ts'
import { refOf } from './models.ts'
import { difference } from './settlementDifferences.ts'
import { SettlementJudge } from './settlementJudge.ts'
import { type MeasureRequest, measureStudy } from './settlementMeasure.ts'
import { SettlementReader } from './settlementReader.ts'
import { Turns } from './turns.ts'

const LOOK_MS = 2_000 // while somebody has proposed what this node has not answered, or rounds are to be measured
const FAILED_LOOK_MS = 60_000
const AUTO = { method: 'tmc', permutations: 40, last: 4, within: 2_000 } as const // a fifth of a second for a small model and ten hospitals; older rounds are measured when somebody asks

/** What is computed of one period, and what it is computed from. */
export interface Computed {
  readonly facts: SettlementFacts
  readonly statement: Statement
  readonly cut: Sizes
}

/** One per daemon. */
export class SettlementDesk {
  readonly #daemon: Daemon
  readonly #inputs: Pick<InputStore, 'read'>
  readonly #log: Log
  readonly #reader: SettlementReader
  readonly #turns = new Turns<'write'>()
  readonly #measuring = new Turns<'measure'>()
  /** Something was said or merged since that was looked at. */
  #changed = true
  #merged = true
  readonly judge: SettlementJudge
  /** What failed last of which agreement or study, and when it is tried again. */
  readonly #failed = new Map<Digest, { readonly why: string; readonly againMs: number }>()
  #working = false
  #isStopped = false
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(daemon: Daemon, inputs: Pick<InputStore, 'read'>, log: Log) {
    this.#daemon = daemon
    this.#inputs = inputs
    this.#log = log
    this.judge = new SettlementJudge(daemon, this)
    this.#reader = new SettlementReader({ logs: () => daemon.logs, final: (author) => this.final(author) })
    daemon.followers.add(({ kind, author }) => {
      if (kind.startsWith('settlement.')) this.#changed = true
      if (kind === 'round.merged' && author === daemon.home.key.id) this.#merged = true
    })
  }

  /** What no history can contradict any more, of a suspended member no more than was known of it. */
  final(author: MemberId): number {
    return cutOf(this.#daemon.machine).final(author)
  }

  /** All that is final here now. */
  book(): Promise<SettlementBook> {
    return this.#reader.current()
  }

  standing(state: AgreementState): SettlementStanding {
    const { parties } = state.agreement
    const who = {
      agreement: state.id,
      parties: parties.map(({ member }) => member),
      voters: parties.filter(({ required }) => required).map(({ member }) => member),
    }
    const final = (member: MemberId): number => this.#daemon.machine.finality.final(member)?.size ?? 0
    return settlementStanding(this.#daemon.machine.view().settlements, who, final)
  }

  /** The statement of a period from 0: of a closed one as it was closed, of the open one as it is proposed, or up to now. Errors: `settlement-…`. */
  async compute(state: AgreementState, period: number, proposal: ProposalWord | null = null): Promise<Computed> {
    const standing = this.standing(state)
    const closed = standing.closed[period]
    if (closed === undefined && period !== standing.open.period)
      throw refused(
        'settlement-period',
        `period ${period + 1} has not begun: period ${standing.open.period + 1} is open`,
      )
    const about = proposal ?? closed?.proposal ?? null
    const attempt = standing.open.attempts.find((one) => about !== null && one.attempt === about.attempt)
    const votes = closed?.proposal === about ? (closed?.confirmed ?? []) : votesOn(attempt, about)
    const cut = about?.cut ?? this.#cutNow(state)
    const untilMs = about?.until ?? Date.now()
    const final = (member: MemberId): number => this.#daemon.machine.finality.final(member)?.size ?? 0
    const asked = { state, standing, period, cut, untilMs, proposal: about, votes, final }
    const found = settlementFacts(await this.book(), asked, this.naming)
    if (found !== null) return { ...found, cut }
    const message = `agreement ${state.id.slice(0, 12)} ("${state.agreement.name}") settles nothing (settlement: { rule: none })`
    throw refused('settlement-none', message)
  }

  readonly naming: SettlementNaming = {
    member: (key) => this.#daemon.nameOf(key),
    entry: (author, seq) => refOf(this.#daemon, author, seq),
    study: (id) => this.#study(id),
  }

  /** Closes the open period as this node computes it, up to a time; the parties' nodes answer. Errors: `settlement-…`, `boot-fence`. */
  propose(state: AgreementState, untilMs: number): Promise<ProposalWord> {
    return this.#turns.run('write', async () => {
      const { settlements } = this.#daemon.machine.view()
      const self = this.#daemon.home.key.id
      this.#requireParty(state, 'parties')
      if (!settlements.mayPropose(self))
        throw refused(
          'settlements-full',
          'this hospital has proposed as much as is read of one: let another party propose',
        )
      const { period, previous, attempts } = this.standing(state).open
      const { attempt } = attempts.at(-1) as Attempt
      const cut = await this.#cutUntil(state, untilMs, previous?.cut ?? new Map())
      const untold = { place: { author: self, seq: 0, hash: '' as Digest, lamport: 0 }, timeMs: Date.now() }
      const word = { ...untold, period, attempt, previous: previous?.place.hash ?? null, until: untilMs, cut }
      const { statement } = await this.compute(state, period, { ...word, result: '' as Digest })
      const shown = proposalFault(state, word, previous, Date.now())
      const objection = shown ?? (statement.isSigned ? null : 'unsigned')
      if (objection !== null) throw refused(`settlement-${objection}`, faultText(state, objection, untilMs, previous))
      if (statement.lines.every(({ weight }) => weight === 0n)) {
        const message = `by rule ${statement.rule} no party has done anything that counts in period ${period + 1} so far: see "consilium settlement show ${state.id.slice(0, 12)}"`
        throw refused('settlement-empty', message)
      }
      const body: Body<'settlement.proposed'> = {
        ...{ agreement: fromHex(state.id), period, attempt, until: untilMs, cut: cutBody(cut) },
        ...{ previous: previous && fromHex(previous.place.hash), lines: linesBody(statement.lines) },
        result: fromHex(statement.result),
      }
      await this.#record('settlement.proposed', body, [])
      const mine = settlements.of(self, state.id)?.proposals.at(-1) as ProposalWord
      if (isVoter(state, self)) await this.#vote(state, mine, null, statement)
      return mine
    })
  }

  /** Answers a proposal for this hospital's people. Errors: `settlement-…`, `boot-fence`. */
  answer(state: AgreementState, proposal: ProposalWord, confirms: boolean): Promise<void> {
    return this.#turns.run('write', async () => {
      this.#requireParty(state, 'voters')
      const { period, previous, attempts } = this.standing(state).open
      const attempt = attempts.at(-1) as Attempt
      const ref = refOf(this.#daemon, proposal.place.author, proposal.place.seq)
      if (proposal.period < period)
        throw refused(
          'settlement-closed',
          `${ref}: period ${proposal.period + 1} is closed, for good: period ${period + 1} is open`,
        )
      if (proposal.period > period || proposal.attempt !== attempt.attempt)
        throw refused(
          'settlement-over',
          `${ref}: its attempt found no quorum: propose again, or see "consilium settlement ls"`,
        )
      const own = this.#ownVote(state, proposal)
      if (own !== undefined)
        throw refused(
          'settlement-answered',
          `this hospital has ${own.objection === null ? 'confirmed' : 'refused'} a proposal of this attempt (${refOf(this.#daemon, own.place.author, own.place.seq)}), and a second word would count as a lie`,
        )
      const { statement } = await this.compute(state, period, proposal)
      if (!confirms) return this.#vote(state, proposal, 'operator', statement)
      const found = await this.judge.objectionTo(state, proposal)
      if (found === 'wait')
        throw refused('settlement-wait', `${ref}: entries within its cut are not final here yet: try again in a minute`)
      if (found !== null) {
        const reason =
          found === 'differs'
            ? await difference(this.#daemon, proposal, statement)
            : faultText(state, found, proposal.until, previous)
        throw refused(`settlement-${found}`, `${ref}: ${reason}`)
      }
      await this.#vote(state, proposal, null, statement)
    })
  }

  /** From here on: answers proposals and measures rounds, where config.yaml says that nobody need be asked. */
  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** Idempotent. What is under way then fails with the store, and is done again after the next start. */
  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  #look(): void {
    const { machine, writer, home } = this.#daemon
    const isDue = this.#changed || (this.#merged && home.config.settlement.measure === 'auto') || this.#isAgainDue()
    if (!isDue || this.#working || !machine.booted || writer === null) return
    this.#working = true
    this.work().finally(() => {
      this.#working = false
    })
  }

  /** Once, what `start` has done again and again. Whether anything waits for entries that are on their way. What fails is told, once for each change. */
  async work(): Promise<boolean> {
    const { measure, confirm } = this.#daemon.home.config.settlement
    if (this.#isAgainDue()) this.#changed = this.#merged = true
    const [answers, measures] = [this.#changed && confirm === 'auto', this.#merged && measure === 'auto']
    this.#changed = this.#merged = false
    for (const state of this.#daemon.machine.view().agreements.all()) {
      if (state.agreement.settlement.rule === 'none') continue
      const answer = () => this.#turns.run('write', () => this.#answerOne(state))
      if (answers && (await this.#tried({ agreement: state.id }, answer))) this.#changed = true
      if (measures) await this.#measure(state)
    }
    return this.#changed
  }

  /** False where it fails, and for a minute after that: what is wrong with one agreement or study stops no other. */
  async #tried(about: { readonly agreement: Digest } | { readonly study: Digest }, work: () => Promise<boolean>) {
    const key = 'study' in about ? about.study : about.agreement
    const before = this.#failed.get(key)
    if (before !== undefined && Date.now() < before.againMs) return false
    try {
      const found = await work()
      this.#failed.delete(key)
      return found
    } catch (error) {
      const why = messageOf(error)
      const level = error instanceof ConsiliumError ? 'warn' : 'error' // the world's, or our own
      if (why !== before?.why && !this.#isStopped) this.#log(level, 'settlement-failed', { ...about, error: why })
      this.#failed.set(key, { why, againMs: Date.now() + FAILED_LOOK_MS })
      return false
    }
  }

  #isAgainDue(): boolean {
    return [...this.#failed.values()].some(({ againMs }) => againMs <= Date.now())
  }

  /** Whether something waits for entries. */
  async #answerOne(state: AgreementState): Promise<boolean> {
    if (!isVoter(state, this.#daemon.home.key.id)) return false
    const { attempts } = this.standing(state).open
    const { proposals } = attempts.at(-1) as Attempt
    if (proposals.some((one) => this.#ownVote(state, one) !== undefined)) return false
    const { says, waits } = await this.judge.answer(state, attempts)
    if (says === null) return waits
    const { statement } = await this.compute(state, says.proposal.period, says.proposal)
    await this.#vote(state, says.proposal, says.objection, statement)
    return false
  }

  /** Errors: those of `measureStudy`. */
  measure(state: StudyState, request: MeasureRequest): ReturnType<typeof measureStudy> {
    const parts = { inputs: this.#inputs, book: () => this.book() }
    return this.#measuring.run('measure', () => measureStudy(this.#daemon, parts, state, request))
  }

  async #measure({ agreement }: AgreementState): Promise<void> {
    const { rule, everyRounds = 1 } = agreement.settlement
    if (rule !== 'by-marginal-value') return
    for (const { state } of this.#daemon.machine.view().studies) {
      if (!agreement.studies.includes(state.id) || !state.bound.has(this.#daemon.home.key.id)) continue
      const asked = underAgreements(this.#daemon.machine.view().agreements, actOf(this.#daemon, state, 'round'))
      if ('forbidden' in asked) continue // nobody asked, and so no entry says that it was not done
      const measure = async (): Promise<boolean> => {
        const { skipped } = await this.measure(state, { ...AUTO, everyRounds })
        return skipped.some(({ waits }) => waits)
      }
      if (await this.#tried({ study: state.id }, measure)) this.#merged = true // the last merge of a study is followed by no other
    }
  }

  #cutNow({ agreement }: AgreementState): Sizes {
    return new Map(agreement.parties.map(({ member }) => [member, this.judge.known(member)]))
  }

  /** Up to the first entry that is not of before `untilMs`; all of it where that has just been. */
  async #cutUntil(state: AgreementState, untilMs: number, before: Sizes): Promise<Sizes> {
    const now = this.#cutNow(state)
    if (untilMs > Date.now() - SLACK_MS) return now
    const cut = new Map<MemberId, number>()
    for (const [member, size] of now)
      cut.set(member, await this.#firstFrom(member, before.get(member) ?? 0, size, untilMs))
    return cut
  }

  async #firstFrom(member: MemberId, from: number, to: number, untilMs: number): Promise<number> {
    for await (const { from: at, raws } of slicesOf(this.#daemon.logs, member, { from, to })) {
      const first = raws.findIndex((raw) => glanceAt(raw).timeMs >= untilMs)
      if (first >= 0) return at + first
    }
    return Math.max(from, to)
  }

  #study(id: Digest): Study | null {
    return this.#daemon.machine.study(id as StudyId)
  }

  #ownVote(state: AgreementState, { period, attempt }: ProposalWord): VoteWord | undefined {
    const { settlements } = this.#daemon.machine.view()
    return settlements.of(this.#daemon.home.key.id, state.id)?.votes.get(`${period} ${attempt}`)?.[0]
  }

  #requireParty({ agreement, id }: AgreementState, what: 'parties' | 'voters'): void {
    const self = this.#daemon.home.key.id
    if (agreement.parties.some(({ member, required }) => member === self && (what === 'parties' || required))) return
    const names = agreement.parties.map(({ member }) => this.#daemon.nameOf(member)).join(', ')
    const which = what === 'parties' ? 'the parties' : 'the parties that must sign it'
    throw refused(
      'settlement-foreign',
      `${which} of agreement ${id.slice(0, 12)} settle it, of ${names}: ask one of them`,
    )
  }

  async #vote(
    state: AgreementState,
    { place, period, attempt }: ProposalWord,
    reason: Objection | null,
    statement: Statement,
  ) {
    const said = { agreement: fromHex(state.id), period, attempt, proposal: fromHex(place.hash) }
    const lines = linesBody(statement.lines)
    const refs = [[place.author, place.seq, place.hash] as const]
    if (reason === null)
      await this.#record('settlement.confirmed', { ...said, result: fromHex(statement.result) }, refs)
    else await this.#record('settlement.refused', { ...said, reason, lines }, refs)
  }

  async #record(kind: Kind, body: Body<Kind>, refs: readonly (readonly [MemberId, number, Digest])[]): Promise<void> {
    const { writer } = this.#daemon
    if (writer === null) throw new ConsiliumError(FENCED)
    writer.record('settlement', [{ kind, study: null, timeMs: Date.now(), refs, body: body as never }], new Map())
    await writer.flush()
  }
}

const isVoter = ({ agreement }: AgreementState, self: MemberId): boolean =>
  agreement.parties.some(({ member, required }) => member === self && required)

function votesOn(attempt: Attempt | undefined, about: ProposalWord | null): readonly VoteWord[] {
  if (attempt === undefined || about === null) return []
  return [...attempt.votes, ...attempt.pending].filter(({ proposal }) => proposal === about.place.hash)
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
