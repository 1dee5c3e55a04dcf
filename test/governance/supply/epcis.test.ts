/** EPCIS 2.0 events in JSON-LD: what is read of them, what stays out, and what is refused. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromUtf8, utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import { eventFault, type SupplyEvent } from '../../../src/governance/kinds/supply.ts'
import { readBody } from '../../../src/governance/kinds.ts'
import { bodyFault } from '../../../src/governance/privacyLint.ts'
import { eventsIn, readEpcisEvent } from '../../../src/governance/supply/epcis.ts'
import { BOX, CONTEXT, eventAt, HOSPITAL, made, PLANT, pack, packed, seen } from './kit.ts'

const it = suite('epcis')
type Json = Record<string, unknown>

const document = (events: readonly unknown[]): Json => ({
  '@context': [CONTEXT, { ex: 'https://example.org/' }],
  ...{ type: 'EPCISDocument', schemaVersion: '2.0', creationDate: '2026-11-01T12:00:00.000Z' },
  epcisBody: { eventList: events },
})

const mixed = eventAt(0, 'TransformationEvent', {
  ...{
    inputEPCList: [pack('A')],
    inputQuantityList: [{ epcClass: 'urn:epc:class:lgtin:4012345.012345.998877', quantity: 2.5, uom: 'KGM' }],
  },
  ...{ outputEPCList: [pack('Z')], bizStep: 'assembling', readPoint: PLANT, ilmd: { 'cbvmda:lotNumber': 'M/7' } },
})
const cold = seen(3, 'receiving', pack('A'), HOSPITAL, {
  sensorElementList: [
    {
      sensorMetadata: {
        startTime: '2026-11-01T10:00:00Z',
        endTime: '2026-11-01T12:00:00Z',
        deviceID: 'urn:epc:id:giai:4000001.111',
      },
      sensorReport: [
        { type: 'Temperature', minValue: 35.6, maxValue: 48.2, uom: 'FAH', exception: 'ALARM_CONDITION' },
        { type: 'Temperature', value: -0.0001, uom: 'CEL' },
        { type: 'RelativeHumidity', value: 12.1, uom: 'A93' },
      ],
    },
  ],
  sourceList: [{ type: 'possessing_party', source: 'urn:epc:id:pgln:0614141.12345' }],
  destinationList: [{ type: 'location', destination: HOSPITAL.id }],
  bizTransactionList: [{ type: 'desadv', bizTransaction: 'urn:epcglobal:cbv:bt:0614141073467:PAT-4711' }],
  ...{ eventID: 'urn:uuid:6c0ed9a0-6d4e-4a7e-8a6e-2d4e', 'ex:patient': 'Mrs. Smith' },
})

const linked = eventAt(1, 'AssociationEvent', {
  action: 'ADD',
  parentID: 'urn:epc:id:grai:0614141.12345.400',
  childEPCs: ['urn:epc:id:giai:4000001.111'],
})
const paid = eventAt(2, 'TransactionEvent', {
  action: 'ADD',
  epcList: [pack('A')],
  bizTransactionList: [{ type: 'inv', bizTransaction: 'urn:x:1' }],
})

it('each type of event is read into a body that fits its schema and passes the fence', () => {
  const events = [made(0, ['A', '1234567']), packed(1, ['A']), paid, mixed, linked, cold]
  const read = eventsIn(document(events)).map((one) => readEpcisEvent(one, new Map()))
  assert.equal(
    read.map(({ type }) => type),
    ['object', 'aggregation', 'transaction', 'transformation', 'association', 'object'],
  )
  const body = { events: read } as unknown as Cbor
  assert.ok(readBody('supply.recorded', body) !== null)
  assert.is(bodyFault('supply.recorded', body), null)
})

it('the last day that a date can name fits, for it says that nothing expires; the day after does not', () => {
  const ilmd = { 'cbvmda:itemExpirationDate': '9999-12-31' }
  const event = readEpcisEvent({ ...made(0, ['A']), ilmd }, new Map())
  assert.is(event.expires, Date.UTC(9999, 11, 31) / 86_400_000)
  assert.is(eventFault(event), null)
  assert.is(bodyFault('supply.recorded', { events: [event] } as unknown as Cbor), null)
  assert.match(eventFault({ ...event, expires: (event.expires as number) + 1 }) as string, /^expires: /)
})

it('what a hospital calls its rooms stays there: places and parties are named by their GLN alone', () => {
  const room = 'urn:epc:id:sgln:9506000.13435.MRN4711-Meier'
  const leftOut = new Map<string, number>()
  const event = readEpcisEvent(
    seen(
      0,
      'receiving',
      pack('A'),
      { id: room },
      {
        ...{ bizLocation: { id: 'https://id.gs1.org/414/9506000134352/254/Meier' } },
        ...{
          sourceList: [{ type: 'location', source: room }],
          destinationList: [{ type: 'location', destination: room }],
        },
      },
    ),
    leftOut,
  )
  const gln = utf8('414/9506000134352')
  assert.equal([event.readPoint, event.location], [gln, gln])
  assert.equal([event.sources, event.destinations], [[['location', gln]], [['location', gln]]])
  const fields = ['bizLocation extension', 'destination extension', 'readPoint extension', 'source extension']
  assert.equal([...leftOut.keys()].sort(), fields)
  assert.match(eventFault({ ...event, readPoint: utf8('414/9506000134352/254/Meier') }) as string, /^readPoint: /)
})

it('temperatures come out in thousandths of a degree Celsius, whatever the unit', () => {
  const { temperatures } = readEpcisEvent(cold, new Map())
  const [from, to] = [Date.UTC(2026, 10, 1, 10), Date.UTC(2026, 10, 1, 12)]
  assert.equal(temperatures, [
    [2_000, 9_000, from, to, true],
    [0, 0, from, to, false],
  ])
})

it('what could name a patient stays out, and is counted by its field', () => {
  const leftOut = new Map<string, number>()
  const event = readEpcisEvent(cold, leftOut)
  const texts: string[] = []
  const walk = (value: unknown): void => {
    if (value instanceof Uint8Array) texts.push(fromUtf8(value))
    else if (typeof value === 'object' && value !== null) for (const one of Object.values(value)) walk(one)
    else texts.push(String(value))
  }
  walk(event)
  assert.not.match(texts.join('\n'), /Smith|4711|uuid|4000001/)
  assert.equal([...leftOut.keys()].sort(), ['bizTransaction', 'eventID', 'ex:patient', 'sensorReport RelativeHumidity'])
})

it('times are those that the text says, with their offset', () => {
  const at = (eventTime: string): number =>
    readEpcisEvent({ ...seen(0, 'storing', pack('A'), PLANT), eventTime }, new Map()).time
  for (const text of [
    '2024-02-29T23:59:59.123+01:00',
    '1970-01-01T00:00:00Z',
    '2000-03-01T00:00:00-14:00',
    '2100-12-31T12:00:00.5Z',
  ])
    assert.is(at(text), Date.parse(text), text)
})

/** Each row breaks one thing of a sound event. */
const FAULTS: readonly (readonly [what: Json, says: RegExp])[] = [
  [{ ...made(0, ['A']), type: 'ObjectEvents' }, /^type: "ObjectEvents" was given/],
  [{ ...made(0, ['A']), eventTime: '2026-11-01T12:00:00' }, /^eventTime: .*offset is expected/],
  [{ ...made(0, ['A']), eventTime: '2026-02-30T12:00:00Z' }, /no such time/],
  [{ ...made(0, ['A']), eventTimeZoneOffset: '+15:00' }, /^eventTimeZoneOffset/],
  [{ ...made(0, ['A']), action: 'add' }, /^action: .*ADD, OBSERVE, DELETE/],
  [{ ...made(0, ['A']), bizStep: 'urn:epcglobal:cbv:bizstep:shipping' }, /bare word, "shipping"/],
  [{ ...made(0, ['A']), bizStep: 'teleporting' }, /^bizStep: .*CBV 2\.0/],
  [{ ...made(0, ['A']), epcs: [] }, /^epcs: ObjectEvent has no such field/],
  [{ ...made(0, ['A']), parentID: BOX }, /^parentID: ObjectEvent has no such field/],
  [{ ...made(0, ['A']), action: 'OBSERVE' }, /^ilmd: only an event with action ADD/],
  [{ ...made(0, ['A']), epcList: [pack('A'), pack('A')] }, /named once/],
  [{ ...made(0, ['A']), epcList: ['https://id.gs1.org/01/09506000134353/21/A'] }, /^epcList\[0\]: .*check digit/],
  [{ ...made(0, ['A']), epcList: ['urn:epc:id:gsrnp:0614141.1234567890'] }, /names a person/],
  [{ ...made(0, ['A']), epcList: Array.from({ length: 1_001 }, (_, i) => pack(`${i}`)) }, /split the event/],
  [{ ...made(0, ['A']), readPoint: { id: 'geo:52.5,13.4' } }, /^readPoint\.id/],
  [{ ...made(0, ['A']), readPoint: { id: BOX } }, /sgln are allowed here/],
  [{ ...made(0, ['A']), ilmd: { 'cbvmda:lotNumber': 'no space here' } }, /^ilmd\.cbvmda:lotNumber/],
  [{ ...packed(0, ['A']), parentID: undefined }, /^parentID/],
  [{ ...packed(0, ['A']), childEPCs: [] }, /^childEPCs/],
  [{ ...paid, bizTransactionList: [] }, /^bizTransactionList/],
  [{ ...mixed, outputEPCList: [], transformationID: 'urn:x:7' }, /transformation in parts/],
  [{ ...mixed, inputQuantityList: [{ epcClass: pack('A'), quantity: 1 }] }, /lgtin, gtin are allowed/],
  [
    { ...mixed, inputQuantityList: [{ epcClass: 'urn:epc:class:lgtin:4012345.012345.9', quantity: -1 }] },
    /^inputQuantityList\[0\]\.quantity/,
  ],
  [
    seen(0, 'storing', pack('A'), PLANT, {
      sensorElementList: [{ sensorReport: [{ type: 'Temperature', value: 4, uom: 'C' }] }],
    }),
    /CEL, FAH and KEL/,
  ],
  [
    seen(0, 'storing', pack('A'), PLANT, {
      sensorElementList: [{ sensorReport: [{ type: 'gs1:Temperature', value: 4, uom: 'CEL' }] }],
    }),
    /bare word/,
  ],
  [
    seen(0, 'storing', pack('A'), PLANT, {
      sensorElementList: [{ sensorReport: [{ type: 'Temperature', value: -300, uom: 'CEL' }] }],
    }),
    /a temperature is expected/,
  ],
  [
    seen(0, 'storing', pack('A'), PLANT, { errorDeclaration: { reason: 'did_not_occur' } }),
    /^errorDeclaration\.declarationTime/,
  ],
]

it('what the standard does not allow, and what is not read, is refused with the field and what is allowed', () => {
  for (const [event, says] of FAULTS) {
    try {
      readEpcisEvent(JSON.parse(JSON.stringify(event)), new Map())
      assert.unreachable(String(says))
    } catch (error) {
      assert.match((error as Error).message, says)
      assert.not.match((error as Error).message, /\n/)
    }
  }
})

it('a document has the context and version of EPCIS 2.0', () => {
  const sound = document([])
  for (const [wrong, says] of [
    [{ '@context': 'https://example.org/' }, /^@context/],
    [{ schemaVersion: '1.2' }, /^schemaVersion: "1.2"/],
    [{ creationDate: 'yesterday' }, /^creationDate/],
    [{ epcisBody: {} }, /^epcisBody.eventList/],
  ] as const)
    assert.throws(
      () => eventsIn({ ...sound, ...wrong }),
      (error: Error) => says.test(error.message),
    )
  for (const one of [null, [], 'text', 7]) assert.throws(() => eventsIn(one), /JSON object/)
})

it('a body with a key whose check digit is wrong, or of the wrong kind, is passed over', () => {
  const [event] = [readEpcisEvent(made(0, ['A']), new Map())] as [SupplyEvent]
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
  for (const items of [['01/09506000134353/21/A'], ['414/9506000134376'], ['01/09506000134352'], ['Mrs. Smith']])
    assert.is(
      readBody('supply.recorded', { events: [{ ...event, items: items.map(bytes) }] } as unknown as Cbor),
      null,
      items[0],
    )
})

it.run()
