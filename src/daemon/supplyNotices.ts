/** What an import says of its events beside how many there are: which goods are recalled, and which words of an error take nothing back. */
import { setImmediate } from 'node:timers/promises'
import type { Cbor } from '../core/cbor.ts'
import type { BizStep } from '../core/cbv.ts'
import { type Gs1Key, gs1KindOf } from '../core/gs1.ts'
import type { MemberId } from '../core/ids.ts'
import { SUPPLY_BOUNDS, type SupplyEvent } from '../governance/kinds/supply.ts'
import { SupplyBook } from '../governance/supply/book.ts'
import { Recalled } from '../governance/supply/recalled.ts'
import type { FinalSize, Recall } from '../governance/supply/recalls.ts'
import { inSlices } from './supplyReader.ts'

const WARNINGS_MAX = 100
const LOOKED_MAX = 1_000_000 // things in boxes that are looked into for one import: some seconds
const SLICE = 500 // goods looked at before the event loop gets its turn
const decoder = new TextDecoder()

/** Goods that are recalled now, or hold what is; `step`: the last that they went through then. */
export interface RecallWarning {
  readonly item: Gs1Key
  readonly recall: Recall
  readonly step: BizStep
}

/** Of goods that come in or are given out by these events, the first of those that are recalled. */
export async function recalledIn(
  book: SupplyBook,
  events: readonly SupplyEvent[],
  final: FinalSize,
): Promise<readonly RecallWarning[]> {
  const warnings = new Map<Gs1Key, RecallWarning>()
  const recalled = new Recalled(book, final, LOOKED_MAX)
  let looked = 0
  for (const event of book.recalls.isEmpty ? [] : events) {
    const { step, time } = event
    if (step === undefined || !TOUCHING.has(step)) continue
    for (const item of goodsIn(event)) {
      if (++looked % SLICE === 0) await setImmediate()
      const thing = book.thingOf(item)
      if (thing !== null) await inSlices(recalled.look(thing))
      const [recall] =
        thing === null
          ? productsOf(item).flatMap((one) => book.recalls.standing(one, final))
          : recalled.atTime(thing, time)
      if (recall !== undefined && (warnings.size < WARNINGS_MAX || warnings.has(item)))
        warnings.set(item, { item, recall, step })
    }
  }
  return [...warnings.values()]
}

const TOUCHING: ReadonlySet<string> = new Set<NonNullable<SupplyEvent['step']>>([
  ...(['receiving', 'accepting', 'arriving', 'stocking', 'dispensing', 'retail_selling', 'shipping'] as const),
])

function goodsIn({ parent, items = [], amounts = [] }: SupplyEvent): Gs1Key[] {
  const keys = [...(parent === undefined ? [] : [parent]), ...items, ...amounts.map(([key]) => key)]
  return keys.map((key) => decoder.decode(key) as Gs1Key)
}

/** Of goods that no event has named yet: what the key itself says. */
function productsOf(item: Gs1Key): Gs1Key[] {
  const kind = gs1KindOf(item)
  if (kind === 'lgtin' || kind === 'gtin') return [item]
  return kind === 'sgtin' ? [item.slice(0, 17) as Gs1Key] : []
}

/** Events that say of another that it is in error, and no other is the same: neither one before them, nor one of `ownLike`, of this hospital's log. */
export async function errorsOfNothing(
  events: readonly SupplyEvent[],
  ownLike: (event: SupplyEvent) => AsyncIterable<SupplyEvent>,
): Promise<SupplyEvent[]> {
  const times = new Set(events.flatMap(({ error, time }) => (error === undefined ? [] : [time])))
  const alike = events.filter(({ time }) => times.has(time))
  const own = new Set<SupplyEvent>()
  for (const event of alike) if (event.error !== undefined) for await (const other of ownLike(event)) own.add(other)
  const told = [...own, ...alike]
  const book = await bookOf(told)
  const seen = new Set<string>()
  const found: SupplyEvent[] = []
  for (let i = 0; i < book.events; i++) {
    const isError = book.at(i).isError
    if (!isError) seen.add(book.likenessOf(i))
    else if (i >= own.size && !seen.has(book.likenessOf(i))) found.push(told[i] as SupplyEvent)
    if (i % SLICE === SLICE - 1) await setImmediate()
  }
  return found
}

/** As the log will have them: what is alike there decides what is taken back. */
async function bookOf(events: readonly SupplyEvent[]): Promise<SupplyBook> {
  const book = new SupplyBook()
  const author = '' as MemberId
  for (let i = 0; i < events.length; i += SUPPLY_BOUNDS.eventsMax) {
    const body = { events: events.slice(i, i + SUPPLY_BOUNDS.eventsMax) }
    book.tell({ kind: 'supply.recorded', author, seq: i, timeMs: 0, lamport: 0, body: body as unknown as Cbor })
    await setImmediate()
  }
  return book
}
