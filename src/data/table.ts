/** Reads CSV files: UTF-8 with or without byte order mark, any line end, comma, semicolon or tab; every fault in one line. */
import { isUtf8 } from 'node:buffer'
import { open, stat } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { CsvError, parse } from 'csv-parse'
import { messageOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { DataError, quote } from './fault.ts'

/** A table as it lies on disk; `name` is what errors call it. */
export interface TableFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Takes a table row by row, so that only what a study needs stays in memory. What it throws ends the scan. */
export interface TableReader {
  header(columns: readonly string[], delimiter: string): void
  /** As many cells as the header has, without the spaces around them; `line` is where the row ends, from 1. */
  row(cells: readonly string[], line: number): void
  /** Awaited now and then, and at the end: what was taken since may be worked off, and no more is read meanwhile. */
  drain?(): Promise<void>
}

const SLICE_BYTES = 1 << 18 // parsed and checked in about 20 ms (14 MB/s), then the event loop gets its turn
const RECORD_BYTES_MAX = 4 << 20 // 10,000 columns of 400 characters; more means a quote that never closes
const COLUMNS_MAX = 20_000 // twice the features that a study may have: extra columns are allowed, other files are not

/** Reads the whole file. Errors: `data-file`, `data-too-large`, `data-empty`. */
export async function readTableFile(path: string): Promise<TableFile> {
  try {
    if (!(await stat(path)).isFile()) throw new DataError('file', path, 'this is no file: give the CSV file')
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    if (size > LIMITS.csvBytesMax) {
      throw new DataError(
        'too-large',
        path,
        `${size} bytes, at most ${LIMITS.csvBytesMax} are allowed: leave out rows or columns`,
      )
    }
    return { name: path, bytes: await file.readFile() }
  } catch (error) {
    throw error instanceof DataError ? error : unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): DataError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const reason: Record<string, string> = {
    ENOENT: 'there is no such file: check the path',
    EACCES: 'this user may not read the file: change its permissions or its owner',
  }
  return new DataError('file', path, reason[code] ?? `cannot be read: ${messageOf(error)}`, undefined, error)
}

/**
 * Feeds a table to `reader`: first its header, then each row; blank lines are skipped.
 * Errors: `data-empty`, `data-encoding`, `data-header`, `data-syntax`, `data-ragged`, `data-too-large`, and the reader's own.
 */
export async function scanTable(file: TableFile, reader: TableReader): Promise<void> {
  const body = checkedBody(file)
  const delimiter = delimiterOf(body)
  const lines = new Lines(body)
  let columns = -1
  let rows = 0
  const takeRow = (cells: string[], end: number): void => {
    const line = lines.lineAt(end)
    if (columns < 0) {
      checkHeader(file.name, cells)
      columns = cells.length
      reader.header(cells, delimiter)
      return
    }
    if (cells.length !== columns) throw ragged(file.name, line, cells.length, columns, delimiter)
    rows++
    if (rows > LIMITS.datasetRowsMax) {
      throw new DataError('too-large', file.name, `more than ${LIMITS.datasetRowsMax} rows: leave some out`, line)
    }
    reader.row(cells, line)
  }
  try {
    await parseSlices(body, delimiter, takeRow, async () => reader.drain?.())
  } catch (error) {
    throw error instanceof CsvError ? syntaxFault(file.name, error, lines.next()) : error
  }
  if (rows === 0)
    throw new DataError('empty', file.name, 'there is a header but no row below it: export the patients too')
}

/** Calls `takeRow` with each row and the offset of its end, and awaits `drain` after each slice. */
async function parseSlices(
  body: Uint8Array,
  delimiter: string,
  takeRow: (cells: string[], end: number) => void,
  drain: () => Promise<void>,
): Promise<void> {
  const parser = parse({
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true, // spreadsheets leave rows of bare delimiters below the table
    trim: true,
    max_record_size: RECORD_BYTES_MAX,
    // nothing is passed on: rows are taken here, in the order of the file, and dropped
    on_record: (cells: string[], { bytes }) => {
      takeRow(cells, bytes)
      return null
    },
  })
  const failed = new Promise<never>((_, reject) => parser.once('error', reject))
  failed.catch(() => {}) // it is raced below; without a listener of its own a late failure would end the process
  try {
    for (let at = 0; at < body.length; at += SLICE_BYTES) {
      const slice = body.subarray(at, at + SLICE_BYTES)
      await Promise.race([failed, new Promise<void>((done) => parser.write(slice, () => done()))])
      await drain()
      await setImmediate()
    }
    await Promise.race([failed, new Promise<void>((done) => parser.resume().end(done))])
    await drain()
  } finally {
    parser.destroy()
  }
}

/** Counts lines for messages; csv-parse counts a CRLF inside quotes twice. */
class Lines {
  readonly #body: Uint8Array
  #at = 0
  #ended = 0
  constructor(body: Uint8Array) {
    this.#body = body
  }

  /** The line, from 1, of the byte before `end`; `end` never decreases. */
  lineAt(end: number): number {
    for (; this.#at < end; this.#at++) if (this.#endsLine(this.#at)) this.#ended++
    return end > 0 && this.#endsLine(end - 1) ? this.#ended : this.#ended + 1
  }

  /** The next line with something in it: where a row that could not be read begins. */
  next(): number {
    let end = this.#at
    while (end < this.#body.length && isSpace(this.#body[end] as number)) end++
    return this.lineAt(end + 1)
  }

  #endsLine(at: number): boolean {
    return this.#body[at] === 0x0a || (this.#body[at] === 0x0d && this.#body[at + 1] !== 0x0a)
  }
}

function syntaxFault(name: string, error: CsvError, line: number): DataError {
  const message: Partial<Record<string, string>> = {
    CSV_QUOTE_NOT_CLOSED:
      'a quote opens in this row and never closes: close it, or double it ("") if it is part of the text',
    CSV_MAX_RECORD_SIZE: `this row is longer than ${RECORD_BYTES_MAX} bytes: is a quote left open?`,
  }
  const text =
    message[error.code] ??
    'a quote stands in the middle of a cell: put the whole cell in quotes and double the inner one ("")'
  return new DataError('syntax', name, text, line, error)
}

/** The bytes after a byte order mark, once they are known to be text in UTF-8. */
function checkedBody({ name, bytes }: TableFile): Uint8Array {
  if (bytes.length === 0)
    throw new DataError('empty', name, 'the file is empty: export the table again, as CSV with a header line')
  if (bytes.length > LIMITS.csvBytesMax) {
    throw new DataError(
      'too-large',
      name,
      `${bytes.length} bytes, at most ${LIMITS.csvBytesMax} are allowed: leave out rows or columns`,
    )
  }
  const [a, b, c] = bytes
  if (a === 0x50 && b === 0x4b)
    throw new DataError('encoding', name, 'this is a zip or Excel file, CSV is expected: export it as "CSV UTF-8"')
  if (a === 0x1f && b === 0x8b)
    throw new DataError('encoding', name, 'this file is compressed with gzip: unpack it first')
  const utf16 = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)
  if (utf16) throw new DataError('encoding', name, 'this file is UTF-16, UTF-8 is expected: export it as "CSV UTF-8"')
  if (!isUtf8(bytes))
    throw new DataError(
      'encoding',
      name,
      'not UTF-8: export it as "CSV UTF-8", or convert it with iconv',
      badLine(bytes),
    )
  const body = a === 0xef && b === 0xbb && c === 0xbf ? bytes.subarray(3) : bytes
  if (isBlank(body))
    throw new DataError('empty', name, 'the file has no text: export the table again, as CSV with a header line')
  return body
}

/** Only spaces and line ends; looks no further than the first other byte. */
const isBlank = (body: Uint8Array): boolean => body.every(isSpace)
const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)

/** The first line that is not UTF-8: line feeds are never part of a longer sequence. */
function badLine(bytes: Uint8Array): number {
  let line = 1
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, start)
    const stop = end < 0 ? bytes.length : end
    if (!isUtf8(bytes.subarray(start, stop))) return line
    start = stop + 1
  }
  return line
}

/** The one of comma, semicolon and tab that the header line has most of, outside quotes. */
function delimiterOf(body: Uint8Array): string {
  const count: Record<string, number> = { ',': 0, ';': 0, '\t': 0 }
  let quoted = false
  let begun = false
  for (const byte of body) {
    const character = String.fromCharCode(byte)
    if (character === '"') quoted = !quoted
    if (!quoted && character in count) count[character] = (count[character] as number) + 1
    if (!quoted && begun && (character === '\n' || character === '\r')) break
    begun ||= character.trim() !== ''
  }
  return Object.entries(count).reduce((best, each) => (each[1] > best[1] ? each : best))[0]
}

function checkHeader(name: string, columns: readonly string[]): void {
  if (columns.length > COLUMNS_MAX) {
    throw new DataError(
      'header',
      name,
      `${columns.length} columns, at most ${COLUMNS_MAX} are allowed: export only what the study needs`,
      1,
    )
  }
  const seen = new Map<string, number>()
  for (const [i, column] of columns.entries()) {
    const first = seen.get(column)
    if (first !== undefined && column !== '') {
      throw new DataError(
        'header',
        name,
        `columns ${first + 1} and ${i + 1} are both called ${quote(column)}: rename or remove one`,
        1,
      )
    }
    seen.set(column, i)
  }
}

function ragged(name: string, line: number, cells: number, columns: number, delimiter: string): DataError {
  const text = delimiter === '\t' ? 'tab' : quote(delimiter)
  const hint =
    cells > columns ? `put text or numbers that contain a ${text} in quotes` : 'fill the row up with empty cells'
  return new DataError('ragged', name, `${cells} cells, but the header has ${columns} columns: ${hint}`, line)
}
