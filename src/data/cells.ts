/** Reads one cell as a study's feature or label says, and tells what is wrong with it. */
import { closest } from '../config/closest.ts'
import { type CategoryFeature, type Feature, MISSING_CELLS, type NumberFeature, type Study } from '../config/study.ts'
import { MAGNITUDE_MAX } from '../core/statistics.ts'
import { type DataCode, DataError, quote } from './fault.ts'

/** Where a cell stands, for the message. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: string
}

export type CellReader = (cell: string, place: Place) => number

/** A number as tables may write it. */
export const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const NOT_FINITE = /^[+-]?(?:nan|inf|infinity|∞|#num!|#div\/0!|#value!)$/i
const DECIMAL_COMMA = /^[+-]?\d+,\d+$/

/** A reader for `feature`: a number as it stands, a category as the index of its level, NaN where missing. */
export function featureReader(feature: Feature): CellReader {
  return feature.kind === 'number' ? numberReader(feature) : categoryReader(feature)
}

/** A reader for the label: 1 for the positive value, 0 for the negative one. */
export function labelReader({ label }: Study): CellReader {
  const words = [label.negative, label.positive]
  return (cell, place) => {
    if (isMissing(cell)) throw fault('missing-label', place, 'the label is missing: fill it in, or leave the row out')
    const index = words.indexOf(cell.normalize('NFC'))
    if (index < 0) {
      throw fault(
        'bad-label',
        place,
        `${quote(cell)} was given, ${quote(label.positive)} or ${quote(label.negative)} is allowed: rename it`,
      )
    }
    return index
  }
}

const isMissing = (cell: string): boolean => MISSING_CELLS.includes(cell)

function numberReader(feature: NumberFeature): CellReader {
  const [low, high] = feature.range ?? [-MAGNITUDE_MAX, MAGNITUDE_MAX]
  const unit = feature.unit === '1' ? '' : ` ${feature.unit}`
  const convert =
    feature.unit === '1' ? 'convert the column if it is on another scale' : `convert the column if it is not in${unit}`
  return (cell, place) => {
    if (isMissing(cell)) return missing(feature, place)
    const value = NUMBER.test(cell) ? Number(cell) : Number.NaN
    if (Number.isNaN(value)) throw notANumber(cell, place)
    if (!Number.isFinite(value))
      throw fault('not-finite', place, `${quote(cell)} is too large for a number: correct it, or leave the cell empty`)
    if (value < low || value > high) {
      throw fault(
        'out-of-range',
        place,
        `${quote(cell)} was given, ${low} to ${high}${unit} is allowed: correct the cell, or ${convert}`,
      )
    }
    return value
  }
}

function notANumber(cell: string, place: Place): DataError {
  if (NOT_FINITE.test(cell)) {
    return fault(
      'not-finite',
      place,
      `${quote(cell)} is not a finite number: leave the cell empty if the value is missing`,
    )
  }
  if (DECIMAL_COMMA.test(cell)) {
    return fault('not-a-number', place, `${quote(cell)} has a decimal comma: export the table with decimal points`)
  }
  return fault(
    'not-a-number',
    place,
    `${quote(cell)} is text, a number is expected: correct it, or leave the cell empty if the value is missing`,
  )
}

function categoryReader(feature: CategoryFeature): CellReader {
  const index = new Map(feature.levels.map((level, i) => [level, i]))
  return (cell, place) => {
    if (isMissing(cell)) return missing(feature, place)
    const found = index.get(cell.normalize('NFC'))
    if (found !== undefined) return found
    const near = closest(cell, feature.levels)
    const hint = near === undefined ? 'rename it, or leave the cell empty' : `is ${quote(near)} meant?`
    throw fault('unknown-level', place, `${quote(cell)} was given, ${levelList(feature.levels)} are allowed: ${hint}`)
  }
}

const LEVELS_SHOWN_MAX = 12 // in one message; the study's description lists all

function levelList(levels: readonly string[]): string {
  const rest = levels.length - LEVELS_SHOWN_MAX
  return levels.slice(0, LEVELS_SHOWN_MAX).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

function missing(feature: Feature, place: Place): number {
  if (feature.missing === 'refuse') {
    throw fault(
      'missing-value',
      place,
      'the value is missing, and the study refuses that: fill it in, or leave the row out',
    )
  }
  return Number.NaN
}

function fault(code: DataCode, place: Place, message: string): DataError {
  return new DataError(code, place.file, `column ${quote(place.column)}: ${message}`, place.line)
}
