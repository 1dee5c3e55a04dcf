/**
 * What of a table may be announced: how many it is of, and which columns may be asked about. No column that tells patients apart, no text that
 * few share, and none at all where nobody knows how many share it: so that no question needs a name, and none can hold one.
 */
import { COUNT_COLUMN_BOUNDS, type CountColumn } from '../config/countColumns.ts'
import { MISSING_CELLS } from '../config/study.ts'
import { readColumn } from './columns.ts'
import { columnPlace } from './countRows.ts'
import { DATE, NUMBER, type RegisteredColumn } from './rowCommitments.ts'
import { scanTable, type TableFile, type TableReader } from './table.ts'

/** How a table is looked at. */
export interface AnnounceJob {
  /** Names and units as they were registered. */
  readonly registered: readonly Pick<RegisteredColumn, 'name' | 'unit'>[]
  /** The column of record numbers; null where rows are counted. */
  readonly keyColumn: string | null
  /** Patients who must share a text. */
  readonly cohort: number
  /** The hospital says that a key of its own in every row is a patient's, and no visit's. */
  readonly isRowPerPatient: boolean
}

/** What was found. */
export interface Announceable {
  /** Patients, or rows. */
  readonly count: number
  readonly columns: readonly CountColumn[]
  /** The others, and why each is left out. */
  readonly leftOut: readonly { readonly column: string; readonly because: string }[]
}

const DISTINCT_MAX = 256 // texts of one column that are counted: of more, none is worth asking for
const NUMBERS_MAX = 10_000 // whole numbers that are looked at for repetition

/** Reads the whole table once. Errors: those of `scanTable`. */
export async function announceable(file: TableFile, job: AnnounceJob): Promise<Announceable> {
  const survey = new Survey(file.name, job)
  await scanTable(file, survey)
  return survey.result()
}

class Survey implements TableReader {
  readonly #file: string
  readonly #job: AnnounceJob
  #columns: ColumnSurvey[] = []
  #key = -1
  /** Those that are somebody's. */
  #rows = 0
  readonly #patients = new Set<string>()

  constructor(file: string, job: AnnounceJob) {
    this.#file = file
    this.#job = job
  }

  header(names: readonly string[]): void {
    const { keyColumn, registered, cohort } = this.#job
    this.#key = keyColumn === null ? -1 : columnPlace(names, keyColumn, this.#file)
    const short = names.map((name) => readColumn(name).name)
    this.#columns = names.map((header, place) => {
      const name = short[place] as string
      const unit = registered.find((one) => one.name === header)?.unit ?? '1'
      const twice = short.filter((one) => one === name).length > 1
      return new ColumnSurvey(name, unit, cohort, place === this.#key, twice)
    })
  }

  row(cells: readonly string[]): void {
    const record = this.#key < 0 ? null : (cells[this.#key] as string).normalize('NFC')
    if (record !== null && MISSING_CELLS.includes(record)) return
    this.#rows++
    if (record !== null) this.#patients.add(record)
    for (let i = 0; i < this.#columns.length; i++) (this.#columns[i] as ColumnSurvey).take(cells[i] as string, record)
  }

  result(): Announceable {
    const columns: CountColumn[] = []
    const leftOut: { column: string; because: string }[] = []
    const whyNoTexts = this.#whyNoTexts()
    for (const one of this.#columns) {
      const found = one.result(whyNoTexts)
      if (typeof found === 'string') leftOut.push({ column: one.name, because: found })
      else columns.push(found)
    }
    return { count: this.#key < 0 ? this.#rows : this.#patients.size, columns, leftOut }
  }

  /** Ten visits of one patient share its name: where rows may be visits, no text is known to be shared by anybody. */
  #whyNoTexts(): string | null {
    if (this.#key < 0)
      return 'it holds texts, and without a column of record numbers (consilium dataset register --key-column) nobody knows how many patients share one'
    if (this.#rows > this.#patients.size || this.#job.isRowPerPatient) return null
    return 'it holds texts, and every row has a key of its own, as a visit has: --row-per-patient says that each is a patient'
  }
}

/** What is known of one column. */
class ColumnSurvey {
  readonly name: string
  readonly #unit: string
  readonly #cohort: number
  readonly #isKey: boolean
  readonly #isTwice: boolean
  #kind: 'empty' | 'number' | 'date' | 'text' = 'empty'
  /** Who has each text, up to a cohort; null where there are too many texts. */
  #texts: Map<string, Set<string>> | null = new Map()
  /** Whole numbers so far, each once; null where one came again, or one is no whole number. */
  #numbers: Set<number> | null = new Set()

  constructor(name: string, unit: string, cohort: number, isKey: boolean, isTwice: boolean) {
    this.name = name
    this.#unit = unit
    this.#cohort = cohort
    this.#isKey = isKey
    this.#isTwice = isTwice
  }

  take(cell: string, record: string | null): void {
    if (this.#isKey || this.#isTwice || MISSING_CELLS.includes(cell)) return
    const kind = NUMBER.test(cell) ? 'number' : DATE.test(cell) ? 'date' : 'text'
    this.#kind = this.#kind === 'empty' || this.#kind === kind ? kind : 'text'
    this.#noteNumber(cell, kind)
    if (record !== null) this.#noteText(cell.normalize('NFC'), record)
  }

  #noteNumber(cell: string, kind: string): void {
    if (this.#numbers === null || this.#numbers.size >= NUMBERS_MAX) return
    const value = kind === 'number' ? Number(cell) : Number.NaN
    if (!Number.isInteger(value) || this.#numbers.has(value)) this.#numbers = null
    else this.#numbers.add(value)
  }

  #noteText(text: string, record: string): void {
    if (this.#texts === null) return
    const whose = this.#texts.get(text) ?? new Set<string>()
    if (whose.size < this.#cohort) whose.add(record)
    this.#texts.set(text, whose)
    if (this.#texts.size > DISTINCT_MAX) this.#texts = null
  }

  /** The column, or why it is left out; `whyNoTexts` is the table's reason against any text. */
  result(whyNoTexts: string | null): CountColumn | string {
    const { name } = this
    const unit = this.#unit
    const { valuesMax, valueBytesMax, nameBytesMax, unitBytesMax } = COUNT_COLUMN_BOUNDS
    if (this.#isKey) return 'it tells patients apart'
    if (this.#isTwice) return 'another column has its name'
    if (this.#kind === 'empty') return 'it is empty'
    if (Buffer.byteLength(name) > nameBytesMax) return `its name takes more than ${nameBytesMax} bytes`
    if (Buffer.byteLength(unit) > unitBytesMax) return `its unit takes more than ${unitBytesMax} bytes`
    if (this.#kind === 'number' && (this.#numbers?.size ?? 0) >= this.#cohort)
      return 'every row has a whole number of its own, as a record number is'
    if (this.#kind !== 'text') return { name, unit, kind: this.#kind, values: null }
    if (whyNoTexts !== null) return whyNoTexts
    const shared = [...(this.#texts ?? [])]
      .flatMap(([text, whose]) => (whose.size >= this.#cohort ? [text] : []))
      .sort()
    if (this.#texts === null || shared.length > valuesMax) return `it has more than ${valuesMax} different texts`
    if (shared.length === 0) return `none of its texts is shared by ${this.#cohort}`
    const long = shared.find((text) => Buffer.byteLength(text) > valueBytesMax)
    return long === undefined
      ? { name, unit, kind: 'text', values: shared }
      : `it has texts of more than ${valueBytesMax} bytes`
  }
}
