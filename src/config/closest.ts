/** "Did you mean": the nearest of a few words, for messages about unknown keys, columns and levels. */

const COMPARED_CHARACTERS_MAX = 64 // edit distance is quadratic; names are cut here for the comparison only

/** The word nearest to `given` (letter case apart), or undefined when none is within a third of its length. */
export function closest(given: string, words: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(given.length / 3)) + 1
  for (const word of words) {
    const distance = editDistance(fold(given), fold(word))
    if (distance < bestDistance) {
      best = word
      bestDistance = distance
    }
  }
  return best
}

/** `; did you mean "x"?` or nothing. */
export function didYouMean(given: string, words: readonly string[]): string {
  const word = closest(given, words)
  return word === undefined ? '' : `; did you mean "${word}"?`
}

const fold = (text: string): string => text.normalize('NFKC').toLowerCase().slice(0, COMPARED_CHARACTERS_MAX)

/** Edits, with a swap of neighbours as one (optimal string alignment), one row at a time. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (before[j - 2] as number) + 1 : change
      next.push(Math.min(change, swap, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    before = row
    row = next
  }
  return row[b.length] as number
}
