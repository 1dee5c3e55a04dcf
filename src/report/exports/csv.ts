/** Entries as CSV (RFC 4180), a line each, in columns that stay: for spreadsheets, which are kept from taking a cell for a formula. */
import { csvLine } from '../csvCells.ts'
import { bodyIn, type Exported, fieldsOf, instant, placeOf } from './exported.ts'

const COLUMNS = [
  ...(['entry', 'hash', 'hospital', 'hospital_key', 'number', 'recorded', 'lamport', 'kind', 'meaning'] as const),
  ...(['study', 'cites', 'state', 'body', 'fields'] as const),
] as const

export const CSV_HEADER = csvLine(COLUMNS)

/** The line of an entry. `body`: there, dropped, or of another version or not fitting its kind; its fields are JSON. */
export function csvOf(exported: Exported): string {
  const { entry, state, row, hospital, body } = exported
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
    body: bodyIn(exported),
    fields: body === null ? '' : JSON.stringify(Object.fromEntries(fieldsOf(body))),
  }
  return csvLine(COLUMNS.map((column) => cells[column]))
}
