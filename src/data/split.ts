/** The held-out and the validation split: stratified by label, seeded, the same at every start. */
import type { Rng } from '../core/rng.ts'

/** Every row is in one of the two, and in one only. */
export interface Split {
  /** Row numbers, ascending. */
  readonly testRows: Uint32Array
  readonly trainRows: Uint32Array
}

/**
 * Deals each class's rows apart: about `testShare` of them to the test part, but at least one to each part where the class has two
 * or more; a class's only row trains. `labels` are 0 or 1.
 */
export function stratifiedSplit(labels: Uint8Array, testShare: number, rng: Rng): Split {
  const inTest = new Uint8Array(labels.length)
  for (const label of [0, 1]) {
    const rows = rowsWhere(labels, label)
    const wanted = Math.round(rows.length * testShare)
    const count = Math.min(Math.max(wanted, 1), rows.length - 1)
    for (const row of rng.shuffle(rows).subarray(0, Math.max(count, 0))) inTest[row] = 1
  }
  return { testRows: rowsWhere(inTest, 1), trainRows: rowsWhere(inTest, 0) }
}

/**
 * Takes about `share` of `rows` out for validation, each class apart, and leaves a row of each class that is there to train; none where
 * they would be fewer than `rowsMin`. Both parts are ascending.
 */
export function validationSplit(
  labels: Uint8Array,
  rows: Uint32Array,
  { share, rowsMin }: { readonly share: number; readonly rowsMin: number },
  rng: Rng,
): { readonly trainRows: Uint32Array; readonly validationRows: Uint32Array } {
  const none = { trainRows: rows, validationRows: new Uint32Array(0) }
  if (Math.round(rows.length * share) < rowsMin) return none
  const { testRows, trainRows } = stratifiedSplit(
    Uint8Array.from(rows, (row) => labels[row] as number),
    share,
    rng,
  )
  if (testRows.length < rowsMin) return none
  const named = (places: Uint32Array): Uint32Array => places.map((place) => rows[place] as number)
  return { trainRows: named(trainRows), validationRows: named(testRows) }
}

function rowsWhere(marks: Uint8Array, wanted: number): Uint32Array {
  const rows = new Uint32Array(marks.length)
  let count = 0
  for (let row = 0; row < marks.length; row++) if (marks[row] === wanted) rows[count++] = row
  return rows.slice(0, count)
}
