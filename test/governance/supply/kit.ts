/** EPCIS events of a pack that is made, packed, shipped, received and dispensed; and books of them. */
import { utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import type { MemberId } from '../../../src/core/ids.ts'
import type { SupplyEvent } from '../../../src/governance/kinds/supply.ts'
import { SupplyBook } from '../../../src/governance/supply/book.ts'
import { readEpcisEvent } from '../../../src/governance/supply/epcis.ts'

export const [MAKER, WARD, CLINIC] = ['a', 'b', 'c'].map((digit) => digit.repeat(64) as MemberId) as [
  MemberId,
  MemberId,
  MemberId,
]
export const CONTEXT = 'https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld'
export const pack = (serial: string): string => `https://id.gs1.org/01/09506000134352/21/${serial}`
export const LOT = '01/09506000134352/10/L1'
export const BOX = 'https://id.gs1.org/00/106141412345678908'
export const PLANT = { id: 'urn:epc:id:sgln:0614141.12345.0' }
export const HOSPITAL = { id: 'https://id.gs1.org/414/9506000134376' }

type Json = Record<string, unknown>

/** At so many minutes past noon. */
export function eventAt(minutes: number, type: string, more: Json): Json {
  const time = new Date(Date.UTC(2026, 10, 1, 12, minutes)).toISOString()
  return { type, eventTime: time, eventTimeZoneOffset: '+01:00', ...more }
}

export const made = (minutes: number, serials: readonly string[], lot = 'L1'): Json =>
  eventAt(minutes, 'ObjectEvent', {
    ...{ action: 'ADD', bizStep: 'commissioning', disposition: 'active', epcList: serials.map(pack), readPoint: PLANT },
    ilmd: { 'cbvmda:lotNumber': lot, 'cbvmda:itemExpirationDate': '2027-03-31' },
  })
export const packed = (minutes: number, serials: readonly string[], action = 'ADD'): Json =>
  eventAt(minutes, 'AggregationEvent', {
    ...{ action, bizStep: action === 'ADD' ? 'packing' : 'unpacking', parentID: BOX, childEPCs: serials.map(pack) },
    ...{ readPoint: action === 'ADD' ? PLANT : HOSPITAL },
  })
export const seen = (minutes: number, step: string, what: string, where: Json, more: Json = {}): Json =>
  eventAt(minutes, 'ObjectEvent', { action: 'OBSERVE', bizStep: step, epcList: [what], readPoint: where, ...more })

/** A temperature in degrees Celsius. */
export const measured = (minutes: number, what: string, celsius: number): Json =>
  eventAt(minutes, 'ObjectEvent', {
    ...{ action: 'OBSERVE', bizStep: 'transporting', epcList: [what] },
    sensorElementList: [{ sensorReport: [{ type: 'Temperature', value: celsius, uom: 'CEL' }] }],
  })

/** An entry with these events. */
export function told(author: MemberId, seq: number, events: readonly Json[], kind = 'supply.recorded') {
  const body = { events: events.map((one) => readEpcisEvent(one, new Map())) as readonly SupplyEvent[] }
  return { kind, author, seq, timeMs: 1_800_000_000_000 + seq, lamport: seq + 1, body: body as unknown as Cbor }
}

export function recalled(author: MemberId, seq: number, item: string, timeMs: number, kind = 'supply.recalled') {
  const body =
    kind === 'supply.recalled'
      ? { item: utf8(item), reason: 'defect', class: 2 }
      : { item: utf8(item), reason: 'investigated' }
  return { kind, author, seq, timeMs, lamport: seq + 1, body: body as Cbor }
}

export function declared(author: MemberId, seq: number, low: number | null, high: number | null) {
  const body = { item: utf8('01/09506000134352'), low, high }
  const place = { author, seq, timeMs: 1_800_000_000_000 + seq, lamport: seq + 1 }
  return { kind: 'supply.product', ...place, body: body as Cbor }
}

export function bookOf(entries: readonly Parameters<SupplyBook['tell']>[0][]): SupplyBook {
  const book = new SupplyBook()
  for (const entry of entries) book.tell(entry)
  return book
}
