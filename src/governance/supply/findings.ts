/** What is wrong with the way of a thing, as the members tell it: gaps, duplicates, temperatures, what came after the end. */
import type { BizStep } from '../../core/cbv.ts'
import type { Gs1Key } from '../../core/gs1.ts'
import type { SupplyBook } from './book.ts'
import { type EventNumber, type Happening, ROLES } from './happening.ts'
import { isSingle, type Thing } from './keys.ts'
import type { Range } from './products.ts'
import type { Recall } from './recalls.ts'
import { newsIn } from './stays.ts'
import type { Step, Way } from './trace.ts'

/** In the order of how soon a person should look. */
export const FINDINGS = {
  'after-end': 'seen again after it was dispensed, destroyed or decommissioned',
  'commissioned-twice': 'the same serial number was put into the world twice',
  'two-places': 'at two places within a minute',
  'recalled-received': 'received after the time of its recall',
  'recalled-dispensed': 'dispensed after the time of its recall',
  'expired-dispensed': 'dispensed after its expiry',
  excursion: 'too warm or too cold',
  alarm: 'a sensor raised its alarm',
  'never-received': 'shipped, and then seen elsewhere without having been received',
  'never-shipped': 'received, though nobody had shipped it from where it was',
  moved: 'seen at another member’s place, and nobody had shipped it',
  'before-commissioning': 'seen before it was commissioned',
  overdue: 'shipped, and not received since',
} as const
export type FindingCode = keyof typeof FINDINGS

/** One finding: at which event, and which one before it it does not fit. */
export interface Finding {
  readonly code: FindingCode
  readonly event: Happening
  readonly before: Happening | null
  /** Thousandths of a degree Celsius; null elsewhere. */
  readonly milliCelsius: number | null
}

/** What a way is held against. `rangeAt`: between which temperatures the thing was to be kept then. */
export interface Limits {
  readonly rangeAt: (event: Happening) => Range
  readonly overdueMs: number
  readonly nowMs: number
}

/** What there is to say of a way whatever the limits are, as long as no more is told of it. */
export interface Look {
  readonly findings: readonly Finding[]
  /** The event since which it is under way, or null. */
  readonly underWay: Happening | null
  /** Events that count: neither in error, nor told before by another. */
  readonly counted: readonly Step[]
}

/** Where a thing is, as far as anybody has said. */
export interface Standing {
  readonly state: 'here' | 'under-way' | 'ended' | 'used' | 'unknown'
  readonly place: Gs1Key | null
  /** Of one that is under way. */
  readonly towards: Gs1Key | null
  /** The event that says so. */
  readonly since: Happening | null
}

const steps = (...names: readonly BizStep[]): ReadonlySet<BizStep | null> => new Set<BizStep | null>(names)
const SENT = steps('shipping', 'departing', 'consigning')
const RECEIVED = steps('receiving', 'arriving', 'accepting', 'unloading')
const ON_THE_WAY = steps('loading', 'transporting', 'staging_outbound', 'sensor_reporting', 'entering_exiting')
const ENDED = steps('decommissioning', 'destroying', 'killing')
const GIVEN_OUT = steps('dispensing', 'retail_selling')
const MAKING = steps('commissioning', 'creating_class_instance')
const TWO_PLACES_MS = 60_000 // clocks of two members agree to this; goods need longer
const DAY_MS = 86_400_000

/** Recalls that reached what a way is of, at one of its events. */
export type RecallsAt = (event: Happening) => readonly Recall[]

/** Holds one way against what should be. */
export function examine(book: SupplyBook, way: Way, limits: Limits, recallsAt: RecallsAt): Finding[] {
  const { findings, underWay, counted } = lookAt(book, way, recallsAt)
  const late = underWay !== null && isOverdue(underWay, limits) ? [findingAt('overdue', underWay)] : []
  const outside = counted.flatMap(({ event }) => (event.low === null ? [] : excursions(event, limits.rangeAt(event))))
  return [...findings, ...late, ...outside].sort(
    (a, b) => ORDER[a.code] - ORDER[b.code] || book.compare(a.event.number, b.event.number),
  )
}

/** What a way itself says. Of the same event told by two members the first counts. */
export function lookAt(book: SupplyBook, way: Way, recallsAt: RecallsAt): Look {
  const counted = countedOf(book, way)
  const findings: Finding[] = []
  const add: Add = (code, event, before = null, milliCelsius = null) =>
    findings.push(findingAt(code, event, before, milliCelsius))
  custodyOf(book, way, counted, add)
  const expiry = expiryOf(counted)
  for (const { event } of counted) {
    const { high, alarm, expires, timeMs } = event
    if (alarm) add('alarm', event, null, high)
    const isRecalled = (): boolean => recallsAt(event).some((one) => one.timeMs < timeMs)
    if (RECEIVED.has(event.step) && isRecalled()) add('recalled-received', event)
    if (!isGivenOut(event)) continue
    if (isRecalled()) add('recalled-dispensed', event)
    const until = expires ?? expiry
    if (until !== null && timeMs >= (until + 1) * DAY_MS) add('expired-dispensed', event)
  }
  const { state, since } = standingIn(book, way, counted)
  return { findings, underWay: state === 'under-way' ? since : null, counted }
}

/** Whether what was shipped by that event should have come by now. */
export function isOverdue(
  { timeMs }: Pick<Happening, 'timeMs'>,
  { nowMs, overdueMs }: Omit<Limits, 'rangeAt'>,
): boolean {
  return nowMs - timeMs > overdueMs
}

/** What of an event's temperatures lies outside. */
export function excursions(event: Happening, range: Range): Finding[] {
  const { low, high } = event
  const isCold = low !== null && range.low !== null && low < range.low
  const isWarm = high !== null && range.high !== null && high > range.high
  return [
    ...(isCold ? [findingAt('excursion', event, null, low)] : []),
    ...(isWarm ? [findingAt('excursion', event, null, high)] : []),
  ]
}

/** Findings are told in this order. */
export const ORDER = Object.fromEntries(Object.keys(FINDINGS).map((code, i) => [code, i])) as Readonly<
  Record<FindingCode, number>
>

function findingAt(
  code: FindingCode,
  event: Happening,
  before: Happening | null = null,
  milliCelsius: number | null = null,
): Finding {
  return { code, event, before, milliCelsius }
}

/** Where a thing is now. */
export function standingOf(book: SupplyBook, way: Way): Standing {
  return standingIn(book, way, countedOf(book, way))
}

type Add = (code: FindingCode, event: Happening, before?: Happening | null, milliCelsius?: number | null) => void

/** Who had it, from event to event. Single things only: of a lot there may be any at many places. */
function custodyOf(book: SupplyBook, way: Way, counted: readonly Step[], add: Add): void {
  if (!isSingle(book.keyOf(way.thing))) return
  let made: Happening | null = null
  let sent: Happening | null = null
  let ended: Happening | null = null
  let last: Happening | null = null
  for (const { event, within } of counted) {
    const own = within.length === 0
    if (own && isMade(event) && isGoodsOf(book, event.number, way)) {
      if (made !== null) {
        add('commissioned-twice', event, made)
        continue // of another thing with the same number: where that is says nothing of this one
      }
      if (last !== null) add('before-commissioning', last, event)
      made = event
    }
    if (ended !== null && !mayFollowEnd(event)) add('after-end', event, ended)
    if (sent !== null && !isOnTheWay(event)) {
      if (!RECEIVED.has(event.step) && event.step !== 'void_shipping' && siteOf(event) !== siteOf(sent))
        add('never-received', event, sent)
    } else if (sent === null && last !== null && isElsewhere(event, last)) {
      if (event.timeMs - last.timeMs < TWO_PLACES_MS) add('two-places', event, last)
      else if (RECEIVED.has(event.step)) add('never-shipped', event, last)
      else if (event.author !== last.author) add('moved', event, last)
    }
    if (SENT.has(event.step)) sent ??= event
    else if (sent !== null && !isOnTheWay(event)) sent = null
    if (own && isEnd(event)) ended ??= event
    if (siteOf(event) !== null) last = event
  }
}

function standingIn(book: SupplyBook, { thing }: Way, counted: readonly Step[]): Standing {
  let [state, place, since]: [Standing['state'], Gs1Key | null, Happening | null] = ['unknown', null, null]
  const isOne = isSingle(book.keyOf(thing))
  for (const { event, within } of counted) {
    const own = within.length === 0
    place = event.location ?? event.readPoint ?? place
    if (own && isOne && isUsed(book, event, thing)) [state, since] = ['used', event]
    else if (own && isEnd(event)) [state, since] = ['ended', event]
    else if (SENT.has(event.step)) [state, since] = ['under-way', event]
    else if (state === 'under-way' && isOnTheWay(event)) continue
    else if (place !== null) [state, since] = ['here', event]
  }
  const towards = state === 'under-way' ? (since?.destination ?? null) : null
  return { state, place: state === 'unknown' ? null : place, towards, since }
}

function isUsed(book: SupplyBook, { type, number }: Happening, thing: Thing): boolean {
  return type === 'transformation' && book.namedIn(number, ROLES.item).some((one) => one.thing === thing)
}

/** What is not in error, and of the same event told twice the first. */
function countedOf(book: SupplyBook, { steps }: Way): Step[] {
  const isNews = newsIn(book)
  return steps.filter(({ event, inError }) => !inError && isNews(event.number))
}

/** A GLN without its extension: doors of one house are one place. */
const siteOf = ({ location, readPoint }: Happening): string | null => (location ?? readPoint)?.slice(0, 17) ?? null

function isElsewhere(event: Happening, last: Happening): boolean {
  const [here, there] = [siteOf(event), siteOf(last)]
  return here !== null && there !== null && here !== there
}

const isOnTheWay = ({ step }: Happening): boolean => step === null || ON_THE_WAY.has(step) || SENT.has(step)

const isMade = ({ type, action, step }: Happening): boolean =>
  (type === 'object' && action === 'add') || (type === 'transformation' && !ENDED.has(step)) || MAKING.has(step)

/** Put into the world by it: not the lot that it names, nor an input. */
function isGoodsOf(book: SupplyBook, event: EventNumber, { thing }: Way): boolean {
  const made = book.at(event).type === 'transformation' ? 1 : 0
  return book.namedIn(event).some((one) => one.thing === thing && one.role === made)
}

const isGivenOut = ({ step, disposition }: Happening): boolean =>
  GIVEN_OUT.has(step) && disposition !== 'partially_dispensed' && disposition !== 'returned'

const isEnd = (event: Happening): boolean =>
  ENDED.has(event.step) || (event.type === 'object' && event.action === 'delete') || isGivenOut(event)

/** What was given out may come back, or be destroyed. */
const mayFollowEnd = ({ step, disposition, action }: Happening): boolean =>
  ENDED.has(step) || disposition === 'returned' || step === 'sensor_reporting' || action === 'delete'

function expiryOf(counted: readonly Step[]): number | null {
  return counted.find(({ event }) => event.expires !== null)?.event.expires ?? null
}
