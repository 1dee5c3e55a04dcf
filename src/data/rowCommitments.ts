/**
 * A keyed commitment to each row of a table: says later whether a row is the one that it was, and without the key tells nobody what is in it.
 * What counts is the text of the cells, in the order of the registered columns: quotes, line ends, a byte order mark and spaces around a
 * cell do not.
 */
import { didYouMean } from '../config/closest.ts'
import { encodeCbor } from '../core/cbor.ts'
import { type Domain, hmacSha256, taggedMessage } from '../core/digest.ts'
import { readColumn } from './columns.ts'
import { DataError, quote } from './fault.ts'
import { scanTable, type TableFile, type TableReader } from './table.ts'

export const ROW_BYTES = 32
export const KEY_HASH_BYTES = 16 // of a row's key value: two of five million rows that differ meet once in 10^25 tables

export type ColumnKind = 'number' | 'date' | 'text' | 'empty'

/** A column of a registered table. */
export interface RegisteredColumn {
  readonly name: string
  /** `1` where it says none. */
  readonly unit: string
  readonly kind: ColumnKind
}

/** One row as it is told to whoever scans. The two arrays are good until the next row. */
export interface CommittedRow {
  /** `ROW_BYTES`. */
  readonly commitment: Uint8Array
  /** `KEY_HASH_BYTES` of the key column's value; null where there is no key column. */
  readonly key: Uint8Array | null
  /** That value itself, for the hospital's own terminal. */
  readonly keyText: string | null
  /** Where the row ends, from 1. */
  readonly line: number
}

/** How a table is scanned. */
export interface RowScanOptions {
  /** 32 secret random bytes, the dataset's own. */
  readonly secret: Uint8Array
  readonly keyColumn: string | null
  /** Units by column, where the header does not say them. */
  readonly units?: Readonly<Record<string, string>>
  /** Of an earlier registration: where the table has the same columns, their order counts, not the file's; units are as they were. */
  readonly before?: readonly RegisteredColumn[]
  /** A key column that the table does not have is no fault: its rows have no keys then. */
  readonly lenient?: boolean
}

/** What a scan found besides the rows. */
export interface ScannedColumns {
  /** In the order that the commitments go by. */
  readonly columns: readonly RegisteredColumn[]
  /** As its header has it. */
  readonly keyColumn: string | null
  readonly rows: number
}

/**
 * Reads the whole table, and hands each row to `take`. Memory does not grow with the rows. Errors: those of `scanTable`,
 * `data-missing-column`, `data-mapping`.
 */
export async function scanRows(
  file: TableFile,
  options: RowScanOptions,
  take: (row: CommittedRow) => void,
): Promise<ScannedColumns> {
  const scan = new RowScan(file.name, options, take)
  await scanTable(file, scan)
  return { columns: scan.columns(), keyColumn: scan.keyColumn, rows: scan.rows }
}

const NOTHING = new Uint8Array(0)

/** A keyed commitment to anything else of a dataset: its file, its query, where it comes from. */
export function datasetSecretHash(secret: Uint8Array, domain: Domain, content: Uint8Array): Uint8Array {
  return hmacSha256(secret, taggedMessage(domain, NOTHING), content) // without a copy: a file may have 2 GiB
}

/** A keyed commitment to names, units and kinds. */
export function schemaCommitment(secret: Uint8Array, columns: readonly RegisteredColumn[]): Uint8Array {
  const content = encodeCbor(columns.map(({ name, unit, kind }) => [name, unit, kind]))
  return datasetSecretHash(secret, 'datasetSchema', content)
}

export const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
export const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/
const LENGTH_BYTES = 4
const UTF8_BYTES_MAX = 3 // of one UTF-16 unit

class RowScan implements TableReader {
  readonly #file: string
  readonly #options: RowScanOptions
  readonly #take: (row: CommittedRow) => void
  #header: readonly string[] = []
  #units: readonly string[] = []
  #kinds: ColumnKind[] = []
  /** From the order of the commitments to that of the file. */
  #places: number[] = []
  #keyPlace = -1
  #buffer = Buffer.alloc(0)
  #rowsAt = 0
  keyColumn: string | null = null
  rows = 0

  constructor(file: string, options: RowScanOptions, take: (row: CommittedRow) => void) {
    this.#file = file
    this.#options = options
    this.#take = take
  }

  header(names: readonly string[]): void {
    const { before = [], keyColumn, units = {}, secret, lenient } = this.#options
    const order = before.map(({ name }) => name)
    const nameless = names.indexOf('')
    if (nameless >= 0)
      throw new DataError('header', this.#file, `column ${nameless + 1} has no name: name it, or leave it out`, 1)
    const same = order.length === names.length && order.every((name) => names.includes(name))
    this.#places = (same ? order : names).map((name) => names.indexOf(name))
    this.#header = this.#places.map((place) => names[place] as string)
    this.#units = this.#header.map((name) => unitOf(name, units, before))
    this.#kinds = this.#header.map(() => 'empty')
    for (const name of Object.keys(units)) this.#find(name, '--unit')
    const keyed = keyColumn === null || (lenient === true && !names.includes(keyColumn)) ? null : keyColumn
    this.#keyPlace = keyed === null ? -1 : (this.#places[this.#find(keyed, '--key-column')] as number)
    this.keyColumn = keyed === null ? null : (names[this.#keyPlace] as string)
    const prefix = taggedMessage(
      'datasetRow',
      datasetSecretHash(secret, 'datasetHeader', encodeCbor([...this.#header])),
    )
    this.#buffer = Buffer.alloc(prefix.length + 4_096)
    this.#buffer.set(prefix)
    this.#rowsAt = prefix.length
  }

  row(cells: readonly string[], line: number): void {
    this.rows++
    let at = this.#rowsAt
    for (let i = 0; i < this.#places.length; i++) {
      const cell = cells[this.#places[i] as number] as string
      this.#noteKind(i, cell)
      this.#reserve(at + LENGTH_BYTES + cell.length * UTF8_BYTES_MAX)
      const length = this.#buffer.write(cell, at + LENGTH_BYTES, 'utf8')
      this.#buffer.writeUInt32BE(length, at)
      at += LENGTH_BYTES + length
    }
    const { secret } = this.#options
    const commitment = hmacSha256(secret, this.#buffer.subarray(0, at))
    const keyText = this.#keyPlace < 0 ? null : (cells[this.#keyPlace] as string)
    const key = keyText === null ? null : keyHash(secret, keyText)
    this.#take({ commitment, key, keyText, line })
  }

  columns(): RegisteredColumn[] {
    return this.#header.map((name, i) => {
      return { name, unit: this.#units[i] as string, kind: this.#kinds[i] as ColumnKind }
    })
  }

  #noteKind(i: number, cell: string): void {
    const before = this.#kinds[i] as ColumnKind
    if (before === 'text' || cell === '') return
    const kind = NUMBER.test(cell) ? 'number' : DATE.test(cell) ? 'date' : 'text'
    this.#kinds[i] = before === 'empty' || before === kind ? kind : 'text'
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return
    const grown = Buffer.alloc(bytes * 2)
    grown.set(this.#buffer)
    this.#buffer = grown
  }

  #find(given: string, option: string): number {
    const columns = this.#header.map(readColumn)
    const wanted = given.normalize('NFC')
    const place = columns.findIndex(({ full, name }) => full === wanted || name === wanted)
    if (place >= 0) return place
    const names = columns.map(({ name }) => name)
    const message = `the column ${quote(given)}, named with ${option}, does not exist${didYouMean(wanted, names)}`
    throw new DataError('missing-column', this.#file, message)
  }
}

function unitOf(header: string, units: Readonly<Record<string, string>>, before: readonly RegisteredColumn[]): string {
  const { full, name, unit } = readColumn(header)
  const given = [full, name].find((key) => Object.hasOwn(units, key))
  if (given !== undefined) return units[given] || '1'
  return unit || before.find((column) => column.name === header)?.unit || '1'
}

function keyHash(secret: Uint8Array, text: string): Uint8Array {
  return datasetSecretHash(secret, 'datasetKey', Buffer.from(text.normalize('NFC'), 'utf8')).subarray(0, KEY_HASH_BYTES)
}
