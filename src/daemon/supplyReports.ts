/** Goods, findings and recalls as the control API answers them: with names instead of keys, in degrees Celsius. */
import type { MemberId } from '../core/ids.ts'
import type { SupplyBook } from '../governance/supply/book.ts'
import { FINDINGS, type Finding, type Standing } from '../governance/supply/findings.ts'
import type { Happening } from '../governance/supply/happening.ts'
import type { Thing } from '../governance/supply/keys.ts'
import type { ProductRange } from '../governance/supply/products.ts'
import type { Recall, RecallList } from '../governance/supply/recalls.ts'
import type { Step } from '../governance/supply/trace.ts'
import type { Daemon } from './daemon.ts'
import { stateOf } from './logFilter.ts'
import { refOf } from './models.ts'
import type {
  SupplyFindingReport,
  SupplyListLine,
  SupplyRangeReport,
  SupplyRecallLine,
  SupplyStandingReport,
  SupplyStepReport,
} from './supplyApi.ts'

const LIST_DIGITS = 16 // of a list's digest, as people type it

/** One event on a way. */
export function stepReport(daemon: Daemon, book: SupplyBook, { event, within, inError }: Step): SupplyStepReport {
  const { timeMs, type, action, step, disposition, location, readPoint, destination, low, high } = event
  return {
    ...{ timeMs, type, action, step, disposition, place: location ?? readPoint, destination, inError },
    ...{ low: celsiusOf(low), high: celsiusOf(high), ...toldBy(daemon, event) },
    state: stateOf(daemon, event.author, event.seq),
    within: within.map((one) => book.keyOf(one)),
  }
}

/** One finding, of one thing. */
export function findingReport(daemon: Daemon, book: SupplyBook, thing: Thing, found: Finding): SupplyFindingReport {
  const { code, event, before, milliCelsius } = found
  const of = (one: Happening) => ({ timeMs: one.timeMs, place: one.location ?? one.readPoint, ...toldBy(daemon, one) })
  const item = book.keyOf(thing)
  return {
    code,
    says: FINDINGS[code],
    item,
    ...of(event),
    before: before === null ? null : of(before),
    celsius: celsiusOf(milliCelsius),
  }
}

/** Where something is now. */
export function standingReport(daemon: Daemon, { state, place, towards, since }: Standing): SupplyStandingReport {
  const told = since === null ? { by: null, entry: null } : toldBy(daemon, since)
  return { state, place, towards, sinceMs: since?.timeMs ?? null, ...told }
}

/** A recall as one member says it. */
export function lineOf(
  daemon: Daemon,
  { item, author, seq, timeMs, reason, class: level, liftedBy }: Recall,
): SupplyRecallLine {
  const final = liftedBy !== null && liftedBy < daemon.supply.final(author)
  return {
    ...{ item, reason, class: level, timeMs, ...toldBy(daemon, { author, seq }), stands: !final },
    lifted: liftedBy === null ? null : { entry: refOf(daemon, author, liftedBy), final },
  }
}

function toldBy(daemon: Daemon, { author, seq }: { author: MemberId; seq: number }): { by: string; entry: string } {
  return { by: daemon.nameOf(author), entry: refOf(daemon, author, seq) }
}

const celsiusOf = (milli: number | null): number | null => (milli === null ? null : milli / 1_000)

/** A recall of many. */
export function listLine(daemon: Daemon, held: RecallList): SupplyListLine {
  const { list, author, seq, timeMs, reason, class: level, slices, missing, items, differs, liftedBy } = held
  const final = liftedBy !== null && liftedBy < daemon.supply.final(author)
  return {
    ...{ list: list.slice(0, LIST_DIGITS), digest: list, reason, class: level, timeMs, slices, items, differs },
    ...{ missing: missing.map((slice) => slice + 1), stands: !final, ...toldBy(daemon, { author, seq }) },
    lifted: liftedBy === null ? null : { entry: refOf(daemon, author, liftedBy), final },
  }
}

/** Whether text is how `listLine` names a list. */
export function isListName(given: string): boolean {
  return new RegExp(`^[0-9a-f]{${LIST_DIGITS}}$`).test(given)
}

/** What members declare of a product. */
export function rangeReport(daemon: Daemon, { item, low, high, differ, declared }: ProductRange): SupplyRangeReport {
  return {
    ...{ item, low: celsiusOf(low), high: celsiusOf(high), differ },
    isEmpty: low !== null && high !== null && low > high,
    declared: declared.map((one) => ({
      ...{ low: celsiusOf(one.low), high: celsiusOf(one.high), timeMs: one.timeMs, final: one.final },
      ...toldBy(daemon, one),
    })),
  }
}
