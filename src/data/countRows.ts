/** Counts, in a registered table, the patients or rows that a condition holds for. Only the number leaves. */

import type { CountColumn } from '../config/countColumns.ts'
import type { Condition, Literal, Operator } from '../config/countQuery.ts'
import { MISSING_CELLS } from '../config/study.ts'
import { readColumn } from './columns.ts'
import { DataError, quote } from './fault.ts'
import { scanTable, type TableFile, type TableReader } from './table.ts'

/** What is counted, and among whom. */
export interface CountJob {
  /** Null where all are. */
  readonly where: Condition | null
  readonly columns: readonly CountColumn[]
  /** The column of record numbers: each is counted once, whatever rows it has; null where rows are counted. */
  readonly keyColumn: string | null
  /** Whether the patient with that record number may be counted. */
  readonly permitted: (record: string) => boolean
}

/** A row's cells, as the table has them. */
type Test = (cells: readonly string[]) => boolean

/** Reads the whole table once. Rows without a record number are nobody's, and not counted. Errors: those of `scanTable`, `data-missing-column`. */
export async function countRows(file: TableFile, job: CountJob): Promise<number> {
  const count = new Count(file.name, job)
  await scanTable(file, count)
  return count.found
}

class Count implements TableReader {
  readonly #file: string
  readonly #job: CountJob
  #test: Test = () => false
  #key = -1
  #rows = 0
  readonly #patients = new Set<string>()

  constructor(file: string, job: CountJob) {
    this.#file = file
    this.#job = job
  }

  header(names: readonly string[]): void {
    const { where, columns, keyColumn } = this.#job
    const place = (name: string): number => columnPlace(names, name, this.#file)
    this.#key = keyColumn === null ? -1 : place(keyColumn)
    this.#test = where === null ? () => true : testOf(where, columns, place)
  }

  row(cells: readonly string[]): void {
    if (!this.#test(cells)) return
    if (this.#key < 0) {
      this.#rows++
      return
    }
    const record = (cells[this.#key] as string).normalize('NFC')
    if (MISSING_CELLS.includes(record) || this.#patients.has(record)) return
    if (this.#job.permitted(record)) this.#patients.add(record)
  }

  get found(): number {
    return this.#rows + this.#patients.size
  }
}

/** Where a column stands, by its header, or by its name without its unit. Error: `data-missing-column`. */
export function columnPlace(header: readonly string[], name: string, file: string): number {
  const columns = header.map(readColumn)
  const wanted = name.normalize('NFC')
  const full = columns.findIndex((column) => column.full === wanted)
  const place = full >= 0 ? full : columns.findIndex((column) => column.name === wanted)
  if (place >= 0) return place
  throw new DataError(
    'missing-column',
    file,
    `the column ${quote(name)} is not there any more: register the table again`,
    1,
  )
}

function testOf(where: Condition, columns: readonly CountColumn[], place: (name: string) => number): Test {
  switch (where.is) {
    case 'not': {
      const part = testOf(where.part, columns, place)
      return (cells) => !part(cells)
    }
    case 'and':
    case 'or': {
      const parts = where.parts.map((part) => testOf(part, columns, place))
      return where.is === 'and'
        ? (cells) => parts.every((part) => part(cells))
        : (cells) => parts.some((part) => part(cells))
    }
    default: {
      const at = place(where.column)
      const kind = columns.find(({ name }) => name === where.column)?.kind ?? 'text'
      const meets = where.is === 'in' ? isAmong(where.literals, kind) : isMet(where.operator, where.literal, kind)
      return (cells) => {
        const cell = cells[at] as string
        return !MISSING_CELLS.includes(cell) && meets(cell)
      }
    }
  }
}

function isAmong(literals: readonly Literal[], kind: CountColumn['kind']): (cell: string) => boolean {
  const each = literals.map((literal) => isMet('=', literal, kind))
  return (cell) => each.some((meets) => meets(cell))
}

/** A date is compared by as many of its characters as the literal has: its year, or its month. */
function isMet(operator: Operator, literal: Literal, kind: CountColumn['kind']): (cell: string) => boolean {
  if (kind === 'number') {
    const wanted = Number(literal)
    return (cell) => {
      const value = Number(cell)
      return !Number.isNaN(value) && holds(operator, value - wanted)
    }
  }
  const wanted = String(literal)
  const of = kind === 'date' ? (cell: string) => cell.slice(0, wanted.length) : (cell: string) => cell.normalize('NFC')
  return (cell) => {
    const value = of(cell)
    return holds(operator, value < wanted ? -1 : value > wanted ? 1 : 0)
  }
}

function holds(operator: Operator, difference: number): boolean {
  switch (operator) {
    case '=':
      return difference === 0
    case '!=':
      return difference !== 0
    case '<':
      return difference < 0
    case '<=':
      return difference <= 0
    case '>':
      return difference > 0
    case '>=':
      return difference >= 0
  }
}
