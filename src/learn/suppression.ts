/** Which cells of a table are withheld: the small ones, and as many others as keep those from being worked out from the total. */

/**
 * `cells` are parts of one whole whose counts are known; each has one count or several (as positives and negatives). True where a cell is
 * withheld: where one of its counts is below the cohort (primary; nobody at all in a cell tells nothing), or where the withheld cells, which are the known whole less all that is
 * shown, would be one cell alone or together below the cohort in a count (secondary: the smallest cells shown are withheld until not).
 * Cells that are withheld `before` stay so. After the complementary suppression of published tables (Willenborg and de Waal 2001, ch. 6), for one margin.
 */
export function withheldCells(
  cells: readonly (readonly number[])[],
  cohort: number,
  before: readonly boolean[] = [],
): boolean[] {
  const withheld = cells.map(
    (counts, i) => before[i] === true || (!isEmpty(counts) && counts.some((count) => count < cohort)),
  )
  while (isComputable(cells, withheld, cohort)) {
    const next = smallestShown(cells, withheld)
    if (next === null) break
    withheld[next] = true
  }
  return withheld
}

function isComputable(cells: readonly (readonly number[])[], withheld: readonly boolean[], cohort: number): boolean {
  const hidden = cells.filter((_, i) => withheld[i])
  if (hidden.length < 2) return hidden.length === 1
  const totals = (hidden[0] as readonly number[]).map((_, k) =>
    hidden.reduce((sum, counts) => sum + (counts[k] as number), 0),
  )
  return totals.some((total) => total < cohort)
}

/** By its smallest count; of equal ones the first. Empty cells hide nothing. */
function smallestShown(cells: readonly (readonly number[])[], withheld: readonly boolean[]): number | null {
  let found: number | null = null
  for (const [i, counts] of cells.entries()) {
    if (withheld[i] || isEmpty(counts)) continue
    if (found === null || Math.min(...counts) < Math.min(...(cells[found] as readonly number[]))) found = i
  }
  return found
}

const isEmpty = (counts: readonly number[]): boolean => counts.every((count) => count === 0)
