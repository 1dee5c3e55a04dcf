/** What is wrong with some goods, and with what they lay in while they did: their ways are gone through one after the other. */
import { type Checked, First } from './answers.ts'
import type { SupplyBook } from './book.ts'
import { Ranges } from './excursions.ts'
import { examine, type Limits } from './findings.ts'
import { type EventNumber, NO_EVENT } from './happening.ts'
import type { Thing } from './keys.ts'
import type { Range } from './products.ts'
import { Recalled } from './recalled.ts'
import type { FinalSize } from './recalls.ts'
import { boxOf, wayOf } from './trace.ts'

const STEPS_AT_A_TIME = 1_000 // events of ways before others get their turn: some milliseconds
const LOOKED_MAX = 1_000_000 // things that are looked into for one answer

/**
 * What happened to a box is told of the box, once, whatever lay in it. Without `fixed` temperatures are held against what members declare of
 * each thing. In slices, as that of everything.
 */
export function* itemCheck(
  book: SupplyBook,
  things: ReadonlySet<Thing>,
  limits: Omit<Limits, 'rangeAt'> & { readonly fixed: Range | null },
  { shown, final }: { readonly shown: number; readonly final: FinalSize },
): Generator<undefined, Checked> {
  for (;;) {
    const { forgotten } = book // what is forgotten meanwhile is in no answer
    const first = new First(book, shown)
    const told = new Set<string>()
    const [ranges, recalled] = [new Ranges(book, final, LOOKED_MAX), new Recalled(book, final, LOOKED_MAX)]
    let steps = 0
    for (const thing of things) {
      yield* recalled.look(thing)
      steps += 1 + addOf(thing, { book, limits, first, told, ranges, recalled })
      if (steps < STEPS_AT_A_TIME) continue
      steps = 0
      yield
    }
    if (forgotten === book.forgotten) return { items: things.size, ...first.result() }
  }
}

interface Run {
  readonly book: SupplyBook
  readonly limits: Parameters<typeof itemCheck>[2]
  readonly first: First
  readonly told: Set<string>
  readonly ranges: Ranges
  readonly recalled: Recalled
}

/** Of so many events of its way. */
function addOf(thing: Thing, { book, limits, first, told, ranges, recalled }: Run): number {
  const way = wayOf(book, thing)
  const boxes = new Map(way.steps.map((step): [EventNumber, Thing | null] => [step.event.number, boxOf(step)]))
  const rangeAt: Limits['rangeAt'] = ({ number, low, high }) => limits.fixed ?? ranges.at(thing, number, { low, high })
  const findings = examine(book, way, { ...limits, rangeAt }, ({ number }) => recalled.at(thing, number))
  for (const { code, event, before, milliCelsius } of findings) {
    const of = boxes.get(event.number) ?? thing
    if (told.size < told.add(`${code} ${of} ${event.number} ${milliCelsius}`).size)
      first.add(code, of, event.number, before?.number ?? NO_EVENT, milliCelsius)
  }
  return way.steps.length
}
