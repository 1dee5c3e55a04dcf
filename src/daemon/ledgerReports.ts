/** Answers about whole logs: heads and how final they are, sizes and kinds, all entries in one order, and what a peer holds. */
import { toHex } from '../core/bytes.ts'
import { compareIds, type MemberId } from '../core/ids.ts'
import { parseCosigned } from '../ledger/cosignature.ts'
import type { Entry } from '../ledger/entry.ts'
import { quorum } from '../ledger/founding.ts'
import type { DiffReport, HeadReport, LogStats, TimelineEntry } from './api.ts'
import type { Daemon } from './daemon.ts'
import { matches, memberOf, readFilter, stateOf } from './logFilter.ts'
import type { LogReader } from './logReader.ts'
import { entriesOf } from './logSlices.ts'

const DAY_MS = 86_400_000
/** An author's clock may be this far from its witnesses' before it is said: LEDGER §6, test 19. */
const SKEW_MS = 300_000

/** Reads what is stored at this node; `diff` alone asks another. Calls may run side by side. */
export class LedgerReports {
  readonly #daemon: Daemon
  readonly #reader: LogReader

  constructor(daemon: Daemon, reader: LogReader) {
    this.#daemon = daemon
    this.#reader = reader
  }

  /** The newest signed head of every log, the newest that is final, and by name the members that cosigned conflicting ones. */
  async heads(): Promise<{ heads: HeadReport[]; quorum: number; members: number; cosignedConflicting: string[] }> {
    const { logs, machine, home, witness } = this.#daemon
    const heads: HeadReport[] = []
    for (const { author, size, root } of logs.sizes()) {
      const final = machine.finality.final(author)
      const { byS } = final === null ? { byS: undefined } : await logs.finalTimes(author, final.size)
      const standing = witness.kept.standingOf(author)
      const kept = standing === null ? undefined : await logs.final(author, standing.size)
      const signed = kept === undefined ? [] : parseCosigned(kept.note, home.consortium.founding).cosignatures
      heads.push({
        member: author,
        name: this.#daemon.nameOf(author),
        size,
        root,
        finalSize: final?.size ?? 0,
        witnessedAtMs: byS === undefined ? null : byS * 1_000,
        witnesses: signed.map(({ witness }) => this.#daemon.nameOf(witness)),
        pinned: final !== null && home.membership.roll.pinned(author)?.size === final.size,
        state: logs.isForked(author) ? 'disputed' : size === 0 ? null : stateOf(this.#daemon, author, size - 1),
        replicas: size === 0 ? 0 : machine.finality.replicas(author, size),
        note: Buffer.from((kept?.size === size ? kept.note : logs.note(author)) ?? []).toString('utf8'),
      })
    }
    const members = home.membership.roll.members.length
    const cosigners = [...this.#daemon.forks.cosigners.known.keys()]
    const cosignedConflicting = cosigners.map((member) => this.#daemon.nameOf(member))
    return { heads, quorum: quorum(members), members, cosignedConflicting }
  }

  /** What each log holds, by kind. */
  async stats(): Promise<{ logs: LogStats[] }> {
    const logs: LogStats[] = []
    for (const author of this.#daemon.logs.authors()) {
      const kinds = new Map<string, { entries: number; bytes: number }>()
      let [bytes, dropped] = [0, 0]
      let [firstMs, lastMs] = [Number.POSITIVE_INFINITY, 0]
      let entries = 0
      for await (const entry of entriesOf(this.#daemon.logs, author, null)) {
        entries++
        bytes += entry.raw.length
        if (entry.body === null) dropped++
        firstMs = Math.min(firstMs, entry.timeMs)
        lastMs = Math.max(lastMs, entry.timeMs)
        const kind = kinds.get(entry.kind) ?? { entries: 0, bytes: 0 }
        kinds.set(entry.kind, { entries: kind.entries + 1, bytes: kind.bytes + entry.raw.length })
      }
      const days = Math.max(1, (lastMs - firstMs) / DAY_MS)
      logs.push({
        member: author,
        name: this.#daemon.nameOf(author),
        entries,
        bytes,
        dropped,
        firstAtMs: entries === 0 ? null : firstMs,
        lastAtMs: entries === 0 ? null : lastMs,
        perDay: entries === 0 ? 0 : entries / days,
        kinds: [...kinds].map(([kind, sums]) => ({ kind, ...sums })).sort((a, b) => b.entries - a.entries),
      })
    }
    return { logs }
  }

  /**
   * All members' entries in one order that every node agrees on: lamport time, then author, then number. The witnesses' time says
   * between which two moments an entry came to be seen by a quorum.
   */
  async timeline(query: URLSearchParams): Promise<{ entries: TimelineEntry[] }> {
    const filter = readFilter(this.#daemon, query)
    let found: Entry[] = []
    for (const member of filter.members) {
      for await (const entry of entriesOf(this.#daemon.logs, member, null))
        if (matches(entry, filter, stateOf(this.#daemon, member, entry.seq))) found.push(entry)
      if (found.length > filter.limit * 4) found = newest(found, filter.limit)
    }
    const entries: TimelineEntry[] = []
    for (const entry of newest(found, filter.limit)) {
      const { beforeS, byS } = await this.#daemon.logs.finalTimes(entry.author, entry.seq + 1)
      const [seenAfterMs, seenByMs] = [beforeS, byS].map((s) => (s === undefined ? null : s * 1_000)) as [
        number | null,
        number | null,
      ]
      const skewMs = skewOf(entry.timeMs, seenAfterMs, seenByMs)
      entries.push({ ...this.#reader.report(entry), lamport: entry.lamport, seenAfterMs, seenByMs, skewMs })
    }
    return { entries }
  }

  /** Asks `peer` what it holds of every log, and compares. Errors: `member-unknown`, those of the stream. */
  async diff(given: string, signal: AbortSignal): Promise<{ peer: string; logs: DiffReport[] }> {
    const { logs } = this.#daemon
    const peer = memberOf(this.#daemon, given)
    const theirs = new Map((await logs.askHeads(peer, signal)).map(({ log }) => [log.author, log]))
    const compared: DiffReport[] = []
    for (const { author, size, root } of logs.sizes()) {
      const there = theirs.get(author)
      const common = Math.min(size, there?.size ?? 0)
      const agrees = await this.#agrees(author, there, { size, root })
      compared.push({
        member: author,
        name: this.#daemon.nameOf(author),
        here: size,
        there: there?.size ?? 0,
        common,
        agrees,
      })
    }
    return { peer: this.#daemon.nameOf(peer), logs: compared }
  }

  /** Null where only the other could tell: its log is longer than ours. */
  async #agrees(
    author: MemberId,
    there: { readonly size: number; readonly root: string } | undefined,
    here: { readonly size: number; readonly root: string },
  ): Promise<boolean | null> {
    if (there === undefined || here.size === 0) return true
    if (there.size > here.size) return null
    if (there.size === here.size) return there.root === here.root
    return toHex(await this.#daemon.logs.tree(author).root(there.size)) === there.root
  }
}

/** By how much an author's clock lies outside what its witnesses saw, with its sign; null where it does not, or nobody saw. */
export function skewOf(timeMs: number, seenAfterMs: number | null, seenByMs: number | null): number | null {
  if (seenByMs !== null && timeMs > seenByMs + SKEW_MS) return timeMs - seenByMs
  if (seenAfterMs !== null && timeMs < seenAfterMs - SKEW_MS) return timeMs - seenAfterMs
  return null
}

function newest(entries: readonly Entry[], limit: number): Entry[] {
  const sorted = [...entries].sort((a, b) => a.lamport - b.lamport || compareIds(a.author, b.author) || a.seq - b.seq)
  return limit === 0 ? [] : sorted.slice(-limit)
}
