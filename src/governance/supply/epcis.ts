/**
 * Reads GS1 EPCIS 2.0 events from JSON-LD, strictly, into what entries have. What names no goods, place or organisation by a GS1 key stays
 * out, and is counted by its name: numbers of papers, event ids, devices, extensions. What would change the meaning if left out is refused.
 */

import { utf8 } from '../../core/bytes.ts'
import { BIZ_STEPS, DISPOSITIONS, ERROR_REASONS, PARTY_TYPES, TRANSACTION_TYPES } from '../../core/cbv.ts'
import { ConsiliumError } from '../../core/errors.ts'
import { type Gs1Key, type Gs1Kind, gs1KindOf, lotKey, readGs1 } from '../../core/gs1.ts'
import { SUPPLY_BOUNDS, type SupplyEvent } from '../kinds/supply.ts'
import { temperaturesOf } from './epcisSensors.ts'
import { dayOf, timeMsOf, zoneMinutesOf } from './epcisTime.ts'
import { isUri, requireUri } from './epcisUri.ts'
import { type LeftOut, note } from './leftOut.ts'

type Json = Record<string, unknown>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const COMMON = ['@context', 'type', 'eventTime', 'recordTime', 'eventTimeZoneOffset', 'eventID', 'errorDeclaration']
const WHERE = ['bizStep', 'disposition', 'readPoint', 'bizLocation', 'bizTransactionList', 'sourceList']
const MORE = ['destinationList', 'sensorElementList', 'certificationInfo']

/** Per type of EPCIS 2.0: what it is called here, and the fields that it may have beside those of all. */
const TYPES: Readonly<Record<string, { readonly type: SupplyEvent['type']; readonly fields: readonly string[] }>> = {
  ObjectEvent: { type: 'object', fields: ['action', 'epcList', 'quantityList', 'ilmd', 'persistentDisposition'] },
  AggregationEvent: { type: 'aggregation', fields: ['action', 'parentID', 'childEPCs', 'childQuantityList'] },
  TransactionEvent: { type: 'transaction', fields: ['action', 'parentID', 'epcList', 'quantityList'] },
  TransformationEvent: {
    type: 'transformation',
    fields: [
      ...['inputEPCList', 'inputQuantityList', 'outputEPCList', 'outputQuantityList'],
      ...['transformationID', 'ilmd', 'persistentDisposition'],
    ],
  },
  AssociationEvent: { type: 'association', fields: ['action', 'parentID', 'childEPCs', 'childQuantityList'] },
}
/** Kept nowhere, and as the standard has them all the same: what is wrong there is no event of its. */
const LEFT_OUT: Readonly<Record<string, (given: unknown, path: string) => void>> = {
  recordTime: (given, path) => timeMsOf(given, path),
  eventID: requireUri,
  transformationID: requireUri,
  certificationInfo: (given, path) => {
    for (const one of Array.isArray(given) ? given : [given]) requireUri(one, path)
  },
  persistentDisposition: (given, path) => {
    const { set, unset } = closed(given, path, ['set', 'unset'])
    if (set === undefined && unset === undefined) throw fault(path, 'set or unset is expected')
    for (const [name, words] of Object.entries({ set, unset }))
      if (words !== undefined) requireWords(words, `${path}.${name}`)
  },
}

const THINGS: readonly Gs1Kind[] = ['sgtin', 'sscc', 'grai', 'giai']
const CLASSES: readonly Gs1Kind[] = ['lgtin', 'gtin']
const ACTIONS = ['ADD', 'OBSERVE', 'DELETE'] as const

/** The events of an EPCISDocument, or the one event that `json` is; not read yet. Error: `epcis-document`. */
export function eventsIn(json: unknown): readonly unknown[] {
  if (!isObject(json)) throw fault('', 'a JSON object is expected', 'epcis-document')
  if (json.type !== 'EPCISDocument') return [json]
  const context = Array.isArray(json['@context']) ? json['@context'] : [json['@context']]
  const knows = (one: unknown): boolean =>
    typeof one === 'string' &&
    /^https:\/\/ref\.gs1\.org\/standards\/epcis\/(?:2\.\d+\.\d+\/)?epcis-context\.jsonld$/.test(one)
  if (!context.some(knows))
    throw fault(
      '@context',
      'the context of EPCIS 2.0 is expected, https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld',
      'epcis-document',
    )
  if (typeof json.schemaVersion !== 'string' || !/^2\.0(?:\.\d+)?$/.test(json.schemaVersion))
    throw fault('schemaVersion', `${shown(json.schemaVersion)} was given, "2.0" is expected`, 'epcis-document')
  timeMsOf(json.creationDate, 'creationDate')
  const events = isObject(json.epcisBody) ? json.epcisBody.eventList : undefined
  if (!Array.isArray(events)) throw fault('epcisBody.eventList', 'a list of events is expected', 'epcis-document')
  return events
}

/** One event. Errors: `epcis-event`, `gs1-…`; each names the field. */
export function readEpcisEvent(json: unknown, leftOut: LeftOut): SupplyEvent {
  if (!isObject(json)) throw fault('', 'a JSON object is expected')
  const known = TYPES[String(json.type)]
  if (known === undefined)
    throw fault('type', `${shown(json.type)} was given; ${Object.keys(TYPES).join(', ')} are allowed`)
  requireFields(json, known, leftOut)
  const event: Mutable<SupplyEvent> = {
    type: known.type,
    time: timeMsOf(json.eventTime, 'eventTime'),
    zone: zoneMinutesOf(json.eventTimeZoneOffset, 'eventTimeZoneOffset'),
  }
  if (known.type !== 'transformation')
    event.action = word(json, 'action', ACTIONS).toLowerCase() as Lowercase<(typeof ACTIONS)[number]>
  if (json.bizStep !== undefined) event.step = word(json, 'bizStep', BIZ_STEPS)
  if (json.disposition !== undefined) event.disposition = word(json, 'disposition', DISPOSITIONS)
  if (json.readPoint !== undefined) event.readPoint = placeOf(json.readPoint, 'readPoint', leftOut)
  if (json.bizLocation !== undefined) event.location = placeOf(json.bizLocation, 'bizLocation', leftOut)
  readGoods(json, event)
  readPapers(json, event, leftOut)
  if (json.sensorElementList !== undefined) {
    const readings = temperaturesOf(json.sensorElementList, leftOut)
    if (readings.length > 0) event.temperatures = readings
  }
  if (json.ilmd !== undefined) readIlmd(json, event, leftOut)
  if (json.errorDeclaration !== undefined) event.error = errorOf(json.errorDeclaration)
  requireWhole(json, event)
  return event
}

/** Fields of the standard that this type does not have are mistakes; names with a prefix are extensions. */
function requireFields(json: Json, { fields }: (typeof TYPES)[string], leftOut: LeftOut): void {
  const allowed = [...COMMON, ...WHERE, ...MORE, ...fields]
  for (const name of Object.keys(json)) {
    if (allowed.includes(name)) {
      LEFT_OUT[name]?.(json[name], name)
      if (LEFT_OUT[name] !== undefined) note(leftOut, name)
    } else if (isUri(name)) note(leftOut, name)
    else throw fault(name, `${String(json.type)} has no such field; extensions have a prefix, such as ex:field`)
  }
}

function readGoods(json: Json, event: Mutable<SupplyEvent>): void {
  const { type } = event
  const [items, amounts] =
    type === 'transformation'
      ? ['inputEPCList', 'inputQuantityList']
      : type === 'aggregation' || type === 'association'
        ? ['childEPCs', 'childQuantityList']
        : ['epcList', 'quantityList']
  const set = <K extends 'items' | 'outputs'>(field: K, name: string): void => {
    const found = keysOf(json[name], name)
    if (found.length > 0) event[field] = found
  }
  const setAmounts = <K extends 'amounts' | 'outputAmounts'>(field: K, name: string): void => {
    const found = amountsOf(json[name], name)
    if (found.length > 0) event[field] = found
  }
  set('items', items)
  setAmounts('amounts', amounts)
  set('outputs', 'outputEPCList')
  setAmounts('outputAmounts', 'outputQuantityList')
  if (json.parentID !== undefined) event.parent = utf8(keyOf(json.parentID, 'parentID', THINGS))
}

function readPapers(json: Json, event: Mutable<SupplyEvent>, leftOut: LeftOut): void {
  const papers = listOf(json.bizTransactionList, 'bizTransactionList', 8).map((one, i) => {
    const path = `bizTransactionList[${i}]`
    const paper = closed(one, path, ['type', 'bizTransaction'])
    requireUri(paper.bizTransaction, `${path}.bizTransaction`)
    note(leftOut, 'bizTransaction')
    return paper.type === undefined ? null : word(paper, 'type', TRANSACTION_TYPES, path)
  })
  const typed = papers.filter((one) => one !== null)
  if (typed.length > 0) event.papers = typed
  const sources = partiesOf(json.sourceList, 'sourceList', 'source', leftOut)
  if (sources.length > 0) event.sources = sources
  const destinations = partiesOf(json.destinationList, 'destinationList', 'destination', leftOut)
  if (destinations.length > 0) event.destinations = destinations
}

function partiesOf(given: unknown, path: string, field: string, leftOut: LeftOut): NonNullable<SupplyEvent['sources']> {
  return listOf(given, path, 8).map((one, i) => {
    const at = `${path}[${i}]`
    const party = closed(one, at, ['type', field])
    const key = keyOf(party[field], `${at}.${field}`, ['sgln', 'pgln'])
    return [word(party, 'type', PARTY_TYPES, at), glnIn(key, `${field} extension`, leftOut)]
  })
}

/** Instance and lot master data: the lot and its expiry, in the names of CBV 2.0's master data attributes. */
function readIlmd(json: Json, event: Mutable<SupplyEvent>, leftOut: LeftOut): void {
  const { ilmd } = json
  if (!isObject(ilmd)) throw fault('ilmd', 'a JSON object is expected')
  for (const [name, value] of Object.entries(ilmd)) {
    if (name === 'cbvmda:lotNumber') {
      if (typeof value !== 'string') throw fault(`ilmd.${name}`, 'a string is expected')
      guarded(`ilmd.${name}`, () => lotKey('00000000000000', value))
      event.lot = utf8(value)
    } else if (name === 'cbvmda:itemExpirationDate') event.expires = dayOf(value, `ilmd.${name}`)
    else if (isUri(name)) note(leftOut, name)
    else throw fault(`ilmd.${name}`, 'names here have a prefix, such as cbvmda:lotNumber')
  }
}

function errorOf(given: unknown): NonNullable<SupplyEvent['error']> {
  const error = closed(given, 'errorDeclaration', ['declarationTime', 'reason', 'correctiveEventIDs'])
  timeMsOf(error.declarationTime, 'errorDeclaration.declarationTime')
  for (const [i, id] of listOf(error.correctiveEventIDs, 'errorDeclaration.correctiveEventIDs').entries())
    requireUri(id, `errorDeclaration.correctiveEventIDs[${i}]`)
  if (error.reason === undefined) return 'incorrect_data'
  return word(error, 'reason', ERROR_REASONS, 'errorDeclaration')
}

/** Dispositions of persistentDisposition: each once. */
function requireWords(given: unknown, path: string): void {
  const words = listOf(given, path)
  if (words.length === 0 || new Set(words).size < words.length)
    throw fault(path, 'dispositions are expected, each once')
  for (const one of words) word({ [path]: one }, path, DISPOSITIONS)
}

/** What the schemas of each type ask for, beyond single fields. */
function requireWhole(json: Json, event: SupplyEvent): void {
  const { type, action, parent } = event
  const goods = event.items !== undefined || event.amounts !== undefined
  const made = event.outputs !== undefined || event.outputAmounts !== undefined
  const senses = Array.isArray(json.sensorElementList) && json.sensorElementList.length > 0
  if (type === 'object' && !goods && !Array.isArray(json.epcList) && !(senses && event.readPoint !== undefined))
    throw fault('epcList', 'epcList, a quantityList or sensors at a readPoint are expected')
  if (type === 'object' && json.ilmd !== undefined && action !== 'add')
    throw fault('ilmd', 'only an event with action ADD has it')
  if ((type === 'aggregation' || type === 'association') && !goods && action !== 'delete')
    throw fault('childEPCs', 'childEPCs or a childQuantityList are expected')
  if (type === 'aggregation' && parent === undefined && action !== 'observe')
    throw fault('parentID', 'whoever packs or unpacks says into what: only OBSERVE may leave it out')
  if (type === 'association' && parent === undefined) throw fault('parentID', 'an association has a parent')
  if (type === 'transaction' && listOf(json.bizTransactionList, 'bizTransactionList', 8).length === 0)
    throw fault('bizTransactionList', 'at least one is expected')
  if (type === 'transaction' && !goods && !Array.isArray(json.epcList) && action !== 'delete')
    throw fault('epcList', 'epcList or a quantityList are expected')
  if (type === 'transformation' && !(goods && made))
    throw fault(
      'inputEPCList',
      'inputs and outputs are expected in one event: a transformation in parts, told by its transformationID, is not read',
    )
}

function keysOf(given: unknown, path: string): Uint8Array[] {
  const keys = listOf(given, path).map((one, i) => keyOf(one, `${path}[${i}]`, THINGS))
  if (new Set(keys).size < keys.length) throw fault(path, 'each is named once')
  return keys.map(utf8)
}

function amountsOf(given: unknown, path: string): NonNullable<SupplyEvent['amounts']> {
  return listOf(given, path).map((one, i) => {
    const at = `${path}[${i}]`
    const { epcClass, quantity, uom = null } = closed(one, at, ['epcClass', 'quantity', 'uom'])
    if (typeof quantity !== 'number' || !(quantity >= 0 && quantity <= 1e12))
      throw fault(`${at}.quantity`, `${shown(quantity)} was given, a number from 0 is expected`)
    if (uom !== null && !(typeof uom === 'string' && /^[A-Z0-9]{2,3}$/.test(uom)))
      throw fault(
        `${at}.uom`,
        `${shown(uom)} was given, a code of UN/CEFACT Recommendation 20 is expected, such as KGM`,
      )
    return [utf8(keyOf(epcClass, `${at}.epcClass`, CLASSES)), quantity, uom]
  })
}

/** Only GLNs: other places, such as coordinates, might be where a patient lives. */
function placeOf(given: unknown, path: string, leftOut: LeftOut): Uint8Array {
  if (!isObject(given)) throw fault(path, 'an object with an id is expected')
  return glnIn(keyOf(given.id, `${path}.id`, ['sgln']), `${path} extension`, leftOut)
}

/** Extensions are what a hospital calls its rooms, and free text: places are told apart without. */
function glnIn(key: Gs1Key, name: string, leftOut: LeftOut): Uint8Array {
  const [gln, extension] = key.split('/254/')
  if (extension !== undefined) note(leftOut, name)
  return utf8(gln as string)
}

function keyOf(given: unknown, path: string, kinds: readonly Gs1Kind[]): Gs1Key {
  if (typeof given !== 'string') throw fault(path, `${shown(given)} was given, a URI is expected`)
  const key = guarded(path, () => readGs1(given))
  const kind = gs1KindOf(key) as Gs1Kind
  if (kinds.includes(kind)) return key
  throw fault(path, `${shown(given)} is of kind ${kind}; ${kinds.join(', ')} are allowed here`)
}

function guarded<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConsiliumError) throw fault(path, error.message, error.code)
    throw error
  }
}

function listOf(given: unknown, path: string, max: number = SUPPLY_BOUNDS.keysMax): readonly unknown[] {
  if (given === undefined) return []
  if (!Array.isArray(given)) throw fault(path, 'a list is expected')
  if (given.length > max) throw fault(path, `${given.length} were given, at most ${max} are allowed: split the event`)
  return given
}

function word<W extends string>(json: Json, field: string, words: readonly W[], path = ''): W {
  const given = json[field]
  const found = words.find((one) => one === given)
  if (found !== undefined) return found
  const bare =
    typeof given === 'string' ? words.find((one) => given.endsWith(`:${one}`) || given.endsWith(`-${one}`)) : undefined
  const allowed =
    words.length > 8 ? `a word of CBV 2.0 is expected, such as ${words[0]}` : `${words.join(', ')} are allowed`
  const hint = bare === undefined ? allowed : `EPCIS 2.0 in JSON has the bare word, "${bare}"`
  throw fault(path === '' ? field : `${path}.${field}`, `${shown(given)} was given; ${hint}`)
}

function closed(given: unknown, path: string, fields: readonly string[]): Json {
  if (!isObject(given)) throw fault(path, 'a JSON object is expected')
  const more = Object.keys(given).find((name) => !fields.includes(name))
  if (more !== undefined) throw fault(`${path}.${more}`, `no such field; ${fields.join(', ')} are allowed`)
  return given
}

const isObject = (given: unknown): given is Json => typeof given === 'object' && given !== null && !Array.isArray(given)

const shown = (given: unknown): string => (given === undefined ? 'nothing' : JSON.stringify(given).slice(0, 80))

function fault(path: string, why: string, code = 'epcis-event'): ConsiliumError {
  return new ConsiliumError({ code, message: path === '' ? why : `${path}: ${why}` })
}
