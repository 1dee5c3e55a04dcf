/** Columns as a hospital announces them, and whether a condition fits: then no text of a question is one that the hospital has not published. */
import { didYouMean } from './closest.ts'
import { type Condition, comparisons, type Literal, QUERY_BOUNDS } from './countQuery.ts'

export const COUNT_COLUMN_KINDS = ['number', 'date', 'text'] as const

/** A column that may be asked about. */
export interface CountColumn {
  /** Without its unit. */
  readonly name: string
  /** `1` where it has none. */
  readonly unit: string
  readonly kind: (typeof COUNT_COLUMN_KINDS)[number]
  /** The texts that stand in it, and may be asked for; null of numbers and dates. */
  readonly values: readonly string[] | null
}

export const COUNT_COLUMN_BOUNDS = {
  columnsMax: 128, // with names alone they fit an entry
  nameBytesMax: QUERY_BOUNDS.columnBytesMax,
  unitBytesMax: 40, // as of a published column
  valuesMax: 32, // of one column: more are names, or free text
  valueBytesMax: 64, // as of a literal
  textBytesMax: 16_384, // of all names, units and values: an announcement is held in memory for good
} as const

/** A column as an announcement has it: name, unit, kind, values. */
export type ToldColumn = readonly [string, string, CountColumn['kind'], readonly string[] | null]

/** Bytes of all names, units, kinds and values. */
export function columnBytes(columns: readonly ToldColumn[]): number {
  return columns.flat(2).reduce((sum, one) => sum + Buffer.byteLength(one ?? ''), 0)
}

/** A month or a year: a day may be one of birth, and stands in no question. */
const DATE = /^\d{4}(?:-(?:0[1-9]|1[0-2]))?$/

/** Why a condition cannot be asked of these columns, or null. */
export function columnFault(where: Condition | null, columns: readonly CountColumn[]): string | null {
  if (where === null) return null
  if (columns.length === 0)
    return 'it was announced without columns, so that only all can be counted: leave --where out'
  for (const one of comparisons(where)) {
    const column = columns.find(({ name }) => name === one.column)
    if (column === undefined) {
      const names = columns.map(({ name }) => name)
      return `no column "${one.column}" was announced${didYouMean(one.column, names)}; there are ${names.slice(0, 20).join(', ')}`
    }
    const [operator, literals] = one.is === 'in' ? ['in', one.literals] : [one.operator, [one.literal]]
    const fault = literals.map((literal) => literalFault(column, operator, literal)).find((found) => found !== null)
    if (fault !== undefined) return fault
  }
  return null
}

function literalFault({ name, kind, values }: CountColumn, operator: string, literal: Literal): string | null {
  if (kind === 'number')
    return typeof literal === 'number' ? null : `column "${name}" holds numbers, and '${literal}' is a text`
  if (kind === 'date') {
    if (typeof literal === 'string' && DATE.test(literal)) return null
    return `column "${name}" holds dates, and ${shown(literal)} is no year or month: '2024' and '2024-03' are allowed, days are not`
  }
  if (operator !== '=' && operator !== '!=' && operator !== 'in')
    return `column "${name}" holds texts: =, != and in are allowed, ${operator} is not`
  if (typeof literal === 'string' && (values ?? []).includes(literal)) return null
  const known = (values ?? []).map((value) => `'${value}'`).join(', ')
  return `column "${name}" was announced with the texts ${known}, and ${shown(literal)} is none of them`
}

const shown = (literal: Literal): string => (typeof literal === 'number' ? String(literal) : `'${literal}'`)
