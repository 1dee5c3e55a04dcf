/** Answers `consilium log`: entries of all logs by filter, one entry with its citations, new entries as they come, verification. */

import { EventEmitter, once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { toHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { remarkOn } from '../governance/correction.ts'
import { isKind, KINDS, readBody } from '../governance/kinds.ts'
import { type SignedEntry, SignOffAudit } from '../governance/signOffAudit.ts'
import { parseCosigned } from '../ledger/cosignature.ts'
import { decodeEntry, type Entry, glanceAt } from '../ledger/entry.ts'
import type { EntryDetails, EntryReport, RedactionReport, VerifyReport } from './api.ts'
import type { Daemon } from './daemon.ts'
import { type LogFilter, matches, memberOf, readFilter, stateOf } from './logFilter.ts'
import { entriesOf, lacking } from './logSlices.ts'
import type { SignedForReport } from './peopleApi.ts'
import { readable } from './readable.ts'
import { squeeze } from './squeeze.ts'
import { Verification } from './verification.ts'

const SLICE = 500 // entries read at a time: about 5 ms where all are decoded, 1 ms where none is
const FOLLOW_QUEUE_MAX = 10_000 // entries that wait for a slow terminal; beyond it the command ends with an error

/** Reads what is stored at this node; asks no other member. Calls may run side by side. */
export class LogReader {
  readonly #daemon: Daemon
  constructor(daemon: Daemon) {
    this.#daemon = daemon
  }

  /** The newest entries that match, by the authors' times, oldest first. */
  async list(query: URLSearchParams): Promise<{ entries: EntryReport[] }> {
    const filter = readFilter(this.#daemon, query)
    const found: Entry[] = []
    for (const member of filter.members) found.push(...(await this.#newest(member, filter)))
    found.sort((a, b) => a.timeMs - b.timeMs || (a.author < b.author ? -1 : a.author > b.author ? 1 : a.seq - b.seq))
    return { entries: found.slice(-filter.limit).map((entry) => this.report(entry)) }
  }

  /** Errors: `entry-unknown`, `entry-ambiguous`, `member-unknown`. */
  async show(ref: string): Promise<EntryDetails> {
    const entry = await this.find(ref)
    const citedBy: string[] = []
    const remarks: EntryDetails['remarks'][number][] = []
    const audit = new SignOffAudit(this.#daemon.home.consortium.founding)
    for await (const other of this.scan(this.#daemon.logs.authors())) {
      if (other.author === entry.author) audit.take(other)
      if (!other.refs.some(([, , hash]) => hash === entry.hash)) continue
      citedBy.push(this.#ref(other.author, other.seq))
      remarks.push(...this.#remarksOf(other, entry))
    }
    const { author, seq, prev, lamport, raw } = entry
    const { byS } = await this.#daemon.logs.finalTimes(author, seq + 1)
    const report = { ...this.report(entry), prev: toHex(prev), lamport, bytes: raw.length, citedBy, remarks }
    const signedFor = await this.#signedFor(author, audit.signedFor(seq))
    const witnessedAtMs = byS === undefined ? null : byS * 1_000
    return { ...report, signedFor, witnessedAtMs, witnesses: await this.#witnesses(entry) }
  }

  /** The name where this hospital knows it: of its own people. */
  async #signedFor(author: MemberId, found: SignedEntry | null): Promise<SignedForReport | null> {
    if (found === null) return null
    const { person, action, timeMs, fault } = found
    const names = author === this.#daemon.home.key.id ? await this.#daemon.people.names() : null
    return {
      ...{ person: person?.person ?? null, roles: person?.roles ?? [], action, signedAtMs: timeMs, fault },
      name: person === null ? null : (names?.get(person.person) ?? null),
      entry: this.#ref(author, found.seq),
    }
  }

  #remarksOf(other: Entry, { author, hash }: Entry): EntryDetails['remarks'][number][] {
    const remark = remarkOn(other)
    if (remark === null || other.author !== author || other.refs[0]?.[2] !== hash) return []
    const [, by] = other.refs
    const what = { kind: remark.kind, reason: remark.reason, timeMs: other.timeMs }
    return [{ ...what, ref: this.#ref(author, other.seq), by: by === undefined ? null : this.#ref(by[0], by[1]) }]
  }

  /** All redactions that are known here, in all logs. */
  async redactions(): Promise<{ redactions: RedactionReport[] }> {
    const found: RedactionReport[] = []
    for await (const entry of this.scan(this.#daemon.logs.authors())) {
      const body = entry.kind === 'operator.redacted' ? readBody('operator.redacted', entry.body) : null
      if (body === null) continue
      const { author, seq, timeMs } = entry
      const [raw] = await this.#daemon.logs.entries(author, body.seq, body.seq + 1)
      const target = raw === undefined ? null : decodeEntry(raw)
      found.push({
        ...{ ref: this.#ref(author, seq), name: this.#daemon.nameOf(author), timeMs, reason: body.reason },
        ...{ of: this.#ref(author, body.seq), kind: target?.kind ?? '–', gone: target?.body === null },
        instead: body.instead !== undefined,
      })
    }
    return { redactions: found.sort((a, b) => a.timeMs - b.timeMs) }
  }

  /** The newest entries, then each that comes. Errors: at once `member-unknown`, `study-unknown`, `study-ambiguous`, `kind-unknown`, `bad-limit`; while it runs `too-many-followers`, `follow-overrun`. */
  follow(query: URLSearchParams, signal: AbortSignal): AsyncIterable<EntryReport> {
    return this.#follow(query, readFilter(this.#daemon, query), signal)
  }

  async *#follow(query: URLSearchParams, filter: LogFilter, signal: AbortSignal): AsyncIterable<EntryReport> {
    const queue: Entry[] = []
    let overrun = false
    const arrivals = new EventEmitter()
    const unfollow = this.#daemon.followers.add((entry) => {
      overrun ||= queue.length >= FOLLOW_QUEUE_MAX
      if (!overrun) queue.push(entry)
      arrivals.emit('entry')
    })
    try {
      yield* (await this.list(query)).entries
      while (!signal.aborted) {
        if (overrun)
          throw new ConsiliumError({
            code: 'follow-overrun',
            message: 'entries came faster than they were read; start again',
          })
        const entry = queue.shift()
        if (entry === undefined) await once(arrivals, 'entry', { signal }).catch(() => undefined)
        else if (
          matches(entry, filter, stateOf(this.#daemon, entry.author, entry.seq)) &&
          filter.members.includes(entry.author)
        )
          yield this.report(entry)
      }
    } finally {
      unfollow()
    }
  }

  /** As `Verification.verify`, of all logs or of one member's. Error: `member-unknown`. */
  async verify(member: string | null, full: boolean): Promise<{ logs: VerifyReport[] }> {
    const verification = new Verification(this.#daemon)
    const logs: VerifyReport[] = []
    for (const author of this.authors(member)) logs.push(await verification.verify(author, full))
    return { logs }
  }

  /** All members, or the one that is meant by its name or at least 6 digits of its key. Error: `member-unknown`. */
  authors(member: string | null): readonly MemberId[] {
    return member === null ? this.#daemon.logs.authors() : [memberOf(this.#daemon, member)]
  }

  async #newest(author: MemberId, filter: LogFilter): Promise<Entry[]> {
    const found: Entry[] = []
    for (let to = this.#daemon.logs.sizeOf(author).size; to > 0 && found.length < filter.limit; to -= SLICE) {
      const from = Math.max(0, to - SLICE)
      const raws = await this.#daemon.logs.entries(author, from, to)
      if (raws.length < to - from) throw lacking(this.#daemon.nameOf(author), from + raws.length)
      const wanted = raws.filter((raw, i) => matches(glanceAt(raw), filter, stateOf(this.#daemon, author, from + i)))
      found.unshift(...wanted.map(decodeEntry))
      await setImmediate()
    }
    return found.slice(-filter.limit)
  }

  /** The stored entry that MEMBER/NUMBER, or digits of its hash, name. Errors: `entry-unknown`, `entry-ambiguous`, `member-unknown`. */
  async find(ref: string): Promise<Entry> {
    const numbered = /^(.+)\/(\d+)$/.exec(ref)
    if (numbered !== null) {
      const author = memberOf(this.#daemon, numbered[1] as string)
      const seq = Number(numbered[2])
      const [raw] = await this.#daemon.logs.entries(author, seq, seq + 1)
      if (raw !== undefined) return decodeEntry(raw)
      const { size } = this.#daemon.logs.sizeOf(author)
      throw new ConsiliumError({
        code: 'entry-unknown',
        message: `${ref}: the log of ${this.#daemon.nameOf(author)} has ${size} entries here, numbered from 0`,
      })
    }
    if (!/^[0-9a-f]{8,64}$/.test(ref)) {
      throw new ConsiliumError({
        code: 'entry-unknown',
        message: `"${ref.slice(0, 80)}" given; MEMBER/NUMBER or at least 8 digits of an entry's hash are expected`,
      })
    }
    const found: Entry[] = []
    for await (const entry of this.scan(this.#daemon.logs.authors())) if (entry.hash.startsWith(ref)) found.push(entry)
    if (found.length === 1) return found[0] as Entry
    if (found.length > 1) {
      const message = `${found.length} entries have a hash that begins with ${ref}; give more digits`
      throw new ConsiliumError({ code: 'entry-ambiguous', message })
    }
    throw new ConsiliumError({ code: 'entry-unknown', message: `no entry here has a hash that begins with ${ref}` })
  }

  /** Every stored entry of these logs, each log in its order. */
  async *scan(authors: readonly MemberId[]): AsyncIterable<Entry> {
    for (const author of authors) yield* entriesOf(this.#daemon.logs, author, null)
  }

  /** Who signed the kept final head that covers the entry first, its author apart; empty while none is kept. */
  async #witnesses({ author, seq }: Entry): Promise<string[]> {
    const final = await this.#daemon.logs.final(author, seq + 1)
    if (final === undefined) return []
    const { cosignatures } = parseCosigned(final.note, this.#daemon.home.consortium.founding)
    return cosignatures.map(({ witness }) => this.#daemon.nameOf(witness))
  }

  /** One entry as it is shown. */
  report(entry: Entry): EntryReport {
    const { author, seq, hash, timeMs, kind, study, refs, body } = entry
    return {
      ref: this.#ref(author, seq),
      member: author,
      name: this.#daemon.nameOf(author),
      seq,
      hash,
      timeMs,
      kind,
      study,
      refs: refs.map(([member, number]) => this.#ref(member, number)),
      state: stateOf(this.#daemon, author, seq),
      body: body === null ? null : readable(inSchemaOrder(kind, body)),
    }
  }

  #ref(author: MemberId, seq: number): string {
    return `${squeeze(this.#daemon.nameOf(author))}/${seq}`
  }
}

/** A known body's fields in the order of its schema; the encoding has them by length. */
function inSchemaOrder(kind: string, body: Cbor): Cbor {
  if (!isKind(kind) || body === null || typeof body !== 'object') return body
  const given = body as Readonly<Record<string, Cbor>>
  const known = Object.keys(KINDS[kind].entries).filter((key) => Object.hasOwn(given, key))
  return { ...Object.fromEntries(known.map((key) => [key, given[key] as Cbor])), ...given }
}
