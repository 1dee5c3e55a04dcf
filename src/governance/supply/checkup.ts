/**
 * What is wrong with all goods: each thing is looked at once, and again only when something new is told of it, of what it lay in, of what it was
 * made of, or of its recall. Temperatures and delays are held against the limits of each question, over the events alone.
 */
import type { Gs1Key } from '../../core/gs1.ts'
import { gs1KindOf, gtinOf } from '../../core/gs1.ts'
import { type Checked, First } from './answers.ts'
import type { SupplyBook } from './book.ts'
import { isOutside, Ranges } from './excursions.ts'
import { excursions, type FindingCode, isOverdue, type Limits, lookAt, type RecallsAt } from './findings.ts'
import { type EventNumber, NO_EVENT, ROLES } from './happening.ts'
import type { Thing } from './keys.ts'
import type { Range } from './products.ts'
import { Recalled } from './recalled.ts'
import { recallScope } from './recallScope.ts'
import type { FinalSize, Recall } from './recalls.ts'
import { amountsIn, boxesEver, childrenOf, isWithin } from './stays.ts'
import { boxesOf, isCut, wayOf } from './trace.ts'

/** Without events and with numbers alone: there may be a million. `of`: the thing itself, or the box that it lay in. */
type Kept = readonly [
  code: FindingCode,
  of: Thing,
  event: EventNumber,
  before: EventNumber,
  milliCelsius: number | null,
]

const AFFECTED_MAX = 50_000 // things that one event may touch; where it is more, all are looked at again
const STEPS_AT_A_TIME = 3_000 // events, and things that they name or that lay in those, before others get their turn: 1 to 20 ms
const LOOKED_MAX = 5_000_000 // things that are looked into for one answer: half a minute
const PER_THING_MAX = 20 // findings kept of one thing: a person looks at the first
const STEPS_AS_A_THING = 20 // a thing with a longer way counts as several
/** Told of a box too, for what lies in it. */
const OF_BOXES: ReadonlySet<FindingCode> = new Set<FindingCode>(['recalled-received', 'recalled-dispensed'])

/** One per book. `update` first, then `lookOn` until nothing is left, then `answer`. */
export class Checkup {
  readonly #book: SupplyBook
  readonly #found = new Map<Thing, readonly Kept[]>()
  readonly #underWay = new Map<Thing, EventNumber>()
  /** Events that do not count for a thing that they name: in error, or told before by another. */
  readonly #aside = new Set<EventNumber>()
  /** Things with more events than are followed. */
  readonly #cut = new Set<Thing>()
  readonly #waiting = new Set<Thing>()
  /** Things below it were looked at, or wait for it. */
  #next: Thing = 0
  #eventsSeen = 0
  #recalls: ReadonlyMap<Gs1Key, string> = new Map()

  constructor(book: SupplyBook) {
    this.#book = book
  }

  /** Takes note of what was told since, and of which recalls stand now. */
  update(final: FinalSize): void {
    const news: EventNumber[] = []
    for (; this.#eventsSeen < this.#book.events; this.#eventsSeen++) if (this.#next > 0) news.push(this.#eventsSeen)
    this.#touchNamed(news)
    const recalls = signatures(this.#book.recalls.all(final).filter(({ stands }) => stands))
    for (const item of new Set([...recalls.keys(), ...this.#recalls.keys()])) {
      if (this.#next === 0 || recalls.get(item) === this.#recalls.get(item)) continue
      this.#touch(recallScope(this.#book, item).reached.map(({ thing }) => thing))
    }
    this.#recalls = recalls
  }

  /** What these events tell is about to be forgotten. */
  forgetting(events: readonly EventNumber[]): void {
    this.#touchNamed(events)
    for (const event of events) this.#aside.delete(event)
  }

  /** Looks at so many things at most, at fewer where their ways are long; true where none is left. */
  lookOn(max: number, final: FinalSize): boolean {
    const recalled = new Recalled(this.#book, final, 0)
    let left = max
    for (const thing of this.#waiting) {
      if (left <= 0) return false
      this.#waiting.delete(thing)
      left -= 1 + this.#lookAt(thing, recalled) / STEPS_AS_A_THING
    }
    for (; this.#next < this.#book.things; this.#next++) {
      if (left <= 0) return false
      left -= 1 + this.#lookAt(this.#next, recalled) / STEPS_AS_A_THING
    }
    return true
  }

  /**
   * Without `fixed` temperatures are held against what members declare. In slices: who runs it gives others their turn in between, in which
   * more may be told, and forgotten.
   */
  *answer(
    limits: Omit<Limits, 'rangeAt'> & { readonly fixed: Range | null },
    { shown: max, final }: { readonly shown: number; readonly final: FinalSize },
  ): Generator<undefined, Checked> {
    const book = this.#book
    let first = new First(book, max)
    for (let forgotten = -1; forgotten !== book.forgotten; ) {
      forgotten = book.forgotten // what is forgotten meanwhile is in no answer
      first = new First(book, max)
      yield* this.#addExcursions(first, limits.fixed, final)
    }
    const boxes = new Set<string>() // each once, whatever lies in it
    for (const kept of this.#found.values())
      for (const [code, of, event, before, milliCelsius] of kept) {
        const once = OF_BOXES.has(code) ? `${code} ${of} ${event}` : null
        if (once !== null && boxes.size === boxes.add(once).size) continue
        first.add(code, of, event, before, milliCelsius)
      }
    for (const [thing, since] of this.#underWay)
      if (isOverdue({ timeMs: book.timeOf(since) }, limits)) first.add('overdue', thing, since)
    let items = 0
    for (let thing = 0; thing < book.things; thing++) if (book.isGoods(thing)) items++
    return { items, ...first.result(), cut: this.#cut.size > 0 }
  }

  *#addExcursions(first: First, fixed: Range | null, final: FinalSize): Generator<undefined, void> {
    const book = this.#book
    const ranges = new Ranges(book, final, LOOKED_MAX)
    if (fixed === null && ranges.isEmpty) return
    const { events } = book // what is told meanwhile was not looked at yet
    let steps = 0
    for (let event = 0; event < events; event++) {
      if (++steps >= STEPS_AT_A_TIME) {
        steps = 0
        yield
      }
      const reading = book.readingOf(event)
      if (reading === null || (fixed !== null && !isOutside(reading, fixed)) || this.#aside.has(event)) continue
      const named = new Set<Thing>()
      const before = ranges.looked
      for (const { thing } of book.namedIn(event)) {
        steps++
        const range = fixed ?? ranges.at(thing, event, reading)
        if (!isOutside(reading, range) || named.has(thing)) continue
        named.add(thing)
        for (const { milliCelsius } of excursions(book.at(event), range))
          first.add('excursion', thing, event, NO_EVENT, milliCelsius)
      }
      steps += ranges.looked - before
    }
  }

  /** Of so many events of its way. */
  #lookAt(thing: Thing, recalled: Recalled): number {
    const book = this.#book
    this.#found.delete(thing)
    this.#underWay.delete(thing)
    this.#cut.delete(thing)
    if (!book.isGoods(thing)) return 0
    const way = wayOf(book, thing)
    if (isCut(book, way)) this.#cut.add(thing)
    const { findings, underWay, counted } = lookAt(book, way, recallsAt(book, thing, recalled))
    const aside = new Set(way.steps.flatMap(({ event, within }) => (within.length === 0 ? [event.number] : [])))
    const boxes = findings.length > 0 || underWay !== null ? boxesOf(way) : new Map<EventNumber, Thing>()
    const kept = findings.flatMap(({ code, event, before, milliCelsius }): Kept[] => {
      const box = boxes.get(event.number)
      const isTold = box === undefined || OF_BOXES.has(code)
      return isTold ? [[code, box ?? thing, event.number, before?.number ?? NO_EVENT, milliCelsius]] : []
    })
    if (kept.length > 0) this.#found.set(thing, kept.slice(0, PER_THING_MAX))
    if (underWay !== null && !boxes.has(underWay.number)) this.#underWay.set(thing, underWay.number)
    for (const { event } of counted) aside.delete(event.number)
    for (const event of aside) this.#aside.add(event)
    for (const { event } of counted) this.#aside.delete(event.number)
    return way.steps.length
  }

  /** That a pack is of a lot is no news to other packs of it. */
  #touchNamed(events: readonly EventNumber[]): void {
    const book = this.#book
    const [named, lots] = [new Set<Thing>(), new Set<Thing>()]
    for (const event of events)
      for (const { thing, role } of book.namedIn(event))
        (role === ROLES.lot && book.at(event).type !== 'transformation' ? lots : named).add(thing)
    this.#touch(named)
    for (const lot of lots) if (lot < this.#next) this.#waiting.add(lot)
  }

  /** All whose ways, recalls or makings may have changed with those of `things`. */
  #touch(things: Iterable<Thing>): void {
    const book = this.#book
    const touched = new Set(things)
    for (const thing of touched) {
      if (touched.size > AFFECTED_MAX) return this.#lookAtAllAgain()
      for (const other of affectedBy(book, thing)) touched.add(other)
    }
    for (const thing of touched) if (thing < this.#next) this.#waiting.add(thing)
  }

  #lookAtAllAgain(): void {
    this.#waiting.clear()
    this.#found.clear()
    this.#underWay.clear()
    this.#cut.clear()
    this.#aside.clear()
    this.#next = 0
  }
}

/** Of a thing by what it is, and by the lots of which some lay in it: a pack in it has a way of its own, and a lot too many boxes for one. */
function recallsAt(book: SupplyBook, thing: Thing, recalled: Recalled): RecallsAt {
  const recalls = recalled.own(thing)
  if (book.recalls.isEmpty) return () => recalls
  const inside = amountsIn(book, thing).flatMap((stay) => {
    const found = recalled.own(stay.thing)
    return found.length === 0 ? [] : [{ stay, found }]
  })
  return ({ number }) => [
    ...recalls,
    ...inside.flatMap(({ stay, found }) => (isWithin(book, number, stay) ? found : [])),
  ]
}

/** What lies in it, boxes where it is counted and recalls may reach it, what was made of it, packs of a lot, and lots and packs of a product. */
function affectedBy(book: SupplyBook, thing: Thing): Thing[] {
  const key = book.keyOf(thing)
  const kind = gs1KindOf(key)
  const namings = book.namingsOf(thing)
  const made = namings
    .filter(({ event, role }) => role !== ROLES.parent && book.at(event).type === 'transformation')
    .flatMap(({ event }) => [...book.namedIn(event, ROLES.output), ...book.namedIn(event, ROLES.lot)])
  const packs = namings
    .filter(({ role }) => role === ROLES.lot)
    .flatMap(({ event }) => [...book.namedIn(event, ROLES.item), ...book.namedIn(event, ROLES.output)])
  const ofProduct = kind === 'gtin' ? book.ofProduct(gtinOf(key) as string) : []
  const boxes = book.recalls.isEmpty ? [] : boxesEver(book, thing)
  return [...childrenOf(book, thing), ...boxes, ...[...made, ...packs].map((one) => one.thing), ...ofProduct]
}

/** What stands of each lot and product, to be compared with what stood. */
function signatures(recalls: readonly Recall[]): ReadonlyMap<Gs1Key, string> {
  const found = new Map<Gs1Key, string>()
  for (const { item, author, timeMs } of recalls) found.set(item, `${found.get(item) ?? ''} ${author} ${timeMs}`)
  return found
}
