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

/** A table's three parts; rows ascending. */
export interface Parts extends Split {
  readonly validationRows: Uint32Array
}

/** How large they are to be. */
export interface Wanted {
  readonly testShare: number
  /** Of the others, for validation. */
  readonly share: number
  readonly rowsMin: number
}

/** Deals rows. */
export function splitRows(labels: Uint8Array, wanted: Wanted, rng: Rng): Parts {
  const { testRows, trainRows } = stratifiedSplit(labels, wanted.testShare, rng)
  return { testRows, ...validationSplit(labels, trainRows, wanted, rng) }
}

/** Deals patients, so that no patient trains a model and tests it too; ill is who has a row of the positive class. */
export function splitSubjects(labels: Uint8Array, subjects: Uint32Array, wanted: Wanted, rng: Rng): Parts {
  const count = subjects.reduce((most, subject) => Math.max(most, subject + 1), 0)
  const ill = new Uint8Array(count)
  for (const [row, subject] of subjects.entries()) if (labels[row] === 1) ill[subject] = 1
  const dealt = splitRows(ill, wanted, rng)
  const part = new Uint8Array(count)
  for (const subject of dealt.testRows) part[subject] = 1
  for (const subject of dealt.validationRows) part[subject] = 2
  const of = Uint8Array.from(subjects, (subject) => part[subject] as number)
  return { trainRows: rowsWhere(of, 0), testRows: rowsWhere(of, 1), validationRows: rowsWhere(of, 2) }
}

function rowsWhere(marks: Uint8Array, wanted: number): Uint32Array {
  const rows = new Uint32Array(marks.length)
  let count = 0
  for (let row = 0; row < marks.length; row++) if (marks[row] === wanted) rows[count++] = row
  return rows.slice(0, count)
}
