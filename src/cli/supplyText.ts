/** How goods, recalls and temperatures are shown to people. */
import type { Gs1Key } from '../core/gs1.ts'
import type { SupplyRangeReport, SupplyRecallLine, SupplyStandingReport } from '../daemon/supplyApi.ts'
import { isSingle } from '../governance/supply/keys.ts'
import { utc } from './output.ts'

/** Lines of a list on a screen; --json has a thousand. */
export const SHOWN_MAX = 40
/** How a thing is named on the command line. */
export const ITEM =
  'what is on the label, "(01)…(21)…", "(01)…(10)…" for a lot, "(00)…"; or an EPC URN, or a GS1 Digital Link'
/** Below everything that logs say of goods. */
export const DECLARED = 'As declared by the members in their logs.'

/** As on a label: `(01)09506000134352(21)A7`. */
export function label(key: string): string {
  const split =
    /^(01)\/(\d{14})(?:\/(21|10)\/(.*))?$|^(414)\/(\d{13})(?:\/(254)\/(.*))?$|^(00|417|8003|8004)\/(.*)$/.exec(key)
  if (split === null) return key
  const parts = split.slice(1).filter((part) => part !== undefined)
  return parts.map((part, i) => (i % 2 === 0 ? `(${part})` : part)).join('')
}

/** A recall as one member says it, without what it is of. */
export function recallText({
  class: level,
  reason,
  by,
  entry,
  timeMs,
  lifted,
}: Omit<SupplyRecallLine, 'item'>): string {
  const back =
    lifted === null ? '' : `; taken back in ${lifted.entry}${lifted.final ? '' : ', which counts when it is final'}`
  return `class ${level}, ${reason}, by ${by}, ${utc(timeMs)} (${entry})${back}`
}

/** Where something is now; of a lot or product, where some of it was told of last. */
export function standingText(standing: SupplyStandingReport, item: string): string {
  const { state, place, towards, sinceMs, by, entry } = standing
  if (state === 'unknown' || sinceMs === null) return 'nobody says where'
  const where = label(place ?? 'no place')
  const words = {
    here: `at ${where}`,
    'under-way': `under way from ${where}${towards === null ? '' : ` to ${label(towards)}`}`,
    ended: `given out or destroyed at ${where}`,
    used: `used up at ${where}`,
  }
  return `${isSingle(item as Gs1Key) ? '' : 'some '}${words[state]} since ${utc(sinceMs)}, ${by} (${entry})`
}

/** What members declare of a product's temperatures. `of`: what is shown, where the product need not be named again. */
export function rangeLines(title: string, range: SupplyRangeReport, of: string | null): string[] {
  const { item, low, high, differ, isEmpty, declared } = range
  const name = of?.startsWith(item) ? '' : `${label(item)}  `
  const said = declared.map((one) => {
    const [is, counts] = [degrees(one.low, one.high), one.final || (one.low === low && one.high === high)]
    return `${is}, by ${one.by} (${one.entry}${counts ? '' : '; counts in full when it is final'})`
  })
  if (isEmpty) return [`${title}${name}MEMBERS CONTRADICT EACH OTHER, no temperature is right: ${said.join('; ')}`]
  if (differ) return [`${title}${name}MEMBERS DIFFER, ${degrees(low, high)} counts: ${said.join('; ')}`]
  const [one] = declared
  const isPlain = declared.length === 1 && one?.low === low && one.high === high
  return [`${title}${name}${isPlain ? '' : `${degrees(low, high)} counts: `}${said.join('; ')}`]
}

function degrees(low: number | null, high: number | null): string {
  if (low === null && high === null) return 'taken back'
  if (low === null) return `at most ${high} °C`
  return high === null ? `at least ${low} °C` : `${low} to ${high} °C`
}
