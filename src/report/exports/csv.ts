/** Entries as CSV (RFC 4180), a line each, in columns that stay: for spreadsheets, which are kept from taking a cell for a formula. */
import { type Exported, fieldsOf, instant, placeOf } from './exported.ts'

const COLUMNS = [
  ...(['entry', 'hash', 'hospital', 'hospital_key', 'number', 'recorded', 'lamport', 'kind', 'meaning'] as const),
  ...(['study', 'cites', 'state', 'body', 'fields'] as const),
] as const

const LINE_END = '\r\n'

/** A record of cells, with its line end. Only cells that need it are quoted. */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map(cellOf).join(',')}${LINE_END}`
}

export const CSV_HEADER = csvLine(COLUMNS)

/** The line of an entry. `body`: there, dropped, or of another version; its fields are JSON. */
export function csvOf(exported: Exported): string {
  const { entry, state, kind, row, hospital, body } = exported
  const cells: Readonly<Record<(typeof COLUMNS)[number], string>> = {
    entry: placeOf(exported),
    hash: entry.hash,
    hospital,
    hospital_key: entry.author,
    number: String(entry.seq),
    recorded: instant(entry.timeMs),
    lamport: String(entry.lamport),
    kind: entry.kind,
    meaning: row.says,
    study: entry.study ?? '',
    cites: entry.refs.map(([, , hash]) => hash).join(' '),
    state,
    body: entry.body === null ? 'dropped' : kind === null ? 'not read' : 'there',
    fields: body === null ? '' : JSON.stringify(Object.fromEntries(fieldsOf(body))),
  }
  return csvLine(COLUMNS.map((column) => cells[column]))
}

/** What a spreadsheet would take for a formula is told as text (OWASP, CSV Injection), the full-width signs included. */
function cellOf(cell: string): string {
  const text = /^[\s\0]*[=+\-@\t\r\n＝＋－＠|%]/.test(cell) && !/^-?\d+(?:\.\d+)?$/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text
}
