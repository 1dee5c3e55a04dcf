/**
 * One decision slot: members agree on one value, two phases a round, as in Buchman, Kwon and Milosevic 2018 (Tendermint, arXiv 1807.04938,
 * Algorithm 1, whose lines are cited). No two values are decided while the liars are fewer than what any two quorums share.
 */
import type { SigningKey } from '../core/ed25519.ts'
import { exhaustive } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import {
  type Certificate,
  type OpenedMessage,
  type Proposal,
  proposerOf,
  type SlotMessage,
  type SlotRules,
  type Value,
  votesOf,
} from './slotMessage.ts'
import { FRESH, type SlotState } from './slotState.ts'
import { RESEND_MS, timeoutMs } from './slotTimes.ts'
import { Claims, type Counted, Judgements, Tally } from './tally.ts'
import { type Equivocation, isEquivocation, type Phase, ROUND_MAX, signVote, type Vote } from './vote.ts'

const ACCUSED_MAX = 2_000 // both member sets: evidence is given out once for each voter

/** What happens to a slot. `offer` names what this member proposes in its turn, null where nothing any more; `judged` answers a `judge`, and may come again with another answer; null takes it back: it is asked again where that matters. */
export type SlotEvent =
  | OpenedMessage
  | { readonly type: 'offer'; readonly value: Value | null }
  | { readonly type: 'judged'; readonly value: Digest; readonly accepted: boolean | null }
  | { readonly type: 'wake' }

/**
 * What to do, in this order, across calls too: nothing that comes after a `persist` may be done before the state is durable. Where that
 * fails, stop, and make a new slot from what is stored.
 */
export type SlotAction =
  | { readonly type: 'persist'; readonly state: SlotState }
  /** To all who take part. */
  | { readonly type: 'broadcast'; readonly message: SlotMessage }
  /** Given again after a restart. */
  | { readonly type: 'decided'; readonly certificate: Certificate }
  /** May this member vote for it? Answered with `judged`, when there is an answer. */
  | { readonly type: 'judge'; readonly value: Value }
  | { readonly type: 'evidence'; readonly equivocation: Equivocation }
  /** Somebody else votes with this member's key, or its state is an old copy: it votes no more in this slot. */
  | { readonly type: 'halted'; readonly vote: Vote }
  /** Send `wake` then; replaces the time given before. */
  | { readonly type: 'wake'; readonly atMs: number }

/** The voter of one slot, made when something is proposed in it. Messages must have been opened before; `now` must not decrease. */
export class Slot {
  readonly #rules: SlotRules
  readonly #key: SigningKey
  readonly #tally = new Tally()
  readonly #claims: Claims
  readonly #judged = new Judgements()
  readonly #accused = new Set<MemberId>()
  /** End of each phase's wait in this round; a phase that does not wait yet has none. */
  #deadlines: Partial<Record<Phase, number>> = {}
  #resendAt = 0
  #wakeAt: number | null = null
  /** Whether somebody still votes: after the decision only then is anything said. */
  #asked = false
  #state: SlotState
  #changed = false
  #halted = false
  #offer: Value | null = null
  /** The newest prepare certificate, judged or not. */
  #prepared: Certificate | null
  #out: SlotAction[] = []

  /** `saved` is the newest state that was persisted for this slot; a slot without one has never voted. Call `start` first. */
  constructor(rules: SlotRules, key: SigningKey, saved: SlotState = FRESH) {
    this.#rules = rules
    this.#key = key
    this.#claims = new Claims(rules.members)
    this.#state = saved
    this.#prepared = saved.valid
    this.#tally.moveTo(saved.round)
    for (const value of [saved.valid?.value, saved.proposal?.value]) if (value) this.#judged.note(value.digest, true)
    if (saved.proposal) this.#tally.propose(saved.proposal)
    if (saved.prepare) this.#tally.add(saved.prepare, 'prepare')
    if (saved.commit) this.#tally.add(saved.commit, 'commit')
  }

  get state(): SlotState {
    return this.#state
  }

  /** Whether a vote of `member` can count: it is a member, or has a vote on a value that is known. */
  isVoter(member: MemberId): boolean {
    const of = ({ voters }: { voters: readonly MemberId[] }): boolean => voters.includes(member)
    return of(this.#rules.members) || this.#values().some(({ quorum }) => of(quorum))
  }

  /** Begins, or goes on after a restart: says again what was said. */
  start(now: number): SlotAction[] {
    const { decided } = this.#state
    if (decided !== null) this.#out.push({ type: 'decided', certificate: decided })
    this.#asked = true
    this.#deadlines = { propose: now + timeoutMs('propose', this.#state.round) }
    this.#resendAt = now
    return this.#finish(now)
  }

  step(event: SlotEvent, now: number): SlotAction[] {
    this.#asked = event.type === 'vote' || event.type === 'proposal'
    switch (event.type) {
      case 'vote':
        this.#onVote(event.vote, now)
        break
      case 'proposal':
        this.#onProposal(event.proposal, now)
        break
      case 'certificate':
        this.#onCertificate(event.certificate, now)
        break
      case 'offer':
        this.#offer = event.value
        if (event.value !== null) this.#judged.note(event.value.digest, true)
        break
      case 'judged':
        if (event.accepted === null) this.#judged.forget(event.value)
        else this.#judged.note(event.value, event.accepted)
        break
      case 'wake':
        break
      default:
        exhaustive(event)
    }
    return this.#finish(now)
  }

  /** All that decides what comes next, as plain data: equal snapshots go on equally. Times are relative to `now`. */
  snapshot(now: number) {
    const waits = this.#pending().map(([phase, atMs]) => [phase, atMs - now] as const)
    const [claims, judged] = [this.#claims.snapshot(this.#state.round), this.#judged.snapshot()]
    const rest = [this.#halted, this.#offer?.digest, this.#resendAt - now]
    return { state: this.#state, prepared: this.#prepared, tally: this.#tally.snapshot(), claims, judged, waits, rest }
  }

  #onVote(vote: Vote, now: number): void {
    if (vote.voter === this.#key.member) return this.#onOwn(vote)
    if (vote.phase === 'propose' || !this.isVoter(vote.voter)) return
    this.#claim(vote.voter, vote.round, now)
    if (!this.#tally.remembers(vote.round)) return
    this.#accuse(this.#tally.add(vote, vote.phase))
  }

  #onProposal(proposal: Proposal, now: number): void {
    const { vote, certificate } = proposal
    if (vote.voter === this.#key.member) return this.#onOwn(vote)
    this.#claim(vote.voter, vote.round, now)
    if (certificate !== null) this.#onCertificate(certificate, now)
    if (!this.#tally.remembers(vote.round)) return
    this.#accuse(this.#tally.propose(proposal))
  }

  /** Its votes need not be counted one by one: a quorum of them was checked when it was opened. */
  #onCertificate(certificate: Certificate, now: number): void {
    const { phase, round } = certificate
    if (phase === 'commit') return this.#decide(certificate)
    for (const vote of votesOf(certificate, this.#rules.number)) {
      if (vote.voter === this.#key.member) this.#onOwn(vote)
      else this.#claim(vote.voter, round, now)
    }
    this.#keepPrepared(certificate)
  }

  /** A vote with this key that this machine does not know of comes from a copy of it, or from a future that its disk has lost. */
  #onOwn(vote: Vote): void {
    const { round, proposal, prepare, commit } = this.#state
    const cast = { propose: proposal?.vote, prepare, commit }[vote.phase]
    if (this.#halted || vote.round < round || (cast && vote.round === round && !isEquivocation(cast, vote))) return
    this.#halted = true
    this.#out.push({ type: 'halted', vote })
  }

  /** Line 55: goes on to a round that some honest member has reached. */
  #claim(voter: MemberId, round: number, now: number): void {
    const reached = this.#claims.add(voter, round, this.#state.round)
    if (reached !== null && this.#state.decided === null && !this.#halted) this.#startRound(reached, now)
  }

  /** Asked for where it matters, and only then; null until it is answered. */
  #judgement(value: Value): boolean | null {
    if (this.#judged.ask(value.digest)) this.#out.push({ type: 'judge', value })
    return this.#judged.of(value.digest)
  }

  #accuse(equivocation: Equivocation | null): void {
    if (equivocation === null || this.#accused.has(equivocation[0].voter) || this.#accused.size >= ACCUSED_MAX) return
    this.#accused.add(equivocation[0].voter)
    this.#out.push({ type: 'evidence', equivocation })
  }

  /** Runs the rules until none applies, then gives out what came of it: the state first, what is said after it. */
  #finish(now: number): SlotAction[] {
    if (now >= this.#resendAt && (this.#state.decided === null || this.#asked)) this.#resend(now)
    this.#asked = false
    while (this.#state.decided === null && this.#rule(now)) {}
    if (this.#changed) this.#out.unshift({ type: 'persist', state: this.#state })
    this.#changed = false
    this.#setWake()
    const out = this.#out
    this.#out = []
    return out
  }

  /** One rule at most; whether one applied. Each applies once in a round, and only `#expire` ends a round that nobody else has ended. */
  #rule(now: number): boolean {
    const values = this.#values()
    if (this.#decideByVotes(values)) return true
    if (this.#halted) return false
    this.#countPrepared(values)
    return (
      this.#propose() || this.#prepare() || this.#noteValid() || this.#commit() || this.#wait(now) || this.#expire(now)
    )
  }

  /** Line 49: a quorum of commit votes in any round decides. */
  #decideByVotes(values: readonly Value[]): boolean {
    for (const round of this.#tally.rounds()) {
      const certificate = this.#certificate(values, round, 'commit')
      if (certificate === null) continue
      this.#decide(certificate)
      return true
    }
    return false
  }

  #decide(certificate: Certificate): void {
    if (this.#state.decided !== null) return
    this.#set({ decided: certificate })
    this.#out.push({ type: 'decided', certificate })
  }

  /** Line 11. */
  #startRound(round: number, now: number): void {
    this.#set({ round, proposal: null, prepare: null, commit: null })
    this.#tally.moveTo(round)
    this.#deadlines = { propose: now + timeoutMs('propose', round) }
  }

  /** Lines 14 to 19: in its turn a voter proposes the newest value that is known to be prepared, or else its own. */
  #propose(): boolean {
    const { round, proposal, prepare, valid } = this.#state
    if (proposal !== null || prepare !== null || proposerOf(this.#rules, round) !== this.#key.member) return false
    const value = valid?.value ?? this.#offer
    if (value === null || (valid !== null && valid.round >= round)) return false
    const vote = this.#sign('propose', value.digest, valid?.round ?? null)
    const made: Proposal = { vote, value, certificate: valid }
    this.#set({ proposal: made })
    this.#tally.propose(made)
    this.#say({ type: 'proposal', proposal: made })
    return true
  }

  /** Lines 22 and 28: prepares what is proposed, unless the lock or this member's judgement is against it. */
  #prepare(): boolean {
    const { round, prepare, locked } = this.#state
    const proposal = prepare === null ? this.#tally.proposal(round) : null
    if (proposal === null) return false
    const { digest } = proposal.value
    const { validRound } = proposal.vote
    const free = locked === null || locked.value === digest || (validRound !== null && locked.round <= validRound)
    const accepted = free ? this.#judgement(proposal.value) : false
    if (accepted === null) return false
    this.#cast('prepare', accepted ? digest : null)
    return true
  }

  /** Lines 42 and 43, for any round: whoever proposes next should know of the newest. */
  #noteValid(): boolean {
    const newest = this.#prepared
    if (newest === null || newest.round <= (this.#state.valid?.round ?? -1)) return false
    if (this.#judgement(newest.value) !== true) return false
    this.#set({ valid: newest })
    return true
  }

  /** Lines 36 and 44: a prepared value is locked and committed to, if it is still accepted; where a quorum prepared none, nobody waits. */
  #commit(): boolean {
    const { round, prepare, commit, valid } = this.#state
    if (prepare === null || commit !== null) return false
    if (valid?.round === round && this.#judgement(valid.value) === true) {
      this.#set({ locked: { round, value: valid.value.digest } })
      this.#cast('commit', valid.value.digest)
      return true
    }
    if (!this.#rules.members.reached(this.#tally.voters(round, 'prepare', null))) return false
    this.#cast('commit', null)
    return true
  }

  /**
   * Lines 34 and 47: once a quorum has voted, whatever for, the others are given some time. Who is in a later round has voted, though
   * the votes of that round are all that it says again.
   */
  #wait(now: number): boolean {
    const { round, prepare, commit } = this.#state
    const phases: Counted[] = prepare !== null && commit === null ? ['prepare', 'commit'] : ['commit']
    const voted = (phase: Counted): Set<MemberId> =>
      new Set([...this.#tally.anyVoters(round, phase), ...this.#claims.above(round)])
    const phase = phases.find(
      (phase) => this.#deadlines[phase] === undefined && this.#rules.members.reached(voted(phase)),
    )
    if (phase === undefined) return false
    this.#deadlines[phase] = now + timeoutMs(phase, round)
    return true
  }

  /** Lines 57 to 67. */
  #expire(now: number): boolean {
    const { round, prepare, commit } = this.#state
    const { propose = Infinity, prepare: prepareAt = Infinity, commit: commitAt = Infinity } = this.#deadlines
    if (prepare === null && now >= propose) this.#cast('prepare', null)
    else if (prepare !== null && commit === null && now >= prepareAt) this.#cast('commit', null)
    else if (now >= commitAt && round < ROUND_MAX) this.#startRound(round + 1, now)
    else return false
    return true
  }

  #cast(phase: Counted, value: Digest | null): void {
    const vote = this.#sign(phase, value, null)
    this.#set({ [phase]: vote })
    this.#tally.add(vote, phase)
    this.#say({ type: 'vote', vote })
  }

  #sign(phase: Phase, value: Digest | null, validRound: number | null): Vote {
    const { number: slot, founding } = this.#rules
    return signVote(this.#key, founding, { slot, phase, round: this.#state.round, value, validRound })
  }

  #say(message: SlotMessage): void {
    this.#out.push({ type: 'broadcast', message })
  }

  /** What was said in this round, and the newest proof that a value was prepared; or the decision, which is all that matters then. */
  #resend(now: number): void {
    const { proposal, prepare, commit, decided } = this.#state
    this.#resendAt = now + RESEND_MS
    if (decided !== null) return this.#say({ type: 'certificate', certificate: decided })
    if (proposal !== null) this.#say({ type: 'proposal', proposal })
    for (const vote of [prepare, commit]) if (vote !== null) this.#say({ type: 'vote', vote })
    if (this.#prepared !== null) this.#say({ type: 'certificate', certificate: this.#prepared })
  }

  #setWake(): void {
    const atMs = this.#state.decided === null ? Math.min(this.#resendAt, ...this.#pending().map(([, at]) => at)) : null
    if (atMs !== null && atMs !== this.#wakeAt) this.#out.push({ type: 'wake', atMs })
    this.#wakeAt = atMs
  }

  /** The waits that still matter in this round, with their ends. */
  #pending(): [Phase, number][] {
    const { round, prepare, commit } = this.#state
    const open: Record<Phase, boolean> = {
      propose: prepare === null,
      prepare: prepare !== null && commit === null,
      commit: round < ROUND_MAX,
    }
    const waits = Object.entries(this.#deadlines) as [Phase, number][]
    return this.#halted ? [] : waits.filter(([phase]) => open[phase])
  }

  #keepPrepared(certificate: Certificate): void {
    if (certificate.round > (this.#prepared?.round ?? -1)) this.#prepared = certificate
  }

  #countPrepared(values: readonly Value[]): void {
    for (const round of this.#tally.rounds()) {
      if (round <= (this.#prepared?.round ?? -1)) return
      const certificate = this.#certificate(values, round, 'prepare')
      if (certificate !== null) this.#keepPrepared(certificate)
    }
  }

  /** The votes of a quorum for one of `values`, where there are enough. */
  #certificate(values: readonly Value[], round: number, phase: Counted): Certificate | null {
    for (const value of values) {
      const { digest, quorum } = value
      if (!quorum.reached(this.#tally.voters(round, phase, digest))) continue
      return { phase, round, value, signatures: this.#tally.signatures(round, phase, digest, quorum.voters) }
    }
    return null
  }

  /** All values whose content is known. */
  #values(): Value[] {
    const others = [this.#prepared?.value, this.#state.valid?.value, this.#offer]
    return [...this.#tally.values(), ...others.filter((value) => value !== null && value !== undefined)]
  }

  #set(change: Partial<SlotState>): void {
    this.#state = { ...this.#state, ...change }
    this.#changed = true
  }
}
