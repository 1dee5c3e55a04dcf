/**
 * Kinds about goods: EPCIS events as members declare them, and recalls. Goods are no patients, so events are copied whole, but for what could
 * name one: numbers of papers, free URIs and extensions stay at the hospital (`governance/supply/epcis.ts`).
 */
import * as v from 'valibot'
import { BIZ_STEPS, DISPOSITIONS, ERROR_REASONS, PARTY_TYPES, TRANSACTION_TYPES } from '../../core/cbv.ts'
import { type Gs1Kind, gs1KindOf } from '../../core/gs1.ts'
import { TIME_MS_MAX } from '../../ledger/entry.ts'
import { bytes, bytes32, count, real } from './fields.ts'

/** Of one event or entry. */
export const SUPPLY_BOUNDS = {
  keysMax: 1_000, // of each list of an event: a pallet of packs; its event stays below half an entry
  readingsMax: 200, // temperatures of one event: a day's journey, every seven minutes
  eventsMax: 500, // of one entry: what fits 64 KiB
  slicesMax: 100, // of one recall: 100,000 lots, ten years of a large plant
  milliCelsiusMin: -273_150, // absolute zero
  milliCelsiusMax: 1_000_000, // hotter is no medicine
  zoneMinutesMax: 840, // +14:00
  dayMax: 2_932_896, // 9999-12-31 since 1970: what systems write where nothing expires
} as const

/** Why a lot or product is recalled. */
export const RECALL_REASONS = [
  ...(['contamination', 'defect', 'falsified', 'labelling', 'stability', 'sterility'] as const),
  ...(['temperature', 'authority-order', 'precaution'] as const),
] as const
export type RecallReason = (typeof RECALL_REASONS)[number]
/** How dangerous it is: 1 to life, 2 to health, 3 hardly (EMA's and FDA's classes). */
export const RECALL_CLASSES = [1, 2, 3] as const
/** Why a recall is over. */
export const LIFT_REASONS = ['completed', 'entered-by-mistake', 'investigated'] as const

const GLN_KEY_BYTES = 17 // 414/ or 417/, and 13 digits
const decoder = new TextDecoder()
/** A GS1 key: the bytes of its canonical text. Not text, for serials look like record numbers to the fence around the ledger. */
const key = (...kinds: readonly Gs1Kind[]) =>
  v.pipe(
    bytes((length) => length >= 5 && length <= 48),
    v.check((given) => {
      const kind = gs1KindOf(decoder.decode(given))
      return kind !== null && kinds.includes(kind)
    }),
  )
const thing = key('sgtin', 'sscc', 'grai', 'giai')
/** A GLN without extension, which is free text. */
const gln = (...kinds: readonly Gs1Kind[]) =>
  v.pipe(
    key(...kinds),
    v.check(({ length }) => length === GLN_KEY_BYTES),
  )
const placeKey = gln('sgln')
const list = <S extends v.GenericSchema>(schema: S, max: number = SUPPLY_BOUNDS.keysMax) =>
  v.pipe(v.array(schema), v.minLength(1), v.maxLength(max))
const amount = v.pipe(real, v.minValue(0), v.maxValue(1e12))
const uom = v.pipe(v.string(), v.regex(/^[A-Z0-9]{2,3}$/))
const amounts = list(v.strictTuple([key('lgtin', 'gtin'), amount, v.nullable(uom)]))
const time = v.pipe(count, v.maxValue(TIME_MS_MAX))
const within = (min: number, max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max))
const milliCelsius = within(SUPPLY_BOUNDS.milliCelsiusMin, SUPPLY_BOUNDS.milliCelsiusMax)
const parties = list(v.strictTuple([v.picklist(PARTY_TYPES), gln('sgln', 'pgln')]), 8)

/** `type` and `action` are words of EPCIS; absent is what the event does not have. */
const event = v.strictObject({
  type: v.picklist(['object', 'aggregation', 'transaction', 'transformation', 'association']),
  time,
  /** Minutes that the place is before UTC. */
  zone: within(-SUPPLY_BOUNDS.zoneMinutesMax, SUPPLY_BOUNDS.zoneMinutesMax),
  action: v.optional(v.picklist(['add', 'observe', 'delete'])),
  step: v.optional(v.picklist(BIZ_STEPS)),
  disposition: v.optional(v.picklist(DISPOSITIONS)),
  readPoint: v.optional(placeKey),
  location: v.optional(placeKey),
  parent: v.optional(thing),
  /** `epcList`, `childEPCs` or `inputEPCList`; with the quantity lists beside them. */
  items: v.optional(list(thing)),
  amounts: v.optional(amounts),
  outputs: v.optional(list(thing)),
  outputAmounts: v.optional(amounts),
  /** `ilmd`: the lot of what was made, and the day of its expiry, since 1970. */
  lot: v.optional(bytes((length) => length >= 1 && length <= 20)),
  expires: v.optional(within(0, SUPPLY_BOUNDS.dayMax)),
  sources: v.optional(parties),
  destinations: v.optional(parties),
  papers: v.optional(list(v.picklist(TRANSACTION_TYPES), 8)),
  /** Lowest and highest, in thousandths of a degree Celsius; from and to when; whether the sensor raised its alarm. */
  temperatures: v.optional(
    list(
      v.strictTuple([milliCelsius, milliCelsius, v.nullable(time), v.nullable(time), v.boolean()]),
      SUPPLY_BOUNDS.readingsMax,
    ),
  ),
  /** The same event, told before, is in error. */
  error: v.optional(v.picklist(ERROR_REASONS)),
})
/** One EPCIS event as entries have it. */
export type SupplyEvent = v.InferOutput<typeof event>

/** Where an event does not fit what entries have, and why; null where it does. */
export function eventFault(given: SupplyEvent): string | null {
  const [issue] = v.safeParse(event, given, { abortEarly: true }).issues ?? []
  return issue === undefined ? null : `${v.getDotPath(issue) ?? 'event'}: ${issue.message}`
}

export const SUPPLY_KINDS = {
  /** What happened to goods, as its author's systems say. */
  'supply.recorded': v.strictObject({ events: list(event, SUPPLY_BOUNDS.eventsMax) }),
  /** Its author recalls a lot, or a whole product. Binds as soon as it is known. */
  'supply.recalled': v.strictObject({
    item: key('lgtin', 'gtin'),
    reason: v.picklist(RECALL_REASONS),
    class: v.picklist(RECALL_CLASSES),
  }),
  /** Its author takes its own recalls of that back; counts when it is final. */
  'supply.lifted': v.strictObject({ item: key('lgtin', 'gtin'), reason: v.picklist(LIFT_REASONS) }),
  /** One of the slices of a recall of many: `list` is the digest of all its items, sorted. Each slice binds alone, as soon as it is known. */
  'supply.recall-slice': v.pipe(
    v.strictObject({
      list: bytes32,
      slice: count,
      slices: v.pipe(count, v.maxValue(SUPPLY_BOUNDS.slicesMax)),
      items: list(key('lgtin', 'gtin')),
      reason: v.picklist(RECALL_REASONS),
      class: v.picklist(RECALL_CLASSES),
    }),
    v.check(({ slice, slices }) => slice < slices),
  ),
  /** Its author takes the whole of such a recall back; counts when it is final. */
  'supply.list-lifted': v.strictObject({ list: bytes32, reason: v.picklist(LIFT_REASONS) }),
  /**
   * Between which temperatures a product has to be kept, in thousandths of a degree Celsius: null is no bound, and both take the author's word
   * back. A narrower range counts as soon as it is known, a wider one when it is final.
   */
  'supply.product': v.pipe(
    v.strictObject({ item: key('gtin'), low: v.nullable(milliCelsius), high: v.nullable(milliCelsius) }),
    v.check(({ low, high }) => low === null || high === null || low < high),
  ),
} as const
