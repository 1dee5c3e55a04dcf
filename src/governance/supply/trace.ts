/** The way of one thing: its own events, and those of what it lay in meanwhile, box in pallet in truck. */
import type { SupplyBook } from './book.ts'
import { type EventNumber, type Happening, ROLES } from './happening.ts'
import type { Thing } from './keys.ts'

/** One event on the way; `within`: what it happened to, from the outermost, where that was not the thing itself. */
export interface Step {
  readonly event: Happening
  readonly within: readonly Thing[]
  /** Taken back by a later word of its author: shown, and not counted. */
  readonly inError: boolean
}

/** That a thing lay in another, from one event up to another. */
export interface Stay {
  readonly container: Thing
  readonly from: EventNumber
  /** Null: until now. */
  readonly to: EventNumber | null
}

/** Everything that is told of one thing. */
export interface Way {
  readonly thing: Thing
  /** In the canonical order. */
  readonly steps: readonly Step[]
  /** What it lies in now, from the innermost. */
  readonly inside: readonly Thing[]
  /** What it was made of and what was made of it, one step away each. */
  readonly madeFrom: readonly Thing[]
  readonly madeInto: readonly Thing[]
  /** More events than are followed. */
  readonly cut: boolean
}

/** How deep boxes lie in each other. */
export const DEPTH_MAX = 16 // pack, bundle, case, pallet, container, ship; more is a mistake, or a circle
const CONTENTS_MAX = 100_000 // packs of a ship's container
const STEPS_MAX = 10_000 // events of one way: nobody reads more, and each takes microseconds
const LEGS_MAX = 10_000 // stays of one way, in boxes in boxes: whoever writes more wants to keep others busy

/** All events of a thing's way, in the canonical order. */
export function wayOf(book: SupplyBook, thing: Thing): Way {
  const steps = new Map<EventNumber, Step>()
  const cut = walk({ book, steps, stays: new Map(), legs: 0 }, { thing, within: [], from: null, to: null })
  const made = (role: typeof ROLES.item | typeof ROLES.output, other: typeof role): Thing[] => {
    const events = book.namingsOf(thing).filter((one) => one.role === role && isMaking(book, one.event))
    return [...new Set(events.flatMap(({ event }) => book.namedIn(event, other).map((one) => one.thing)))]
  }
  return {
    thing,
    steps: [...steps.values()].sort((a, b) => book.compare(a.event.number, b.event.number)),
    inside: containersOf(book, thing),
    madeFrom: made(ROLES.output, ROLES.item),
    madeInto: made(ROLES.item, ROLES.output),
    cut,
  }
}

/** When boxes were emptied: of each that is come by. */
type Emptyings = Map<Thing, readonly EventNumber[]>

/** Where a thing lay, and when. What is packed elsewhere without being taken out first was taken out. */
function staysOf(book: SupplyBook, thing: Thing, emptyings: Emptyings = new Map()): Stay[] {
  const stays: Stay[] = []
  let open: { container: Thing; from: EventNumber } | null = null
  const close = (to: EventNumber): void => {
    if (open !== null) stays.push({ ...open, to: emptiedBefore(book, emptyings, open, to) ?? to })
    open = null
  }
  for (const { event, role } of book.namingsOf(thing)) {
    if (role !== ROLES.item || !isPacking(book, event) || book.isInError(event)) continue
    const container = book.parentIn(event)
    const { action } = book.at(event)
    if (action === 'delete') close(event)
    if (action !== 'add' || container === null) continue
    close(event)
    open = { container, from: event }
  }
  if (open !== null) stays.push({ ...(open as Stay), to: emptiedBefore(book, emptyings, open, null) })
  return stays
}

/** What a thing lies in now, from the innermost. */
export function containersOf(book: SupplyBook, thing: Thing): Thing[] {
  const found: Thing[] = []
  for (let at: Thing | undefined = thing; at !== undefined && found.length < DEPTH_MAX; ) {
    const last: Stay | undefined = staysOf(book, at).at(-1)
    at = last?.to === null && !found.includes(last.container) && last.container !== thing ? last.container : undefined
    if (at !== undefined) found.push(at)
  }
  return found
}

/** What ever lay in a thing, also in boxes in it, each once; not more than can be told apart of one truck. */
export function contentsEver(book: SupplyBook, container: Thing): Thing[] {
  const found = new Set<Thing>([container])
  for (const one of found) for (const child of childrenOf(book, one)) if (found.size < CONTENTS_MAX) found.add(child)
  found.delete(container)
  return [...found]
}

/** What lay in a thing at an event that it went through; `looked`: of so many things it was found out. */
export function contentsAt(
  book: SupplyBook,
  container: Thing,
  event: EventNumber,
): { readonly contents: Thing[]; readonly looked: number } {
  const found = new Set<Thing>([container])
  const emptyings: Emptyings = new Map() // of a box once, and not for each thing in it
  let looked = 0
  for (const one of found)
    for (const child of childrenOf(book, one)) {
      looked++
      if (found.size >= CONTENTS_MAX || found.has(child)) continue
      const stays = staysOf(book, child, emptyings)
      if (stays.some((stay) => stay.container === one && isWithin(book, event, stay))) found.add(child)
    }
  found.delete(container)
  return { contents: [...found], looked }
}

interface Leg {
  readonly thing: Thing
  readonly within: readonly Thing[]
  readonly from: EventNumber | null
  readonly to: EventNumber | null
}

/** What is found on the way. `stays`: of each thing once, however often it is come by. */
interface Walk {
  readonly book: SupplyBook
  readonly steps: Map<EventNumber, Step>
  readonly stays: Map<Thing, readonly Stay[]>
  legs: number
}

/** Adds the events of one leg, then those of what it lay in; true where there are too many. */
function walk(on: Walk, leg: Leg): boolean {
  const { book, steps } = on
  const { thing, within, from, to } = leg
  if (++on.legs > LEGS_MAX) return true
  const namings = book.namingsOf(thing)
  for (let i = firstAfter(book, namings, from, ({ event }) => event); i < namings.length; i++) {
    const { event, role } = namings[i] as (typeof namings)[number]
    if (to !== null && book.compare(event, to) >= 0) break
    if (steps.has(event)) continue
    // that others went into the same box, or came out, is no event of this one
    if (within.length > 0 && role === ROLES.parent && isPacking(book, event)) continue
    if (steps.size >= STEPS_MAX) return true
    steps.set(event, { event: book.at(event), within, inError: book.isInError(event) })
  }
  if (within.length >= DEPTH_MAX) return true
  let cut = false
  const stays = on.stays.get(thing) ?? staysOf(book, thing)
  on.stays.set(thing, stays)
  for (let i = Math.max(0, firstAfter(book, stays, from, (stay) => stay.from) - 1); i < stays.length; i++) {
    const stay = stays[i] as Stay
    if (to !== null && book.compare(stay.from, to) >= 0) break
    if (on.legs > LEGS_MAX) return true
    if (within.includes(stay.container) || stay.container === thing) continue
    const begins = from === null || book.compare(stay.from, from) > 0 ? stay.from : from
    const ends = stay.to === null || (to !== null && book.compare(to, stay.to) < 0) ? to : stay.to
    if (ends !== null && book.compare(begins, ends) >= 0) continue
    cut = walk(on, { thing: stay.container, within: [stay.container, ...within], from: begins, to: ends }) || cut
  }
  return cut
}

/** The place of the first that comes after an event, of what is sorted by `compare`. */
function firstAfter<T>(
  book: SupplyBook,
  sorted: readonly T[],
  from: EventNumber | null,
  eventOf: (one: T) => EventNumber,
): number {
  let [low, high] = [0, from === null ? 0 : sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (book.compare(eventOf(sorted[middle] as T), from as EventNumber) > 0) high = middle
    else low = middle + 1
  }
  return low
}

function isBetween(book: SupplyBook, event: EventNumber, from: EventNumber | null, to: EventNumber | null): boolean {
  return (from === null || book.compare(event, from) > 0) && (to === null || book.compare(event, to) < 0)
}

/** A box is emptied by one event that names what came out, or nothing: then all did. */
function emptiedBefore(
  book: SupplyBook,
  emptyings: Emptyings,
  { container, from }: { readonly container: Thing; readonly from: EventNumber },
  to: EventNumber | null,
): EventNumber | null {
  const events = emptyings.get(container) ?? emptyingsOf(book, container)
  emptyings.set(container, events)
  const event = events[firstAfter(book, events, from, (one) => one)]
  return event !== undefined && (to === null || book.compare(event, to) < 0) ? event : null
}

function emptyingsOf(book: SupplyBook, container: Thing): EventNumber[] {
  return book.namingsOf(container).flatMap(({ event, role }) => {
    if (role !== ROLES.parent || !isPacking(book, event) || book.at(event).action !== 'delete') return []
    return book.namedIn(event, ROLES.item).length === 0 && !book.isInError(event) ? [event] : []
  })
}

/** Everything that was ever packed into it; a lot counts as one. */
export function childrenOf(book: SupplyBook, container: Thing): Thing[] {
  return book.namingsOf(container).flatMap(({ event, role }) => {
    if (role !== ROLES.parent || !isPacking(book, event) || book.at(event).action !== 'add') return []
    return book.namedIn(event, ROLES.item).map((one) => one.thing)
  })
}

const isWithin = (book: SupplyBook, event: EventNumber, { from, to }: Stay): boolean => isBetween(book, event, from, to)

function isPacking(book: SupplyBook, event: EventNumber): boolean {
  const { type } = book.at(event)
  return type === 'aggregation' || type === 'association'
}

function isMaking(book: SupplyBook, event: EventNumber): boolean {
  return book.at(event).type === 'transformation' && !book.isInError(event)
}
