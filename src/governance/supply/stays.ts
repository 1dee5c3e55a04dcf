/** What lay in what, and when: packs in boxes, boxes in pallets, and so many of a lot in each. */
import type { SupplyBook } from './book.ts'
import { type EventNumber, type Naming, ROLES } from './happening.ts'
import { isSingle, type Thing } from './keys.ts'

/** That a thing lay in another, from one event up to another. */
export interface Stay {
  readonly container: Thing
  readonly from: EventNumber
  /** Null: until now. */
  readonly to: EventNumber | null
}

/** How deep boxes lie in each other. */
export const DEPTH_MAX = 16 // pack, bundle, case, pallet, container, ship; more is a mistake, or a circle
const CONTENTS_MAX = 100_000 // packs of a ship's container
const ROUNDING = 1e-9 // of an amount: 0.1 and 0.2 are put in, 0.3 is taken out

/** When boxes were emptied: of each that is come by. */
type Emptyings = Map<Thing, readonly EventNumber[]>

/**
 * Where a thing lay, and when, by when that began. A single thing is in one box at a time: packed elsewhere without being taken out first, it
 * was taken out. Of a lot or product there may be some in many.
 */
export function staysOf(book: SupplyBook, thing: Thing, emptyings: Emptyings = new Map()): Stay[] {
  if (!isSingle(book.keyOf(thing)))
    return amountStays(book, book.namingsOf(thing), (named) => named === thing, emptyings)
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

type AmountStay = Stay & { readonly thing: Thing }
interface Lying {
  readonly from: EventNumber
  /** By unit: what was put in since, and what was taken out. */
  readonly amounts: Map<number, { put: number; taken: number }>
}

/** Stays of what is counted, each until as much was taken out of the box as was put in, or it was emptied. Of events told twice the first counts. */
function amountStays(
  book: SupplyBook,
  namings: readonly { readonly event: EventNumber }[],
  wants: (thing: Thing) => boolean,
  emptyings: Emptyings,
): AmountStay[] {
  const stays: AmountStay[] = []
  const lying = new Map<Thing, Map<Thing, Lying>>() // by box
  const isNews = newsIn(book)
  for (const [i, { event }] of namings.entries()) {
    if (namings[i - 1]?.event === event || !isPacking(book, event) || book.isInError(event) || !isNews(event)) continue
    const container = book.parentIn(event)
    const { action } = book.at(event)
    if (container === null || (action !== 'add' && action !== 'delete')) continue
    const there = lying.get(container) ?? new Map<Thing, Lying>()
    lying.set(container, there)
    for (const { thing, amount, unit } of book.namedIn(event, ROLES.item)) {
      if (amount === null || !wants(thing)) continue
      let one = there.get(thing)
      const emptied = one === undefined ? null : emptiedBefore(book, emptyings, { container, from: one.from }, event)
      if (one !== undefined && emptied !== null) {
        stays.push({ thing, container, from: one.from, to: emptied })
        one = undefined
      }
      if (action === 'add') one ??= { from: event, amounts: new Map() }
      const isOut = one !== undefined && moved(one, action, { amount, unit })
      if (one !== undefined && isOut) stays.push({ thing, container, from: one.from, to: event })
      if (one === undefined || isOut) there.delete(thing)
      else there.set(thing, one)
    }
  }
  for (const [container, there] of lying)
    for (const [thing, { from }] of there)
      stays.push({ thing, container, from, to: emptiedBefore(book, emptyings, { container, from }, null) })
  return stays.sort((a, b) => book.compare(a.from, b.from))
}

/** True where nothing is left. Kilograms are not taken off pieces: of those nobody knows how many are left. */
function moved(
  { amounts }: Lying,
  action: 'add' | 'delete',
  { amount, unit }: { readonly amount: number; readonly unit: Naming['unit'] },
): boolean {
  const known = amounts.get(unit) ?? { put: 0, taken: 0 }
  if (action === 'delete') known.taken += amount
  else known.put += amount
  amounts.set(unit, known)
  return action === 'delete' && [...amounts.values()].every(({ put, taken }) => taken >= put * (1 - ROUNDING))
}

/** Says of each event, asked in the canonical order, whether it tells what none of the same time told before. */
export function newsIn(book: SupplyBook): (event: EventNumber) => boolean {
  let first: EventNumber | null = null
  let alike: Set<string> | null = null // of the events of one time, where there are several
  return (event) => {
    if (first === null || book.timeOf(first) !== book.timeOf(event)) {
      first = event
      alike = null
      return true
    }
    alike ??= new Set([book.likenessOf(first)])
    return alike.size < alike.add(book.likenessOf(event)).size
  }
}

/** What a thing lies in now, from the innermost: of what is counted, each box that has some of it. `known`: boxes that are told already, with what they lie in. */
export function containersOf(book: SupplyBook, thing: Thing, known: Set<Thing> = new Set()): Thing[] {
  const found = new Set<Thing>()
  let level: readonly Thing[] = [thing]
  for (let depth = 0; level.length > 0 && depth < DEPTH_MAX; depth++) {
    const next: Thing[] = []
    for (const one of level)
      for (const { container, to } of staysOf(book, one)) {
        if (to !== null || container === thing || known.has(container)) continue
        known.add(container)
        found.add(container)
        next.push(container)
      }
    level = next
  }
  return [...found]
}

/** Boxes that a lot or product ever lay in, some of it. */
export function boxesEver(book: SupplyBook, thing: Thing): Thing[] {
  if (isSingle(book.keyOf(thing))) return []
  const packings = book.namingsOf(thing).filter(({ event, role }) => role === ROLES.item && isPacking(book, event))
  return [...new Set(packings.flatMap(({ event }) => book.parentIn(event) ?? []))]
}

/** What ever lay in a thing, also in boxes in it, each once; not more than can be told apart of one truck. */
export function contentsEver(book: SupplyBook, container: Thing): Thing[] {
  const found = new Set<Thing>([container])
  for (const one of found) for (const child of childrenOf(book, one)) if (found.size < CONTENTS_MAX) found.add(child)
  found.delete(container)
  return [...found]
}

/** What lay in a thing at an event that it went through; `looked`: of so many things it was found out. */
export function contentsAt(book: SupplyBook, container: Thing, event: EventNumber): Contents {
  return contentsWhile(book, container, (stay) => isWithin(book, event, stay))
}

/** Whether an event came while a thing lay in another. */
export function isWithin(book: SupplyBook, event: EventNumber, { from, to }: Stay): boolean {
  return book.compare(event, from) > 0 && (to === null || book.compare(event, to) < 0)
}

interface Contents {
  readonly contents: Thing[]
  readonly looked: number
}

/** What lay in a thing by those of the stays in it, and in boxes in it, that are meant. */
export function contentsWhile(book: SupplyBook, container: Thing, isMeant: (stay: Stay) => boolean): Contents {
  const found = new Set<Thing>([container])
  const emptyings: Emptyings = new Map() // of a box once, and not for each thing in it
  let looked = 0
  for (const one of found) {
    let counted: ReadonlySet<Thing> | null = null
    for (const child of childrenOf(book, one)) {
      looked++
      if (found.size >= CONTENTS_MAX || found.has(child)) continue
      if (isSingle(book.keyOf(child))) {
        const stays = staysOf(book, child, emptyings)
        if (stays.some((stay) => stay.container === one && isMeant(stay))) found.add(child)
      } else {
        counted ??= new Set(amountsIn(book, one, emptyings).flatMap((stay) => (isMeant(stay) ? [stay.thing] : [])))
        if (counted.has(child)) found.add(child)
      }
    }
  }
  found.delete(container)
  return { contents: [...found], looked }
}

/** Lots and products of which some lay in a box itself, when; by the box's own events. */
export function amountsIn(book: SupplyBook, container: Thing, emptyings: Emptyings = new Map()): AmountStay[] {
  const packings = book.namingsOf(container).filter(({ role }) => role === ROLES.parent)
  return amountStays(book, packings, () => true, emptyings)
}

/** The place of the first that comes after an event, of what is sorted by `compare`. */
export function firstAfter<T>(
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
  if (!isSingle(book.keyOf(container))) return [] // a lot may be named by a million events
  return book.namingsOf(container).flatMap(({ event, role }) => {
    if (role !== ROLES.parent || !isPacking(book, event) || book.at(event).action !== 'add') return []
    return book.namedIn(event, ROLES.item).map((one) => one.thing)
  })
}

/** Whether an event puts things into another, takes them out, or sees them there. */
export function isPacking(book: SupplyBook, event: EventNumber): boolean {
  const { type } = book.at(event)
  return type === 'aggregation' || type === 'association'
}
