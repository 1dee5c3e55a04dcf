/** Answers `consilium log export` and `log proof`: entries with their proofs under signed heads, for whoever has no node. */
import { setImmediate } from 'node:timers/promises'
import { equalBytes } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { type BundleFilter, BundleWriter, KIND_FILTER } from '../ledger/bundle.ts'
import { parseCosigned } from '../ledger/cosignature.ts'
import { decodeEntry, type Entry, headerOf, TIME_MS_MAX } from '../ledger/entry.ts'
import { encodeFounding, fingerprint } from '../ledger/founding.ts'
import type { Final } from '../ledger/store.ts'
import { formatTlogProof } from '../ledger/tlogProof.ts'
import type { ExportLine, ProofReport } from './api.ts'
import type { Daemon } from './daemon.ts'
import { type LogFilter, matches, readFilter } from './logFilter.ts'
import type { LogReader } from './logReader.ts'

const SLICE = 100 // entries read at a time: 6.5 MB, were each as large as one may be
const TURN_MS = 2 // of work on end; the dearest single step, 256 leaf hashes for a proof, takes about as long again

/** Entries `from` ≤ seq < `to` of one log, all proven under one head. */
interface Range {
  readonly author: MemberId
  readonly from: number
  readonly to: number
  readonly head: { readonly size: number; readonly note: Uint8Array }
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

  /** One entry's place under the first final head that covers it. Errors: `entry-pending`, those of `LogReader.find`. */
  async prove(ref: string): Promise<ProofReport> {
    const { logs, forks, home } = this.#daemon
    const { author, seq, raw } = await this.#reader.find(ref)
    const final = await this.#finalHere(author, seq + 1)
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

  async *#run(filter: LogFilter, said: BundleFilter, pace: Pace): AsyncIterable<ExportLine> {
    const { home, forks } = this.#daemon
    const { name, founding } = home.consortium
    const writer = new BundleWriter()
    const made = `${new Date().toISOString().slice(0, 19)}Z`
    yield { line: writer.start({ made, by: home.key.id, founding: encodeFounding(home.consortium), filter: said }) }
    const evidence = filter.members.flatMap((author) => forks.known.get(author)?.evidence ?? []) // as it is now: one more would change what is disputed
    const ranges: Range[] = []
    for (const author of filter.members) {
      for (const range of await this.#ranges(author, said.state)) {
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

  /** What is proven under the newest final head, and what under the newest signed one: none, one or two, as `state` wants them. */
  async #ranges(author: MemberId, state: BundleFilter['state']): Promise<Range[]> {
    const newest = this.#daemon.logs.newest(author)
    if (newest === null) return []
    const final = await this.#finalHere(author)
    const fork = this.#daemon.forks.known.get(author)
    const { size } = newest.log
    const end = state === null || fork === undefined ? size : Math.min(size, fork.differWithin - 1)
    const covered = final?.size ?? 0
    const ranges: Range[] = []
    if (final !== null && state !== 'pending') ranges.push({ author, from: 0, to: Math.min(covered, end), head: final })
    if (state !== 'final') ranges.push({ author, from: covered, to: end, head: { size, note: newest.note } })
    return ranges.filter(({ from, to }) => from < to)
  }

  /**
   * The smallest kept final head over at least `least` entries, the newest where none is given, whose entries are all here. A final head
   * may come before its entries do, and, of a log with two histories, be of the one that is not here.
   */
  async #finalHere(author: MemberId, least?: number): Promise<Omit<Final, 'timeS'> | null> {
    const { logs, home } = this.#daemon
    const { size } = logs.sizeOf(author)
    let found = await logs.final(author, least)
    if (least === undefined && found !== undefined && found.size > size) found = await this.#lastUpTo(author, size)
    if (found === undefined || found.size > size) return null
    const { head } = parseCosigned(found.note, home.consortium.founding)
    return equalBytes(head.root, await logs.tree(author).root(found.size)) ? found : null
  }

  /** The newest kept final head of at most `size` entries, found by halves. */
  async #lastUpTo(author: MemberId, size: number): Promise<Omit<Final, 'timeS'> | undefined> {
    let best: Omit<Final, 'timeS'> | undefined
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

  async *#matching({ author, from, to }: Range, filter: LogFilter, pace: Pace): AsyncIterable<Entry> {
    for (let at = from; at < to; ) {
      const raws = await this.#daemon.logs.entries(author, at, Math.min(to, at + SLICE))
      if (raws.length === 0) throw this.#lost(author, at)
      for (const raw of raws) {
        await pace.step()
        const entry = decodeEntry(raw)
        if (entry.author !== author || entry.seq !== at) throw this.#lost(author, at)
        at++
        if (matches(entry, filter, 'replicated')) yield entry
      }
    }
  }

  #lost(author: MemberId, seq: number): ConsiliumError {
    const name = this.#daemon.nameOf(author)
    return new ConsiliumError({
      code: 'database-corrupt',
      message: `the log of ${name} lacks entry ${seq} here: see "consilium log verify"`,
    })
  }
}

/** Gives the event loop its turn while long work goes on, and ends the work when nobody waits for it any more. */
class Pace {
  readonly #signal: AbortSignal
  #since = performance.now()

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** Before each small piece of work. Error: `export-broken-off`. */
  async step(): Promise<void> {
    if (performance.now() - this.#since >= TURN_MS) {
      await setImmediate()
      this.#since = performance.now()
    }
    if (!this.#signal.aborted) return
    const message = 'the daemon is stopping, so the export is not whole: run it again when the daemon is back'
    throw new ConsiliumError({ code: 'export-broken-off', message })
  }
}

/** The filter as the bundle says it. Errors: `bad-kind`, `bad-since`, `study-unknown`. */
function saidOf({ members, kind, study, sinceMs, state }: LogFilter, named: boolean): BundleFilter {
  if (kind !== null && !KIND_FILTER.test(kind))
    throw refused(
      'bad-kind',
      `--kind: "${kind.slice(0, 80)}" given; words of small letters with dots between them are expected`,
    )
  if (sinceMs !== null && sinceMs > TIME_MS_MAX)
    throw refused('bad-since', '--since: a time before the year 9999 is expected')
  if (study !== null && study.length < 64)
    throw refused(
      'study-unknown',
      `"${study}" is no study known here; give all 64 digits of the digest of one that only entries name`,
    )
  const given = { kind, study: study as StudyId | null, sinceMs, untilMs: null, state }
  return { members: named ? members : null, ...given }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
