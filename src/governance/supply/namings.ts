/** Which keys an event names, and as what: its goods, what they are in, and the lot that it gives apart from them. */
import { type Gs1Key, gtinOf } from '../../core/gs1.ts'
import type { SupplyEvent } from '../kinds/supply.ts'
import { ROLES, type Role } from './happening.ts'
import { isLot } from './keys.ts'

type Named = readonly [key: string, role: Role, amount: number, unit: number]
type Goods = Pick<SupplyEvent, 'items' | 'amounts'>

const decoder = new TextDecoder()

/** In the event's order, what it puts things into first. The amount of single things is NaN; units are numbers, 0 for pieces. */
export function* namesIn(event: SupplyEvent): Generator<Named> {
  const { parent, items, amounts, outputs, outputAmounts } = event
  if (parent !== undefined) yield [decoder.decode(parent), ROLES.parent, Number.NaN, 0]
  yield* goodsIn({ items, amounts }, ROLES.item)
  const made = { items: outputs, amounts: outputAmounts }
  yield* goodsIn(made, ROLES.output)
  yield* lotsIn(event, event.type === 'transformation' ? made : { items, amounts })
}

function* goodsIn({ items = [], amounts = [] }: Goods, role: Role): Generator<Named> {
  for (const key of items) yield [decoder.decode(key), role, Number.NaN, 0]
  for (const [key, amount, uom] of amounts) yield [decoder.decode(key), role, amount, unitOf(uom)]
}

/** Of packs and of products by their amount; what is given by its lot has said it. */
function* lotsIn({ lot }: SupplyEvent, { items = [], amounts = [] }: Goods): Generator<Named> {
  if (lot === undefined) return
  const text = decoder.decode(lot)
  const keys = [...items, ...amounts.map(([key]) => key)].map((key) => decoder.decode(key) as Gs1Key)
  const gtins = new Set(keys.flatMap((key) => (isLot(key) ? [] : (gtinOf(key) ?? []))))
  for (const gtin of gtins) yield [`01/${gtin}/10/${text}`, ROLES.lot, Number.NaN, 0]
}

/** Two or three of 36 characters: a number of 16 bits. */
function unitOf(uom: string | null): number {
  if (uom === null) return 0
  return 1 + Number.parseInt(uom, 36) + (uom.length === 2 ? 36 ** 3 : 0)
}
