/** Temperatures of EPCIS 2.0 sensor elements; other measurements stay out. */
import { COMPONENTS, MEASUREMENTS, SENSOR_ALERTS } from '../../core/cbv.ts'
import { ConsiliumError } from '../../core/errors.ts'
import { SUPPLY_BOUNDS, type SupplyEvent } from '../kinds/supply.ts'
import { timeMsOf } from './epcisTime.ts'
import { isUri, requireUri } from './epcisUri.ts'
import { type LeftOut, note } from './leftOut.ts'

type Json = Record<string, unknown>
type Reading = NonNullable<SupplyEvent['temperatures']>[number]

const ELEMENT = ['sensorMetadata', 'sensorReport']
const TIMES = ['time', 'startTime', 'endTime']
const URIS = [
  ...['deviceID', 'deviceMetadata', 'rawData', 'dataProcessingMethod', 'bizRules', 'microorganism'],
  ...['chemicalSubstance', 'uriValue', 'coordinateReferenceSystem'],
]
const NUMBERS = ['value', 'minValue', 'maxValue', 'meanValue', 'sDev', 'percRank', 'percValue']
const METADATA = [...TIMES, 'deviceID', 'deviceMetadata', 'rawData', 'dataProcessingMethod', 'bizRules']
const REPORT = [
  ...['type', 'exception', 'time', 'component', 'stringValue', 'booleanValue', 'hexBinaryValue', 'uom'],
  ...NUMBERS,
  ...URIS.filter((name) => name !== 'bizRules'),
]
const WORDS: Readonly<Record<string, readonly string[]>> = {
  type: MEASUREMENTS,
  exception: SENSOR_ALERTS,
  component: COMPONENTS,
}
const VALUES = ['value', 'minValue', 'maxValue', 'meanValue'] as const

/** Thousandths of a degree Celsius, by the codes of UN/CEFACT Recommendation 20. */
const TO_MILLI_CELSIUS: Readonly<Record<string, (value: number) => number>> = {
  CEL: (value) => value * 1_000,
  FAH: (value) => ((value - 32) * 5_000) / 9,
  KEL: (value) => (value - 273.15) * 1_000,
}

/** The readings of all elements. Error: `epcis-event`. */
export function temperaturesOf(given: unknown, leftOut: LeftOut): Reading[] {
  if (!Array.isArray(given)) throw fault('sensorElementList', 'a list is expected')
  const readings = given.flatMap((one, i) => readingsOf(one, `sensorElementList[${i}]`, leftOut))
  if (readings.length <= SUPPLY_BOUNDS.readingsMax) return readings
  const why = `${readings.length} temperatures were given, at most ${SUPPLY_BOUNDS.readingsMax} are allowed: split the event, or give minValue and maxValue`
  throw fault('sensorElementList', why)
}

function readingsOf(given: unknown, path: string, leftOut: LeftOut): Reading[] {
  const element = closed(given, path, ELEMENT, leftOut)
  const metadata =
    element.sensorMetadata === undefined
      ? {}
      : closed(element.sensorMetadata, `${path}.sensorMetadata`, METADATA, leftOut)
  requireFields(metadata, `${path}.sensorMetadata`)
  const reports = element.sensorReport
  if (!Array.isArray(reports) || reports.length === 0) throw fault(`${path}.sensorReport`, 'at least one is expected')
  return reports.flatMap((one, i) => {
    const reading = readingOf(one, metadata, `${path}.sensorReport[${i}]`, leftOut)
    return reading === null ? [] : [reading]
  })
}

/** What is left out is looked at all the same, so that nothing is taken that the standard refuses. */
function requireFields(report: Json, path: string): void {
  for (const [name, value] of Object.entries(report)) {
    const at = `${path}.${name}`
    if (URIS.includes(name)) requireUri(value, at)
    else if (TIMES.includes(name)) timeMsOf(value, at)
    else if (NUMBERS.includes(name) && typeof value !== 'number') throw fault(at, 'a number is expected')
    else if ((name === 'uom' || name === 'stringValue') && typeof value !== 'string')
      throw fault(at, 'a string is expected')
    else if (name === 'booleanValue' && typeof value !== 'boolean') throw fault(at, 'true or false is expected')
    else if (name === 'hexBinaryValue' && !/^[0-9A-Fa-f]+$/.test(String(value)))
      throw fault(at, 'hexadecimal digits are expected')
    else if (WORDS[name] !== undefined && !isWord(value, WORDS[name]))
      throw fault(at, `${JSON.stringify(value).slice(0, 80)} was given; ${WORDS[name][0]} is such a word of GS1`)
  }
}

/** Of these, or of a vocabulary that is not GS1's. */
function isWord(given: unknown, words: readonly string[]): boolean {
  if (typeof given !== 'string') return false
  return (
    words.includes(given) || (isUri(given) && !/^(?:urn:epcglobal:cbv|https?:\/\/(?:[a-z]+\.)?gs1\.org\/)/.test(given))
  )
}

function readingOf(given: unknown, metadata: Json, path: string, leftOut: LeftOut): Reading | null {
  const report = closed(given, path, REPORT, leftOut)
  requireFields(report, path)
  if (report.type !== 'Temperature') {
    if (typeof report.type !== 'string' || /Temperature$/.test(report.type))
      throw fault(`${path}.type`, 'what is measured is expected; EPCIS 2.0 in JSON has the bare word, "Temperature"')
    note(leftOut, `sensorReport ${String(report.type).slice(0, 40)}`)
    return null
  }
  const convert = TO_MILLI_CELSIUS[String(report.uom)]
  if (convert === undefined) throw fault(`${path}.uom`, 'CEL, FAH and KEL are allowed for a temperature')
  const values = VALUES.flatMap((name) =>
    report[name] === undefined ? [] : [milliCelsiusOf(report[name], `${path}.${name}`, convert)],
  )
  if (values.length === 0) throw fault(`${path}.value`, 'value, minValue or maxValue is expected')
  const time = (field: unknown, name: string): number | null => (field === undefined ? null : timeMsOf(field, name))
  const at = time(report.time ?? metadata.time, `${path}.time`)
  const from = at ?? time(metadata.startTime, `${path}.startTime`)
  const to = at ?? time(metadata.endTime, `${path}.endTime`)
  return [Math.min(...values), Math.max(...values), from, to, report.exception === 'ALARM_CONDITION']
}

function milliCelsiusOf(given: unknown, path: string, convert: (value: number) => number): number {
  const { milliCelsiusMin, milliCelsiusMax } = SUPPLY_BOUNDS
  const value = typeof given === 'number' ? Math.round(convert(given)) + 0 : Number.NaN // never −0
  if (value >= milliCelsiusMin && value <= milliCelsiusMax) return value
  throw fault(path, `${JSON.stringify(given)} was given, a temperature is expected`)
}

function closed(given: unknown, path: string, fields: readonly string[], leftOut: LeftOut): Json {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw fault(path, 'a JSON object is expected')
  for (const name of Object.keys(given)) {
    if (name.includes(':') && isUri(name)) note(leftOut, name)
    else if (!fields.includes(name)) throw fault(`${path}.${name}`, 'EPCIS 2.0 has no such field here')
  }
  return given as Json
}

function fault(path: string, why: string): ConsiliumError {
  return new ConsiliumError({ code: 'epcis-event', message: `${path}: ${why}` })
}
