/**
 * Of which rows figures are told where patients are asked for their word. A share of n rows would tell n to who knows about how many there are,
 * and n before and after a word what was said: so figures are of as many rows as a multiple of the minimum cohort has.
 */
import { classesShow } from './metrics.ts'

/** Places among the rows that a model is judged on. */
export interface Told {
  /** What is averaged over patients is of these; of all where they are fewer than the cohort, and then told to nobody. */
  readonly all: Uint32Array
  /** What tells the classes apart is of these; null where one has fewer rows than the cohort. */
  readonly classes: Uint32Array | null
}

/** All rows, but where patients are asked: then `numbers` says which rows of the table these are, and a multiple of the cohort of them counts, and of either class. */
export function toldOf(labels: Uint8Array, numbers: Uint32Array | null, cohort: number): Told {
  const every = Uint32Array.from(labels.keys())
  if (numbers !== null) {
    const all = toldPlaces(numbers, every, cohort)
    return { all: all.length === 0 ? every : all, classes: toldClasses(numbers, every, labels, cohort) }
  }
  const positives = labels.reduce((sum, label) => sum + label, 0)
  return { all: every, classes: classesShow({ examples: labels.length, positives }, cohort) ? every : null }
}

/** As many of `places` as the greatest multiple of `cohort` not above their number (`firstPlaces`). */
export function toldPlaces(numbers: Uint32Array, places: Uint32Array, cohort: number): Uint32Array {
  return firstPlaces(numbers, places, places.length - (places.length % cohort))
}

/**
 * `told` of `places`, in the order given; `numbers` says which row of the table is at each place. Which rows come first is settled by their numbers
 * alone: not by who else is there.
 */
export function firstPlaces(numbers: Uint32Array, places: Uint32Array, told: number): Uint32Array {
  if (told === places.length || told === 0) return places.subarray(0, told)
  const turn = (place: number): number => turnOf(numbers[place] as number)
  const last = places.map(turn).sort()[told - 1] as number
  return places.filter((place) => turn(place) <= last)
}

/** Of either class as many; null where one has fewer than the cohort. */
export function toldClasses(
  numbers: Uint32Array,
  places: Uint32Array,
  labels: Uint8Array,
  cohort: number,
): Uint32Array | null {
  const [well, ill] = [0, 1].map((label) =>
    toldPlaces(
      numbers,
      places.filter((place) => labels[place] === label),
      cohort,
    ),
  ) as [Uint32Array, Uint32Array]
  if (well.length === 0 || ill.length === 0) return null
  const told = new Set([...well, ...ill])
  return places.filter((place) => told.has(place))
}

/** A row's number stirred, so that a table that is sorted by anything is not cut at one end: no two rows have the same (the finaliser of MurmurHash3, a bijection). */
function turnOf(row: number): number {
  let turn = Math.imul(row ^ (row >>> 16), 0x85ebca6b)
  turn = Math.imul(turn ^ (turn >>> 13), 0xc2b2ae35)
  return (turn ^ (turn >>> 16)) >>> 0
}
