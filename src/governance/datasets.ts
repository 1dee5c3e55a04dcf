/** What may be told of a registered table's rows: between two versions a number would say who came or went. */

/** No study's minimum cohort stands behind a registration: the usual floor of health statistics does, and the hospital's own where that is higher. */
const ROWS_BAND = 10

/** Down to a multiple of ten, or of the hospital's `cohort` where that is more. */
export function roundedRows(rows: number, cohort: number): number {
  return rows - (rows % Math.max(ROWS_BAND, cohort))
}

/** As `roundedRows`; of fewer than are told, but not none, null. */
export function toldRows(rows: number, cohort: number): number | null {
  const told = roundedRows(rows, cohort)
  return rows > 0 && told === 0 ? null : told
}
