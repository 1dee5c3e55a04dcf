/** What the parts of the machine share within one step: who we are, what is known, and the list of actions that grows. */
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { Cut } from '../governance/agreements.ts'
import type { Body, Kind } from '../governance/kinds.ts'
import type { Studies } from '../governance/studies.ts'
import { Suspensions } from '../governance/suspensions.ts'
import type { Roll } from '../ledger/membership.ts'
import type { Action, Draft } from './actions.ts'

const SEALED_MAX = 1_024 // each member met, and a refusal of each

/** One per machine. `out` is what this step asks for so far, `now` its time in milliseconds since 1970; `step` sets both. */
export class Context {
  readonly self: MemberId
  readonly founding: Digest
  /** Who takes part, from epoch to epoch. */
  readonly roll: Roll
  readonly studies: Studies
  readonly suspensions = new Suspensions()
  /** Of a log so many entries are final here. */
  finalSize: (author: MemberId) => number = () => 0
  out: Action[] = []
  now = 0
  /** So many words of the own patients the own log tells of. */
  words = 0
  /** The commitment to the newest of them. */
  newestWord: Uint8Array | null = null
  /** What is final here; all that is known restricts. */
  readonly cut: Cut = {
    final: (author) => Math.min(this.finalSize(author), this.#trustedSize(author)),
    known: () => Number.POSITIVE_INFINITY,
  }
  /** No study trains here without an agreement. */
  agreementsRequired = false
  /** No table is used in a study that another member proposed without a grant. */
  grantsRequired = false
  /** Of the newest epoch; that of the founding is the founding's own. */
  epochDigest: Digest
  /** What waits for the boot fence; null when that is passed. */
  #sealed: Extract<Action, { type: 'record' }>[] | null = []

  constructor(self: MemberId, founding: Digest, roll: Roll, studies: Studies) {
    this.self = self
    this.founding = founding
    this.epochDigest = founding
    this.roll = roll
    this.studies = studies
  }

  /** The hospital's own rules, by its config. */
  goBy(rules: { readonly agreementsRequired?: boolean; readonly grantsRequired?: boolean }): void {
    this.agreementsRequired = rules.agreementsRequired === true
    this.grantsRequired = rules.grantsRequired === true
  }

  /** Members now, sorted by key. */
  get members(): readonly MemberId[] {
    return this.roll.members
  }

  /** Whether this node goes by it that a member's key is not to be trusted. */
  isSuspended(member: MemberId): boolean {
    return !this.suspensions.isEmpty && (this.suspensions.of(member, this)?.binds ?? null) !== null
  }

  /** Those of whom it does, sorted. */
  suspended(): MemberId[] {
    return this.suspensions.isEmpty ? [] : this.roll.members.filter((member) => this.isSuspended(member))
  }

  /** Whether a permission that `author` gives at `seq` of its log counts, as far as its key is concerned. */
  trusts(author: MemberId, seq: number): boolean {
    return seq < this.#trustedSize(author)
  }

  #trustedSize(author: MemberId): number {
    const found = this.suspensions.isEmpty ? null : this.suspensions.of(author, this)
    return found === null || found.binds === null ? Number.POSITIVE_INFINITY : found.size
  }

  /** A draft whose body fits its kind's schema at compile time. */
  draft<K extends Kind>(kind: K, study: StudyId | null, body: Body<K>, refs: Draft['refs'] = []): Draft {
    const plain = body as unknown as Cbor
    encodeCbor(plain) // an unencodable body is our own bug: fail here, not in the shell
    return { kind, study, timeMs: this.now, refs, body: plain }
  }

  /** While the boot fence stands the first few are kept for later, and what comes then is lost: mostly who was met. */
  record(tag: string, drafts: readonly Draft[]): void {
    const action = { type: 'record', tag, drafts, checkpoint: null } as const
    if (this.#sealed === null) this.out.push(action)
    else if (this.#sealed.length < SEALED_MAX) this.#sealed.push(action)
  }

  /** The node may sign: `first`, then what waited. */
  unseal(first: readonly Draft[]): void {
    this.out.push({ type: 'record', tag: 'booted', drafts: first, checkpoint: null }, ...(this.#sealed ?? []))
    this.#sealed = null
  }

  tell(
    level: 'debug' | 'info' | 'warn',
    event: string,
    facts: Readonly<Record<string, string | number | boolean | null>>,
  ): void {
    this.out.push({ type: 'tell', level, event, facts })
  }
}
