/** What a recall reaches: packs of the lot, what they lie in, and what was made of them. */
import { type Gs1Key, gs1KindOf, gtinOf } from '../../core/gs1.ts'
import type { SupplyBook } from './book.ts'
import { ROLES } from './happening.ts'
import { isLot, type Thing } from './keys.ts'
import { containersOf } from './stays.ts'

/** One thing that a recall reaches. */
export interface Reached {
  readonly thing: Thing
  /** `lot`: of the lot or product itself · `any`: of its product, and told without its lot · `made`: of something that was · `holds`: something that was lies in it now. */
  readonly how: 'lot' | 'any' | 'made' | 'holds'
  /** What it was made of, or what it holds; null of the lot itself. */
  readonly by: Thing | null
}

const REACHED_MAX = 200_000 // packs of one batch of a large plant
const ORIGINS_MAX = 10_000 // inputs of inputs that are looked at for one thing

/** Everything that a lot, or a product, is in; the lot itself first. `cut`: more than are followed. */
export function recallScope(book: SupplyBook, item: Gs1Key): { readonly reached: Reached[]; readonly cut: boolean } {
  const reached = new Map<Thing, Reached>()
  const isAny = (thing: Thing): boolean => isLot(item) && gs1KindOf(book.keyOf(thing)) === 'gtin'
  for (const thing of packsOf(book, item)) reached.set(thing, { thing, how: isAny(thing) ? 'any' : 'lot', by: null })
  for (const { thing } of reached.values()) {
    if (reached.size > REACHED_MAX) break
    for (const output of madeOf(book, thing))
      for (const made of [output, ...packsOf(book, book.keyOf(output))])
        if (!reached.has(made)) reached.set(made, { thing: made, how: 'made', by: thing })
  }
  const boxes = new Set<Thing>()
  for (const { thing } of [...reached.values()]) {
    if (reached.size > REACHED_MAX) break
    for (const container of containersOf(book, thing, boxes))
      if (!reached.has(container)) reached.set(container, { thing: container, how: 'holds', by: thing })
  }
  return { reached: [...reached.values()].slice(0, REACHED_MAX), cut: reached.size > REACHED_MAX }
}

/** Lots and products whose recall would reach a thing: its own, and those of what it was made of. */
export function lotsBehind(book: SupplyBook, thing: Thing): Gs1Key[] {
  const behind = new Set<Thing>([thing])
  const lots = new Set<Gs1Key>()
  for (const one of behind) {
    const key = book.keyOf(one)
    const gtin = gtinOf(key)
    if (gtin !== null) lots.add(gs1KindOf(key) === 'sgtin' ? (`01/${gtin}` as Gs1Key) : key)
    for (const lot of lotsOf(book, one)) {
      lots.add(book.keyOf(lot))
      behind.add(lot)
    }
    for (const { event, role } of book.namingsOf(one)) {
      const isMade = role === ROLES.output || (role === ROLES.lot && book.at(event).type === 'transformation')
      if (!isMade || book.isInError(event)) continue
      for (const input of book.namedIn(event, ROLES.item)) if (behind.size < ORIGINS_MAX) behind.add(input.thing)
    }
  }
  return [...lots]
}

/** The lots that a pack is said to be of, or any goods of a product that are counted without their lot. */
export function lotsOf(book: SupplyBook, thing: Thing): Thing[] {
  const gtin = gtinOf(book.keyOf(thing))
  if (gtin === null || isLot(book.keyOf(thing))) return []
  const makings = book.namingsOf(thing).filter(({ role }) => role === ROLES.item || role === ROLES.output)
  const lots = makings
    .filter(({ event }) => !book.isInError(event))
    .flatMap(({ event }) => book.namedIn(event, ROLES.lot).map((one) => one.thing))
  return [...new Set(lots)].filter((lot) => gtinOf(book.keyOf(lot)) === gtin)
}

/** A lot with its packs, and its product where that was told with the lot apart; a product with its lots and packs; a pack is itself. */
function packsOf(book: SupplyBook, item: Gs1Key): Thing[] {
  const kind = gs1KindOf(item)
  const gtin = gtinOf(item)
  const self = book.thingOf(item)
  if (kind === 'gtin' && gtin !== null) return [...book.ofProduct(gtin)].sort(byKey(book))
  if (self === null) return []
  if (kind !== 'lgtin') return [self]
  const packs = book
    .namingsOf(self)
    .filter(({ event, role }) => role === ROLES.lot && !book.isInError(event))
    .flatMap(({ event }) => {
      const made = book.at(event).type === 'transformation' ? ROLES.output : ROLES.item
      return book.namedIn(event, made).map((one) => one.thing)
    })
    .filter((thing) => gtinOf(book.keyOf(thing)) === gtin && !isLot(book.keyOf(thing)))
  return [self, ...[...new Set(packs)].sort(byKey(book))]
}

/** What came out where this went in. */
function madeOf(book: SupplyBook, thing: Thing): Thing[] {
  const events = book.namingsOf(thing).filter(({ event, role }) => {
    return role === ROLES.item && book.at(event).type === 'transformation' && !book.isInError(event)
  })
  const outputs = events.flatMap(({ event }) => {
    return [...book.namedIn(event, ROLES.output), ...book.namedIn(event, ROLES.lot)].map((one) => one.thing)
  })
  return [...new Set(outputs)].sort(byKey(book))
}

const byKey =
  (book: SupplyBook) =>
  (a: Thing, b: Thing): number => {
    const [one, other] = [book.keyOf(a), book.keyOf(b)]
    return one < other ? -1 : one > other ? 1 : 0
  }
