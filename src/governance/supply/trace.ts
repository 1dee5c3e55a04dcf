/** The way of one thing: its own events, and those of what it lay in meanwhile, box in pallet in truck. */
import type { SupplyBook } from './book.ts'
import { type EventNumber, type Happening, ROLES } from './happening.ts'
import { isSingle, type Thing } from './keys.ts'
import { DEPTH_MAX, firstAfter, isPacking, type Stay, staysOf } from './stays.ts'

/** One event on the way; `within`: what it happened to, from the outermost, where that was not the thing itself. */
export interface Step {
  readonly event: Happening
  readonly within: readonly Thing[]
  /** Taken back by a later word of its author: shown, and not counted. */
  readonly inError: boolean
}

/** Everything that is told of one thing. */
export interface Way {
  readonly thing: Thing
  /** In the canonical order. */
  readonly steps: readonly Step[]
  /** What it was made of and what was made of it, one step away each. */
  readonly madeFrom: readonly Thing[]
  readonly madeInto: readonly Thing[]
  /** More events than are followed. */
  readonly cut: boolean
}

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
    madeFrom: made(ROLES.output, ROLES.item),
    madeInto: made(ROLES.item, ROLES.output),
    cut,
  }
}

/** The boxes that events of a way happened to; of the others the thing itself was there. */
export function boxesOf({ steps }: Way): Map<EventNumber, Thing> {
  return new Map(steps.flatMap(({ event, within: [box] }) => (box === undefined ? [] : [[event.number, box] as const])))
}

/** Whether events of a thing itself, or of the boxes that a single one lay in, are not on its way: they are more than are followed. */
export function isCut(book: SupplyBook, { thing, cut }: Way): boolean {
  return cut && (isSingle(book.keyOf(thing)) || book.namingsOf(thing).length > STEPS_MAX)
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

function isMaking(book: SupplyBook, event: EventNumber): boolean {
  return book.at(event).type === 'transformation' && !book.isInError(event)
}
