/** Between which temperatures goods are to be kept: by what members declare of the product, also while it lies in a box. */
import { gtinOf } from '../../core/gs1.ts'
import type { SupplyBook } from './book.ts'
import type { EventNumber } from './happening.ts'
import type { Thing } from './keys.ts'
import { type ProductRange, type Range, strictest } from './products.ts'
import type { FinalSize } from './recalls.ts'
import { childrenOf, contentsAt, contentsEver, DEPTH_MAX } from './stays.ts'

const NO_RANGE: Range = { low: null, high: null }

/** What is declared, as far as the logs are final. Answers are kept: for one question. */
export class Ranges {
  readonly #book: SupplyBook
  readonly #final: FinalSize
  readonly #lookedMax: number
  readonly #products = new Map<string, ProductRange | null>()
  readonly #ever = new Map<Thing, Range>()
  #strictestOfAll: Range | null = null
  /** Things that were looked into so far. */
  looked = 0

  /** Once `lookedMax` things were looked into, a box is held against all that ever lay in it: who asks gets an answer, and rather a finding too many. */
  constructor(book: SupplyBook, final: FinalSize, lookedMax: number) {
    this.#book = book
    this.#final = final
    this.#lookedMax = lookedMax
  }

  /** What is declared of a thing's product, or of those that ever lay in it, each once. */
  declared(thing: Thing): ProductRange[] {
    const gtins = new Set(this.#kindsIn([thing, ...contentsEver(this.#book, thing)]))
    return [...gtins].sort().flatMap((gtin) => this.#product(gtin) ?? [])
  }

  /** Between which a thing was to be kept at an event that it went through: by its own product, or by those that lay in it then. */
  at(thing: Thing, event: EventNumber, reading: Range): Range {
    const gtin = gtinOf(this.#book.keyOf(thing))
    if (gtin !== null) return this.#product(gtin) ?? NO_RANGE
    // what never lay in it cannot make it an excursion, and what lay in it then takes longer to find out
    const ever = this.#rangeEver(thing)
    if (!isOutside(reading, ever)) return NO_RANGE
    if (this.looked >= this.#lookedMax) return ever
    const { contents, looked } = contentsAt(this.#book, thing, event)
    this.looked += looked
    return strictest(this.#rangesOf(contents))
  }

  /** Where nothing is declared, nothing is looked at. */
  get isEmpty(): boolean {
    return this.#book.products.isEmpty
  }

  /** At least as strict as what ever lay in a box asks for. Each box once, however many lie in each other. */
  #rangeEver(thing: Thing, depth = 0): Range {
    const known = this.#ever.get(thing)
    if (known !== undefined) return known
    if (depth === DEPTH_MAX) return this.#strictest() // too deep, or a circle: it is looked at closer
    const children = childrenOf(this.#book, thing)
    this.looked += children.length
    const found = strictest(
      children.map((child) => {
        const gtin = gtinOf(this.#book.keyOf(child))
        return gtin === null ? this.#rangeEver(child, depth + 1) : (this.#product(gtin) ?? NO_RANGE)
      }),
    )
    this.#ever.set(thing, found)
    return found
  }

  #strictest(): Range {
    this.#strictestOfAll ??= strictest(this.#book.products.all(this.#final))
    return this.#strictestOfAll
  }

  #rangesOf(things: readonly Thing[]): Range[] {
    return [...new Set(this.#kindsIn(things))].flatMap((gtin) => this.#product(gtin) ?? [])
  }

  #kindsIn(things: readonly Thing[]): string[] {
    return things.flatMap((thing) => gtinOf(this.#book.keyOf(thing)) ?? [])
  }

  #product(gtin: string): ProductRange | null {
    const known = this.#products.get(gtin)
    if (known !== undefined) return known
    const found = this.#book.products.of(gtin, this.#final)
    this.#products.set(gtin, found)
    return found
  }
}

/** Whether a reading goes beyond a range; an event without one has nulls. */
export function isOutside(reading: Range, range: Range): boolean {
  return (
    (reading.low !== null && range.low !== null && reading.low < range.low) ||
    (reading.high !== null && range.high !== null && reading.high > range.high)
  )
}
