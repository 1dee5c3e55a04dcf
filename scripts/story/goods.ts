/** What happens to two packs of an infusion, as EPCIS 2.0 events: made, packed, shipped, too warm on the way, received, given. */

/** As on their labels. */
export const PACKS = {
  gtin: '09506000134352',
  first: '(01)09506000134352(21)M1',
  lot: '(01)09506000134352(10)MEM7',
} as const

const BOX = 'https://id.gs1.org/00/106141412345678908'
const PHARMACY = { id: 'https://id.gs1.org/414/9506000134369' }
const WARD = { id: 'https://id.gs1.org/414/9506000134376' }
const packs = ['M1', 'M2'].map((serial) => `https://id.gs1.org/01/${PACKS.gtin}/21/${serial}`)
type Event = Readonly<Record<string, unknown>>

/** Events of the hours before `nowMs`. */
export function memoryEvents(nowMs: number): Record<'made' | 'received' | 'given', readonly Event[]> {
  const at = (hours: number, type: string, more: Event): Event => {
    const eventTime = new Date(nowMs + hours * 3_600_000).toISOString()
    return { type, eventTime, eventTimeZoneOffset: '+00:00', ...more }
  }
  const object = (hours: number, bizStep: string, epcList: readonly string[], more: Event): Event =>
    at(hours, 'ObjectEvent', { action: 'OBSERVE', bizStep, epcList, ...more })
  const box = (hours: number, action: 'ADD' | 'DELETE', readPoint: Event): Event =>
    at(hours, 'AggregationEvent', {
      ...{ action, bizStep: action === 'ADD' ? 'packing' : 'unpacking', parentID: BOX, childEPCs: packs, readPoint },
    })
  const ilmd = { 'cbvmda:lotNumber': 'MEM7', 'cbvmda:itemExpirationDate': dateOf(nowMs + 200 * 86_400_000) }
  const sensorReport = [{ type: 'Temperature', value: 11.4, uom: 'CEL' }]
  return {
    made: [
      object(-9, 'commissioning', packs, { action: 'ADD', disposition: 'active', readPoint: PHARMACY, ilmd }),
      box(-8, 'ADD', PHARMACY),
      object(-7, 'shipping', [BOX], {
        readPoint: PHARMACY,
        destinationList: [{ type: 'location', destination: WARD.id }],
      }),
    ],
    received: [
      object(-5, 'transporting', [BOX], { sensorElementList: [{ sensorReport }] }),
      object(-3, 'receiving', [BOX], { readPoint: WARD }),
      box(-2, 'DELETE', WARD),
    ],
    given: [object(-1, 'dispensing', packs.slice(0, 1), { disposition: 'dispensed', readPoint: WARD })],
  }
}

const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
