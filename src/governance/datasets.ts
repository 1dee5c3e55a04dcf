/** What may be told of a registered table's rows: between two versions a number would say who came or went. */

/** No study's minimum cohort stands behind a registration: the usual floor of health statistics does. */
export const ROWS_BAND = 10

/** Down to a multiple of the band; of fewer, but not none, null. */
export function toldRows(rows: number): number | null {
  return rows > 0 && rows < ROWS_BAND ? null : rows - (rows % ROWS_BAND)
}
