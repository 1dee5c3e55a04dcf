/** Which recalls reach goods: packs by their lots and by what they were made of, boxes by what lies in them. */
import type { SupplyBook } from './book.ts'
import type { EventNumber } from './happening.ts'
import type { Thing } from './keys.ts'
import { lotsBehind } from './recallScope.ts'
import type { FinalSize, Recall } from './recalls.ts'
import { childrenOf, contentsEver, contentsWhile, DEPTH_MAX, isWithin, type Stay } from './stays.ts'

const SLICE = 500 // things that are looked at before others get their turn: some milliseconds

/** For one question: answers are kept. */
export class Recalled {
  readonly #book: SupplyBook
  readonly #final: FinalSize
  readonly #lookedMax: number
  readonly #own = new Map<Thing, readonly Recall[]>()
  readonly #ever = new Map<Thing, Recall | null>()
  readonly #seen = new Set<Thing>()
  #oldest: Recall | null = null
  #looked = 0

  /** Once `lookedMax` things were looked into, what ever lay in a box counts as lying in it: who asks gets an answer, and rather one too many. */
  constructor(book: SupplyBook, final: FinalSize, lookedMax: number) {
    this.#book = book
    this.#final = final
    this.#lookedMax = lookedMax
  }

  /** Works out in slices what the answers about a box hang on; without it they are the same, and take as long in one. */
  *look(thing: Thing): Generator<undefined, void> {
    if (this.#book.recalls.isEmpty || this.#seen.has(thing)) return
    this.#seen.add(thing)
    let looked = 0
    for (const one of contentsEver(this.#book, thing)) {
      this.own(one)
      if (++looked % SLICE === 0) yield
    }
  }

  /** By what a thing is, oldest first. */
  own(thing: Thing): readonly Recall[] {
    if (this.#book.recalls.isEmpty) return []
    const known = this.#own.get(thing)
    if (known !== undefined) return known
    const found = sorted(lotsBehind(this.#book, thing).flatMap((lot) => this.#book.recalls.standing(lot, this.#final)))
    this.#own.set(thing, found)
    return found
  }

  /** By what it is, and by what lies in it now. */
  now(thing: Thing): readonly Recall[] {
    return this.#while(thing, ({ to }) => to === null)
  }

  /** By what it is, and by what lay in it at an event that it went through. */
  at(thing: Thing, event: EventNumber): readonly Recall[] {
    return this.#while(thing, (stay) => isWithin(this.#book, event, stay))
  }

  /** As `at`, of an event that is not in the book yet: what was packed and unpacked at the same time lies in it too. */
  atTime(thing: Thing, timeMs: number): readonly Recall[] {
    const book = this.#book
    return this.#while(
      thing,
      ({ from, to }) => book.timeOf(from) <= timeMs && (to === null || book.timeOf(to) >= timeMs),
    )
  }

  #while(thing: Thing, isMeant: (stay: Stay) => boolean): readonly Recall[] {
    const own = this.own(thing)
    const ever = this.#everIn(thing)
    if (ever === null) return own
    if (this.#looked >= this.#lookedMax) return sorted([...own, ever])
    const { contents, looked } = contentsWhile(this.#book, thing, isMeant)
    this.#looked += looked
    return sorted([...own, ...contents.flatMap((one) => this.own(one))])
  }

  /** The oldest that reaches anything that ever lay in it. Each box once, however many lie in each other. */
  #everIn(thing: Thing, depth = 0): Recall | null {
    if (this.#book.recalls.isEmpty) return null
    const known = this.#ever.get(thing)
    if (known !== undefined) return known
    if (depth === DEPTH_MAX) return this.#oldestOfAll() // too deep, or a circle: it is looked at closer
    let found: Recall | null = null
    for (const child of new Set(childrenOf(this.#book, thing)))
      for (const one of [this.own(child)[0], this.#everIn(child, depth + 1)])
        if (one != null && (found === null || one.timeMs < found.timeMs)) found = one
    this.#ever.set(thing, found)
    return found
  }

  #oldestOfAll(): Recall | null {
    this.#oldest ??= this.#book.recalls.all(this.#final).find(({ stands }) => stands) ?? null
    return this.#oldest
  }
}

/** Each once, oldest first. */
function sorted(recalls: readonly Recall[]): Recall[] {
  return [...new Set(recalls)].sort((a, b) => a.timeMs - b.timeMs)
}
