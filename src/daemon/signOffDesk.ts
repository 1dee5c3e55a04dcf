/**
 * The desk that each call passes which changes something: who signed for it, whether that counts, and that the entries which come of it are
 * followed by who signed for them, in the same commit.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import type { Kind } from '../governance/kinds.ts'
import {
  actedBody,
  judgeSignOff,
  People,
  type PeopleFact,
  type Person,
  type SignedFor,
  UsedRequests,
} from '../governance/people.ts'
import { ACTS, type Act, type ActPattern } from '../governance/roles.ts'
import { readSignOff } from '../governance/signOff.ts'
import { REFS_MAX } from '../ledger/entry.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import type { Signable } from './control.ts'
import type { LedgerWriter, SignOffDraft } from './ledgerWriter.ts'
import { type Faulty, refusalOf } from './signOffRefusal.ts'

const REQUESTS_MAX = 10_000 // of ten minutes; one person at a terminal makes one a second at most

/** What a desk works with. `writer` is null while nothing may be signed. */
export interface SignOffDeskParts {
  readonly founding: Digest
  readonly self: MemberId
  readonly startedAtMs: number
  readonly writer: () => Pick<LedgerWriter, 'record' | 'flush'> | null
  /** As the log calls an entry of this hospital: `St.Mary/17`. */
  readonly refOf: (seq: number) => string
  readonly names: () => Promise<ReadonlyMap<Digest, string>>
  readonly nowMs?: () => number
}

/** A call that somebody signed for, while it runs. */
interface Running {
  readonly act: Act
  readonly by: SignedFor
  readonly signature: Uint8Array
  parts: number
  /** What is recorded after its answer did not come of it, though it may run on behind it. */
  over: boolean
}

/** One per daemon. */
export class SignOffDesk {
  readonly people = new People()
  readonly #parts: SignOffDeskParts
  readonly #nowMs: () => number
  readonly #used = new UsedRequests(REQUESTS_MAX)
  readonly #running = new AsyncLocalStorage<Running>()
  #calls = 0

  constructor(parts: SignOffDeskParts) {
    this.#parts = parts
    this.#nowMs = parts.nowMs ?? Date.now
  }

  /** Own entries that are durable, in the log's order. */
  note(facts: readonly (PeopleFact & { readonly author: MemberId })[]): void {
    for (const fact of facts) if (fact.author === this.#parts.self) this.people.fold(fact)
  }

  /** Carries a call out where it may be. Errors: `person-…`, those of the call. */
  async pass(pattern: ActPattern, asked: Signable, answer: () => unknown): Promise<unknown> {
    const act = ACTS[pattern]
    const running = await this.#admit(act, asked)
    if (running === null) return answer()
    this.#requireRecord(act)
    this.#calls++
    return this.#running.run(running, async () => {
      try {
        const answered = await answer()
        await this.#tellOfLooking(running)
        return answered
      } finally {
        running.over = true
        if (--this.#calls === 0) this.#running.disable() // else every promise of the node pays for it, for months
      }
    })
  }

  /** What the writer adds to entries that come of a call which somebody signed for. */
  signedFor = (drafts: readonly Draft[]): readonly SignOffDraft[] => {
    const running = this.#running.getStore()
    if (running === undefined || running.over) return []
    const leads = running.act.leads as readonly Kind[]
    const cited = [...drafts.keys()].filter((i) => leads.includes((drafts[i] as Draft).kind))
    const told: SignOffDraft[] = []
    for (let at = 0; at < cited.length; at += REFS_MAX - 1) {
      const cites = cited.slice(at, at + REFS_MAX - 1)
      told.push({ draft: this.#draft(running, drafts[cites[0] as number]?.study ?? null), cites })
    }
    return told
  }

  /** Null where nobody has to sign, and nobody did whom this hospital knows. */
  async #admit(act: Act, asked: Signable): Promise<Running | null> {
    const { people } = this
    if (people.required === null && (asked.signOff === null || people.all().length === 0)) return null
    if (asked.signOff === null) throw await this.#refused(act, { fault: 'none', person: null })
    const signOff = readSignOff(asked.signOff)
    if (signOff === null) throw await this.#refused(act, { fault: 'malformed', person: null })
    const { founding, self, startedAtMs } = this.#parts
    const nowMs = this.#nowMs()
    const where = { founding, member: self, nowMs, sinceMs: startedAtMs }
    const judged = judgeSignOff(people, act, asked, signOff, where)
    if ('fault' in judged) throw await this.#refused(act, judged)
    const use = this.#used.take(judged.signed.request, signOff.timeMs, nowMs)
    if (use !== 'new') throw await this.#refused(act, { fault: use, person: judged.person })
    return { act, by: judged, signature: signOff.signature, parts: 0, over: false }
  }

  /** What cannot be recorded is not done; but what a patient says binds at once, and a stop is a stop. */
  #requireRecord({ action }: Act): void {
    if (this.#parts.writer() !== null || action === 'node.stop' || action.startsWith('consent.')) return
    throw new ConsiliumError(FENCED)
  }

  /** A call that led to no entry: who asked is recorded all the same. */
  async #tellOfLooking(running: Running): Promise<void> {
    const writer = this.#parts.writer()
    if (running.parts > 0 || writer === null) return
    writer.record('acted', [this.#draft(running, null)], new Map())
    await writer.flush()
  }

  #draft(running: Running, study: Draft['study']): Draft {
    const { by, signature } = running
    const { seq, hash } = by.person.enrolled
    const body = actedBody(by, signature, running.parts++)
    return { kind: 'person.acted', study, timeMs: this.#nowMs(), refs: [[this.#parts.self, seq, hash]], body }
  }

  async #refused(act: Act, faulty: Faulty): Promise<ConsiliumError> {
    const names = await this.#parts.names()
    const nameOf = ({ person }: Person): string => names.get(person) ?? `person ${person.slice(0, 12)}`
    const { refOf } = this.#parts
    return new ConsiliumError(refusalOf(act, faulty, this.people, { nameOf, refOf }))
  }
}
