/** Cells of CSV files (RFC 4180) that spreadsheets do not take for formulas. */

const LINE_END = '\r\n'

/** A record of cells, with its line end. Only cells that need it are quoted. */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map(csvCell).join(',')}${LINE_END}`
}

/** One cell. What a spreadsheet would take for a formula is told as text (OWASP, CSV Injection), the full-width signs included. */
export function csvCell(cell: string): string {
  const text = /^[\s\0]*[=+\-@\t\r\n＝＋－＠|%]/.test(cell) && !/^-?\d+(?:\.\d+)?$/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text
}
