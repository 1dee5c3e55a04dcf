/** Answers `consilium log export` and `log proof`: entries with their proofs under signed heads, for whoever has no node. */

import { setImmediate } from 'node:timers/promises'
import { equalBytes, fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { type BundleFilter, BundleWriter, type EntryState, isKindFilter } from '../ledger/bundle.ts'
import { formatCosigned, parseCosigned } from '../ledger/cosignature.ts'
import { decodeEntry, type Entry, headerOf, TIME_MS_MAX } from '../ledger/entry.ts'
import { rollCall } from '../ledger/epoch.ts'
import { encodeFounding, fingerprint } from '../ledger/founding.ts'
import { rootOf } from '../ledger/head.ts'
import { countedOf, type Pin, Roll } from '../ledger/membership.ts'
import type { Final } from '../ledger/store.ts'
import { formatTlogProof } from '../ledger/tlogProof.ts'
import { linesOf, VIEWS, type ViewName, headerOf as viewHeader } from '../report/exports/views.ts'
import type { ExportLine, ProofReport, ViewPart } from './api.ts'
import type { Daemon } from './daemon.ts'
import { type LogFilter, matches, readFilter } from './logFilter.ts'
import type { LogReader } from './logReader.ts'
import { lacking } from './logSlices.ts'

const SLICE = 100 // entries read at a time: 6.5 MB, were each as large as one may be
const VIEW_CHARACTERS = 16_384 // of one answer, which is one line of JSON: what lies in the cache is joined twice as fast as a quarter of a million
const TURN_MS = 2 // of work on end; the dearest single step, 256 leaf hashes for a proof, takes about as long again

/** A signed head, with the cosignatures that count. */
type Note = Omit<Final, 'timeS'>

/** Entries `from` ≤ seq < `to` of one log, all proven under one head. */
interface Range {
  readonly author: MemberId
  readonly from: number
  readonly to: number
  readonly head: Note
  readonly final: boolean
  /** From here on two histories are signed. */
  readonly forkAt: number
}

/** As a verifier of the bundle counts it. */
function stateUnder({ final, forkAt }: Range, { seq }: Entry): EntryState {
  return seq >= forkAt ? 'disputed' : final ? 'final' : 'pending'
}

/** Reads what is stored at this node; holds one slice of entries at a time. Calls may run side by side. */
export class Exporter {
  readonly #daemon: Daemon
  readonly #reader: LogReader

  constructor(daemon: Daemon, reader: LogReader) {
    this.#daemon = daemon
    this.#reader = reader
  }

  /**
   * The lines of a bundle, and last a report. What is final and disputed is as a verifier will count it (`bundleVerify.ts`). Errors: at
   * once those of `readFilter`, `bad-kind`; while it runs `export-broken-off`, `database-corrupt`.
   */
  run(query: URLSearchParams, signal: AbortSignal): AsyncIterable<ExportLine> {
    const filter = readFilter(this.#daemon, query)
    const said = saidOf(filter, query.has('member'))
    return this.#run({ ...filter, state: null }, said, new Pace(signal))
  }

  /**
   * The lines of a view, many at a time, and last a report: of the same entries, in the same order, as a bundle with that filter has; of what is
   * final, where the query does not say. Errors: those of `run`, `bad-view`.
   */
  view(query: URLSearchParams, signal: AbortSignal): AsyncIterable<ViewPart> {
    const given = query.get('form') ?? ''
    const view = VIEWS.find((one) => one === given)
    if (view === undefined)
      throw refused('bad-view', `--form: "${given.slice(0, 40)}" given; ${VIEWS.join(', ')}, hipaa are allowed`)
    const filter = readFilter(this.#daemon, query)
    const said = saidOf({ ...filter, state: filter.state ?? 'final' }, query.has('member'))
    return this.#view(view, { ...filter, state: null }, said, new Pace(signal))
  }

  /** One entry's place under the first final head that covers it. Errors: `entry-pending`, those of `LogReader.find`. */
  async prove(ref: string): Promise<ProofReport> {
    const { logs, forks, home } = this.#daemon
    const { author, seq, raw } = await this.#reader.find(ref)
    const kept = await logs.final(author, seq + 1)
    const final = kept === undefined ? null : await this.#counted(author, kept, home.membership.roll)
    if (final === null)
      throw new ConsiliumError({
        code: 'entry-pending',
        message: `${ref}: it is pending, no final head covers it here yet; try again when "consilium log show ${ref}" says that it is final`,
      })
    const hashes = await logs.tree(author).inclusion(seq, final.size)
    const proof = formatTlogProof({ index: seq, hashes, note: final.note })
    return {
      member: author,
      name: this.#daemon.nameOf(author),
      seq,
      size: final.size,
      disputed: seq >= (forks.known.get(author)?.differWithin ?? Number.POSITIVE_INFINITY) - 1,
      fingerprint: fingerprint(home.consortium.founding),
      proof: base64(proof),
      header: base64(headerOf(raw)),
    }
  }

  async *#view(view: ViewName, filter: LogFilter, said: BundleFilter, pace: Pace): AsyncIterable<ViewPart> {
    const { consortium, membership } = this.#daemon.home
    const { name, founding } = consortium
    const roll = new Roll(membership.epochs.map(rollCall))
    const names = new Map(roll.authors.map((author) => [author, membership.nameOf(author)])) // as they are now
    const context = { consortium: name, founding, nameOf: (member: MemberId) => names.get(member) }
    let text = viewHeader(view)
    const counts = { entries: 0, lines: 0 }
    const logs = new Set<MemberId>()
    for (const author of filter.members)
      for (const range of await this.#ranges(author, said.state, roll)) {
        for await (const entry of this.#matching(range, filter, pace)) {
          const lines = linesOf(view, entry, stateUnder(range, entry), context)
          counts.entries++
          counts.lines += lines.length
          logs.add(author)
          text += lines.join('')
          if (text.length < VIEW_CHARACTERS) continue
          yield { text }
          text = ''
        }
      }
    if (text !== '') yield { text }
    yield {
      report: { ...counts, view, consortium: name, fingerprint: fingerprint(founding), filter: said, logs: logs.size },
    }
  }

  async *#run(filter: LogFilter, said: BundleFilter, pace: Pace): AsyncIterable<ExportLine> {
    const { home, forks } = this.#daemon
    const { name, founding } = home.consortium
    const { epochs, records } = home.membership
    // as they are now: one more epoch would change which heads count, one more fork what is disputed
    const [roll, changes] = [new Roll(epochs.map(rollCall)), [...records]]
    const evidence = filter.members.flatMap((author) => forks.known.get(author)?.evidence ?? [])
    const writer = new BundleWriter()
    const made = `${new Date().toISOString().slice(0, 19)}Z`
    const founders = encodeFounding({ name, members: epochs[0]?.members ?? [] })
    yield { line: writer.start({ made, by: home.key.id, founding: founders, filter: said }) }
    for (const record of changes) yield { line: writer.push({ type: 'epoch', record }) }
    const ranges: Range[] = []
    for (const author of filter.members) {
      for (const range of await this.#ranges(author, said.state, roll)) {
        if (!(await this.#hasAny(range, filter, pace))) continue
        ranges.push(range)
        yield { line: writer.push({ type: 'head', note: range.head.note }) }
      }
    }
    for (const one of evidence) yield { line: writer.push({ type: 'fork', evidence: one }) }
    let entries = 0
    for (const [head, range] of ranges.entries()) {
      const tree = this.#daemon.logs.tree(range.author)
      for await (const { seq, raw } of this.#matching(range, filter, pace)) {
        entries++
        yield {
          line: writer.push({ type: 'entry', head, seq, raw, proof: await tree.inclusion(seq, range.head.size) }),
        }
      }
    }
    yield { line: writer.end() }
    const logs = new Set(ranges.map(({ author }) => author)).size
    const counts = { entries, logs, heads: ranges.length, forks: evidence.length }
    yield { report: { consortium: name, founding, fingerprint: fingerprint(founding), filter: said, ...counts } }
  }

  /**
   * What is proven under the newest final head, and what under the newest signed one: none, one or two, as `state` wants them. None
   * of a log that is not here up to its pin, or differs there: no head over it would count.
   */
  async #ranges(author: MemberId, state: BundleFilter['state'], roll: Roll): Promise<Range[]> {
    const newest = this.#daemon.logs.newest(author)
    const pin = roll.pinned(author)
    if (newest === null || (pin !== null && !(await this.#isHere(pin)))) return []
    const final = await this.#finalHere(author, roll, pin)
    const fork = this.#daemon.forks.known.get(author)
    const { size } = newest.log
    const end = state === null || fork === undefined ? size : Math.min(size, fork.differWithin - 1)
    const covered = final?.size ?? 0
    const ranges: Range[] = []
    const forkAt = fork === undefined ? Number.POSITIVE_INFINITY : fork.differWithin - 1
    if (final !== null && state !== 'pending')
      ranges.push({ author, from: 0, to: Math.min(covered, end), head: final, final: true, forkAt })
    if (state !== 'final' && roll.governing(author, size) !== null)
      ranges.push({ author, from: covered, to: end, head: { size, note: newest.note }, final: false, forkAt })
    return ranges.filter(({ from, to }) => from < to)
  }

  /** The newest head whose entries are all here and that verifiers count as final: a kept one at or beyond the pin, or the pin itself. */
  async #finalHere(author: MemberId, roll: Roll, pin: Pin | null): Promise<Note | null> {
    const { logs } = this.#daemon
    const { size } = logs.sizeOf(author)
    let kept = await logs.final(author)
    if (kept !== undefined && kept.size > size) kept = await this.#lastUpTo(author, size)
    if (kept !== undefined && kept.size >= (pin?.size ?? 0)) {
      const counted = await this.#counted(author, kept, roll)
      if (counted !== null) return counted
    }
    return pin === null ? null : this.#atPin(pin, roll)
  }

  /** The head that an epoch's quorum signed, with what cosignatures are kept of it. */
  async #atPin({ author, size }: Pin, roll: Roll): Promise<Note | null> {
    const { logs } = this.#daemon
    const kept = await logs.final(author, size)
    const counted = kept?.size === size ? await this.#counted(author, kept, roll) : null
    if (counted !== null) return counted
    const note = await logs.noteAt(author, size)
    return note === undefined ? null : { size, note }
  }

  /**
   * A kept final head without the cosignatures that do not count. Null where its entries are not all here, where, of a log with two
   * histories, it is of the other one, and where a change of members has left it without a quorum.
   */
  async #counted(author: MemberId, { size, note }: Note, roll: Roll): Promise<Note | null> {
    const { logs, home } = this.#daemon
    const electorate = roll.governing(author, size)
    if (electorate === null || size > logs.sizeOf(author).size) return null
    const { head, cosignatures } = parseCosigned(note, home.consortium.founding)
    const counted = countedOf(cosignatures, electorate)
    if (!roll.isFinal({ author, size, root: rootOf(head) }, counted)) return null
    return equalBytes(head.root, await logs.tree(author).root(size))
      ? { size, note: formatCosigned(head, counted) }
      : null
  }

  async #isHere({ author, size, root }: Pin): Promise<boolean> {
    const { logs } = this.#daemon
    return size <= logs.sizeOf(author).size && equalBytes(fromHex(root), await logs.tree(author).root(size))
  }

  /** The newest kept final head of at most `size` entries, found by halves. */
  async #lastUpTo(author: MemberId, size: number): Promise<Note | undefined> {
    let best: Note | undefined
    for (let [low, high] = [1, size]; low <= high; ) {
      const middle = Math.floor((low + high) / 2)
      const final = await this.#daemon.logs.final(author, middle)
      if (final !== undefined && final.size <= size) {
        best = final
        low = final.size + 1
      } else high = middle - 1
    }
    return best
  }

  async #hasAny(range: Range, filter: LogFilter, pace: Pace): Promise<boolean> {
    for await (const _ of this.#matching(range, filter, pace)) return true
    return false
  }

  /** While one slice is worked on the next is read. */
  async *#matching({ author, from, to }: Range, filter: LogFilter, pace: Pace): AsyncIterable<Entry> {
    const slice = (at: number): Promise<Uint8Array[]> => this.#daemon.logs.entries(author, at, Math.min(to, at + SLICE))
    let ahead = slice(from)
    try {
      for (let at = from; at < to; ) {
        const raws = await ahead
        if (raws.length === 0) throw lacking(this.#daemon.nameOf(author), at)
        if (at + raws.length < to) ahead = slice(at + raws.length)
        ahead.catch(() => undefined) // it is awaited later, or in vain
        for (const raw of raws) {
          const rest = pace.step()
          if (rest !== null) await rest
          const entry = decodeEntry(raw)
          if (entry.author !== author || entry.seq !== at) throw lacking(this.#daemon.nameOf(author), at)
          at++
          if (matches(entry, filter, 'replicated')) yield entry
        }
      }
    } finally {
      await ahead.catch(() => undefined)
    }
  }
}

/** Gives the event loop its turn while long work goes on, and ends the work when nobody waits for it any more. */
class Pace {
  readonly #signal: AbortSignal
  #since = performance.now()

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** Before each small piece of work; what it gives is waited for first. Error: `export-broken-off`. */
  step(): Promise<void> | null {
    if (this.#signal.aborted) {
      const message = 'the daemon is stopping, so the export is not whole: run it again when the daemon is back'
      throw new ConsiliumError({ code: 'export-broken-off', message })
    }
    return performance.now() - this.#since < TURN_MS ? null : this.#rest()
  }

  async #rest(): Promise<void> {
    await setImmediate()
    this.#since = performance.now()
  }
}

/** The filter as the bundle says it. Errors: `bad-kind`, `bad-since`, `study-unknown`. */
function saidOf({ members, kind, study, sinceMs, untilMs, state }: LogFilter, named: boolean): BundleFilter {
  if (kind !== null && !isKindFilter(kind))
    throw refused(
      'bad-kind',
      `--kind: "${kind.slice(0, 80)}" given; words of small letters with dots between them are expected, and commas between several kinds`,
    )
  if (sinceMs !== null && sinceMs > TIME_MS_MAX)
    throw refused('bad-since', '--since: a time before the year 9999 is expected')
  if (untilMs !== null && untilMs > TIME_MS_MAX)
    throw refused('bad-until', '--until: a time before the year 9999 is expected')
  if (sinceMs !== null && untilMs !== null && untilMs <= sinceMs)
    throw refused('bad-until', '--until is not after --since, so no entry could match: turn them round')
  if (study !== null && study.length < 64)
    throw refused(
      'study-unknown',
      `"${study}" is no study known here; give all 64 digits of the digest of one that only entries name`,
    )
  const given = { kind, study: study as StudyId | null, sinceMs, untilMs, state }
  return { members: named ? members : null, ...given }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
