/** Which entries a bundle lacks although its filter takes them: what can be told of that from the places of those that are there. */
import type { MemberId } from '../core/ids.ts'
import type { BundleFilter } from '../ledger/bundle.ts'
import type { BundledLog } from '../ledger/bundleVerdict.ts'
import type { Entry } from '../ledger/entry.ts'

type Last = Pick<Entry, 'seq' | 'timeMs'>

const GAPS_MAX = 20 // that are told one by one
const CLOCK_SLACK_MS = 60_000 // entries are not in order of their times, and a clock that is corrected goes back: by less than this

/** Entries `from` ≤ seq < `to` of one log, which are not there. */
export interface Gap {
  readonly name: string
  readonly from: number
  readonly to: number
}

/** Whether a gap between entries shows that something was left out: of an entry that is not there nobody knows its kind or its study. */
export function showsGaps({ kind, study }: BundleFilter): boolean {
  return kind === null && study === null
}

/** Takes a bundle's entries in their order; `ended` when all have come. */
export class LeftOut {
  /** The first ones found; those at the ends of logs come last. */
  readonly gaps: Gap[] = []
  /** Entries in all gaps. */
  entries = 0
  readonly #logs = new Map<MemberId, Last>()

  take({ author, seq, timeMs }: Entry, filter: BundleFilter, name: string): void {
    const last = this.#logs.get(author)
    this.#logs.set(author, { seq, timeMs })
    if (!showsGaps(filter)) return
    if (last !== undefined) {
      if (isWithin(filter, last.timeMs) && isWithin(filter, timeMs)) this.#add(name, last.seq + 1, seq)
    } else if (beginsAtZero(filter) && isWithin(filter, timeMs)) this.#add(name, 0, seq)
  }

  /** Now the ends of the logs: up to where the filter takes all of them. */
  ended(filter: BundleFilter, logs: readonly BundledLog[]): void {
    if (!showsGaps(filter) || filter.untilMs !== null) return
    for (const log of logs) {
      if (filter.members?.includes(log.member) === false) continue
      const last = this.#logs.get(log.member)
      if (last === undefined ? beginsAtZero(filter) : isWithin(filter, last.timeMs))
        this.#add(log.name, last === undefined ? 0 : last.seq + 1, endOf(filter, log))
    }
  }

  #add(name: string, from: number, to: number): void {
    if (from >= to) return
    this.entries += to - from
    if (this.gaps.length < GAPS_MAX) this.gaps.push({ name, from, to })
  }
}

/** Where pending entries begin, or those of a time, no entry that is absent tells. */
function beginsAtZero({ state, sinceMs }: BundleFilter): boolean {
  return (state === null || state === 'final') && sinceMs === null
}

/** Exporters leave out what is disputed where one state is asked for. */
function endOf({ state }: BundleFilter, { size, finalSize, forkSize }: BundledLog): number {
  if (state === null) return size
  return Math.min(state === 'final' ? finalSize : size, forkSize === null ? size : forkSize - 1)
}

/** Whether a time lies so far within the filter's that its neighbours in the log do as well. */
function isWithin({ sinceMs, untilMs }: BundleFilter, timeMs: number): boolean {
  const late = sinceMs === null || timeMs >= sinceMs + CLOCK_SLACK_MS
  return late && (untilMs === null || timeMs < untilMs - CLOCK_SLACK_MS)
}
