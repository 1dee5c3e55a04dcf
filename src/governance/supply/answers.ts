/** What is answered of many findings: how many there are of each kind, and the first of them. */
import type { Gs1Key } from '../../core/gs1.ts'
import type { SupplyBook } from './book.ts'
import { type Finding, type FindingCode, ORDER } from './findings.ts'
import { type EventNumber, type Happening, NO_EVENT } from './happening.ts'
import type { Thing } from './keys.ts'

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
  /** Of some goods there are more events than are followed. */
  readonly cut: boolean
}

interface Line {
  readonly code: FindingCode
  readonly thing: Thing
  readonly event: EventNumber
  readonly before: EventNumber
  readonly milliCelsius: number | null
}

/** Counts all, and keeps the first of them. */
export class First {
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

  result(): Omit<Checked, 'items' | 'cut'> {
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
