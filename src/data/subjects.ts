/** Which patient each row of a table is of. Record numbers stay in memory, and in the hospital's vault. */
import { MISSING_CELLS } from '../config/study.ts'
import type { Dataset } from './dataset.ts'
import { DataError, quote } from './fault.ts'

const RECORD_CHARACTERS_MAX = 128 // longer than any record number: a column of notes was named by mistake

/** Collects the record numbers of a table as its rows are read; rows with the same one are of one patient. */
export class SubjectReader {
  readonly #file: string
  readonly #column: string
  readonly #numbers = new Map<string, number>()
  readonly #rows: number[] = []

  constructor(file: string, column: string) {
    this.#file = file
    this.#column = column
  }

  /** In the order in which they come first. */
  get records(): string[] {
    return [...this.#numbers.keys()]
  }

  /** The patient of each row. */
  of(): Uint32Array {
    return Uint32Array.from(this.#rows)
  }

  /** Errors: `data-missing-subject`. The message does not quote what was given: it is a record number. */
  take(cell: string, line: number): void {
    const record = cell.normalize('NFC')
    const fault = MISSING_CELLS.includes(record)
      ? 'the record number is missing: fill it in, or leave the row out'
      : record.length > RECORD_CHARACTERS_MAX
        ? `a text of ${record.length} characters is no record number: name another column with --subject`
        : null
    if (fault !== null)
      throw new DataError('missing-subject', this.#file, `column ${quote(this.#column)}: ${fault}`, line)
    const number = this.#numbers.get(record) ?? this.#numbers.size
    this.#numbers.set(record, number)
    this.#rows.push(number)
  }
}

/** Rows of each patient, by the order of `subjects`. */
export function rowsOfSubjects(subjects: Uint32Array, count: number): Uint32Array {
  const rows = new Uint32Array(count)
  for (const subject of subjects) rows[subject] = (rows[subject] as number) + 1
  return rows
}

/** The part of a table that may be used, and how many patients train in it. */
export interface Permitted {
  readonly dataset: Dataset
  readonly patients: number
}

/**
 * The rows of those patients whose place in `permitted` is 1, in the parts that they were dealt to; validation rows that are fewer than
 * `validationMin` are left unused.
 */
export function permittedRows(dataset: Dataset, permitted: Uint8Array, validationMin: number): Permitted {
  const subjects = dataset.subjects ?? new Uint32Array(0)
  const of = (rows: Uint32Array): Uint32Array => {
    const kept = new Uint32Array(rows.length)
    let count = 0
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number
      if (permitted[subjects[row] as number] === 1) kept[count++] = row
    }
    return kept.slice(0, count)
  }
  const [trainRows, testRows, validation] = [of(dataset.trainRows), of(dataset.testRows), of(dataset.validationRows)]
  const validationRows = validation.length < validationMin ? new Uint32Array(0) : validation
  const trains = new Uint8Array(permitted.length)
  let patients = 0
  for (let i = 0; i < trainRows.length; i++) {
    const subject = subjects[trainRows[i] as number] as number
    if (trains[subject] === 0) patients++
    trains[subject] = 1
  }
  return { dataset: { ...dataset, trainRows, testRows, validationRows }, patients }
}
