/** What is wrong with some goods, and with what they lay in while they did: their ways are gone through one after the other. */
import { type Checked, First } from './answers.ts'
import type { SupplyBook } from './book.ts'
import { Ranges } from './excursions.ts'
import { examine, type Finding, type Limits } from './findings.ts'
import { NO_EVENT } from './happening.ts'
import { isSingle, type Thing } from './keys.ts'
import type { Range } from './products.ts'
import { Recalled } from './recalled.ts'
import type { FinalSize } from './recalls.ts'
import { isWithin, staysOf } from './stays.ts'
import { boxesOf, isCut, type Way, wayOf } from './trace.ts'

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
    const [ranges, recalled] = [new Ranges(book, final, LOOKED_MAX), new Recalled(book, final, LOOKED_MAX)]
    const run: Run = { book, limits, first, ranges, recalled, told: new Set(), steps: 0, cut: false }
    for (const thing of things) {
      yield* recalled.look(thing)
      yield* addOf(run, thing)
    }
    if (forgotten === book.forgotten) return { items: things.size, ...first.result(), cut: run.cut }
  }
}

interface Run {
  readonly book: SupplyBook
  readonly limits: Parameters<typeof itemCheck>[2]
  readonly first: First
  readonly ranges: Ranges
  readonly recalled: Recalled
  readonly told: Set<string>
  /** Since others had their turn. */
  steps: number
  cut: boolean
}

/** By its way; of a lot, also by those of the boxes that have some of it: there may be too many for one way, and at many places at a time. */
function* addOf(run: Run, thing: Thing): Generator<undefined, void> {
  const { book, limits, ranges, recalled } = run
  const way = yield* walked(run, thing)
  const boxes = boxesOf(way)
  const rangeAt: Limits['rangeAt'] = ({ number, low, high }) => limits.fixed ?? ranges.at(thing, number, { low, high })
  for (const one of examine(book, way, { ...limits, rangeAt }, ({ number }) => recalled.at(thing, number)))
    add(run, boxes.get(one.event.number) ?? thing, one)
  for (const stay of isSingle(book.keyOf(thing)) ? [] : staysOf(book, thing)) {
    const ofBox = yield* walked(run, stay.container)
    const outer = boxesOf(ofBox)
    for (const one of examine(book, ofBox, { ...limits, rangeAt }, () => recalled.own(thing)))
      if (isWithin(book, one.event.number, stay)) add(run, outer.get(one.event.number) ?? stay.container, one)
  }
}

function* walked(run: Run, thing: Thing): Generator<undefined, Way> {
  const way = wayOf(run.book, thing)
  run.cut ||= isCut(run.book, way)
  run.steps += 1 + way.steps.length
  if (run.steps >= STEPS_AT_A_TIME) {
    run.steps = 0
    yield
  }
  return way
}

function add({ first, told }: Run, of: Thing, { code, event, before, milliCelsius }: Finding): void {
  if (told.size < told.add(`${code} ${of} ${event.number} ${milliCelsius}`).size)
    first.add(code, of, event.number, before?.number ?? NO_EVENT, milliCelsius)
}
