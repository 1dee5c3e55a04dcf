/**
 * What is wrong with all goods: each thing is looked at once, and again only when something new is told of it, of what it lay in, of what it was
 * made of, or of its recall. Temperatures and delays are held against the limits of each question, over the events alone.
 */
import type { Gs1Key } from '../../core/gs1.ts'
import { gs1KindOf, gtinOf } from '../../core/gs1.ts'
import type { SupplyBook } from './book.ts'
import { isOutside, Ranges } from './excursions.ts'
import { excursions, type Finding, type FindingCode, isOverdue, type Limits, lookAt, ORDER } from './findings.ts'
import { type EventNumber, type Happening, NO_EVENT, ROLES } from './happening.ts'
import type { Thing } from './keys.ts'
import type { Range } from './products.ts'
import { lotsBehind, recallScope } from './recallScope.ts'
import type { FinalSize, Recall } from './recalls.ts'
import { childrenOf, wayOf } from './trace.ts'

/** One finding, of one thing. */
export interface Found {
  readonly thing: Thing
  readonly finding: Finding
}

/** What a question is answered by. `shown`: the first of them, in the order of `ORDER`, then of time. */
export interface Checked {
  readonly items: number
  readonly counts: ReadonlyMap<FindingCode, number>
  readonly shown: readonly Found[]
}

/** Without events and with numbers alone: there may be a million. */
type Kept = readonly [code: FindingCode, event: EventNumber, before: EventNumber, milliCelsius: number | null]

const AFFECTED_MAX = 50_000 // things that one event may touch; where it is more, all are looked at again
const STEPS_AT_A_TIME = 3_000 // events, and things that they name or that lay in those, before others get their turn: 1 to 20 ms
const LOOKED_MAX = 5_000_000 // things that are looked into for one answer: half a minute
const PER_THING_MAX = 20 // findings kept of one thing: a person looks at the first

/** One per book. `update` first, then `lookOn` until nothing is left, then `answer`. */
export class Checkup {
  readonly #book: SupplyBook
  readonly #found = new Map<Thing, readonly Kept[]>()
  readonly #underWay = new Map<Thing, EventNumber>()
  /** Events that do not count for a thing that they name: in error, or told before by another. */
  readonly #aside = new Set<EventNumber>()
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

  /** Looks at so many things at most; true where none is left. */
  lookOn(max: number, final: FinalSize): boolean {
    let left = max
    for (const thing of this.#waiting) {
      if (left-- <= 0) return false
      this.#waiting.delete(thing)
      this.#lookAt(thing, final)
    }
    for (; this.#next < this.#book.things; this.#next++) {
      if (left-- <= 0) return false
      this.#lookAt(this.#next, final)
    }
    return true
  }

  /**
   * Of everything, or of `things`. Without `fixed` temperatures are held against what members declare. In slices: who runs it gives others
   * their turn in between, in which more may be told, and forgotten.
   */
  *answer(
    limits: Omit<Limits, 'rangeAt'> & { readonly fixed: Range | null },
    {
      shown: max,
      final,
      things,
    }: { readonly shown: number; readonly final: FinalSize; readonly things: ReadonlySet<Thing> | null },
  ): Generator<undefined, Checked> {
    const book = this.#book
    const wants = (thing: Thing): boolean => things === null || things.has(thing)
    let first = new First(book, max)
    for (let forgotten = -1; forgotten !== book.forgotten; ) {
      forgotten = book.forgotten // what is forgotten meanwhile is in no answer
      first = new First(book, max)
      yield* this.#addExcursions(first, limits.fixed, final, wants)
    }
    for (const [thing, kept] of this.#found)
      if (wants(thing))
        for (const [code, event, before, milliCelsius] of kept) first.add(code, thing, event, before, milliCelsius)
    for (const [thing, since] of this.#underWay)
      if (wants(thing) && isOverdue({ timeMs: book.timeOf(since) }, limits)) first.add('overdue', thing, since)
    let items = 0
    for (let thing = 0; thing < book.things; thing++) if (book.isGoods(thing) && wants(thing)) items++
    return { items, ...first.result() }
  }

  *#addExcursions(
    first: First,
    fixed: Range | null,
    final: FinalSize,
    wants: (thing: Thing) => boolean,
  ): Generator<undefined, void> {
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
        if (!wants(thing)) continue
        const range = fixed ?? ranges.at(thing, event, reading)
        if (!isOutside(reading, range) || named.has(thing)) continue
        named.add(thing)
        for (const { milliCelsius } of excursions(book.at(event), range))
          first.add('excursion', thing, event, NO_EVENT, milliCelsius)
      }
      steps += ranges.looked - before
    }
  }

  #lookAt(thing: Thing, final: FinalSize): void {
    const book = this.#book
    this.#found.delete(thing)
    this.#underWay.delete(thing)
    if (!book.isGoods(thing)) return
    const way = wayOf(book, thing)
    const { findings, underWay, counted } = lookAt(book, way, standingFor(book, thing, final))
    const own = new Set(way.steps.flatMap(({ event, within }) => (within.length === 0 ? [event.number] : [])))
    const kept = findings.filter(({ event }) => own.has(event.number)).slice(0, PER_THING_MAX)
    if (kept.length > 0)
      this.#found.set(
        thing,
        kept.map(({ code, event, before, milliCelsius }) => [
          code,
          event.number,
          before?.number ?? NO_EVENT,
          milliCelsius,
        ]),
      )
    if (underWay !== null && own.has(underWay.number)) this.#underWay.set(thing, underWay.number)
    for (const { event } of counted) own.delete(event.number)
    for (const event of own) this.#aside.add(event)
    for (const { event } of counted) this.#aside.delete(event.number)
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
    this.#aside.clear()
    this.#next = 0
  }
}

/** Recalls that a thing is reached by, oldest first. */
export function standingFor(book: SupplyBook, thing: Thing, final: FinalSize): Recall[] {
  if (book.recalls.isEmpty) return []
  const found = lotsBehind(book, thing).flatMap((lot) => book.recalls.standing(lot, final))
  return found.filter((one, i) => found.indexOf(one) === i).sort((a, b) => a.timeMs - b.timeMs)
}

/** What lies in it, what was made of it, packs of a lot, and lots and packs of a product. */
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
  return [...childrenOf(book, thing), ...[...made, ...packs].map((one) => one.thing), ...ofProduct]
}

/** What stands of each lot and product, to be compared with what stood. */
function signatures(recalls: readonly Recall[]): ReadonlyMap<Gs1Key, string> {
  const found = new Map<Gs1Key, string>()
  for (const { item, author, timeMs } of recalls) found.set(item, `${found.get(item) ?? ''} ${author} ${timeMs}`)
  return found
}

interface Line {
  readonly code: FindingCode
  readonly thing: Thing
  readonly event: EventNumber
  readonly before: EventNumber
  readonly milliCelsius: number | null
}

/** Counts all, and keeps the first of them. */
class First {
  readonly #book: SupplyBook
  readonly #max: number
  readonly #counts = new Map<FindingCode, number>()
  readonly #first: Line[] = []
  /** What comes after it is only counted. */
  #last: Line | null = null

  constructor(book: SupplyBook, max: number) {
    this.#book = book
    this.#max = max
  }

  add(
    code: FindingCode,
    thing: Thing,
    event: EventNumber,
    before: EventNumber = NO_EVENT,
    milliCelsius: number | null = null,
  ): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1)
    const last = this.#last
    if (
      last !== null &&
      (ORDER[code] - ORDER[last.code] || this.#book.timeOf(event) - this.#book.timeOf(last.event)) > 0
    )
      return
    this.#first.push({ code, thing, event, before, milliCelsius })
    if (this.#first.length >= 20 * this.#max) this.#cut()
  }

  result(): Pick<Checked, 'counts' | 'shown'> {
    this.#cut()
    const at = (event: EventNumber): Happening => this.#book.at(event)
    const shown = this.#first.map(({ code, thing, event, before, milliCelsius }) => ({
      thing,
      finding: { code, event: at(event), before: before === NO_EVENT ? null : at(before), milliCelsius },
    }))
    return { counts: this.#counts, shown }
  }

  #cut(): void {
    const [book, key] = [this.#book, (one: Line): Gs1Key => this.#book.keyOf(one.thing)]
    this.#first.sort(
      (a, b) =>
        ORDER[a.code] - ORDER[b.code] ||
        book.compare(a.event, b.event) ||
        (a.thing === b.thing ? 0 : key(a) < key(b) ? -1 : 1),
    )
    this.#first.length = Math.min(this.#first.length, this.#max)
    this.#last = this.#first.length < this.#max ? null : (this.#first.at(-1) ?? null)
  }
}
