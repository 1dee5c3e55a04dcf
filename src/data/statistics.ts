/** What a hospital tells the others for scaling: counts and sums over its training rows, so that none tells of fewer than the minimum cohort. */
import { toldRows } from '../config/consent.ts'
import type { Study } from '../config/study.ts'
import type { FeatureStatistics } from '../core/statistics.ts'
import { firstPlaces } from '../core/told.ts'
import type { Dataset } from './dataset.ts'

/** Statistics of the numeric features over rows of `dataset.trainRows` that may be told of; all zero for a feature of which nothing is told. */
export function localStatistics(study: Study, dataset: Dataset): FeatureStatistics {
  const count: number[] = []
  const sum: number[] = []
  const sumOfSquares: number[] = []
  for (const [i, feature] of study.features.entries()) {
    if (feature.kind !== 'number') continue
    const values = toldValues(study, dataset, i)
    count.push(values.length)
    sum.push(values.reduce((total, value) => total + value, 0))
    sumOfSquares.push(values.reduce((total, value) => total + value * value, 0))
  }
  return { count, sum, sumOfSquares }
}

/** The values of a feature that sums may be told of; none where the sums would say what fewer than the minimum cohort have. */
function toldValues(study: Study, dataset: Dataset, feature: number): Float64Array {
  const width = dataset.features.length
  const cellOf = (row: number): number => dataset.values[row * width + feature] as number
  const present = dataset.trainRows.filter((row) => !Number.isNaN(cellOf(row)))
  const rows = rowsTold(study, dataset.trainRows.length, present)
  const values = Float64Array.from(rows, cellOf)
  return values.length < study.minimumCohort || tellsOfFew(values, study.minimumCohort) ? new Float64Array() : values
}

/**
 * Where patients are asked, those of them that may be told of. Else so many that all rows but a multiple of the minimum cohort are counted: how
 * many lack a value is told no finer.
 */
function rowsTold(study: Study, rows: number, present: Uint32Array): Uint32Array {
  if (study.consent !== null) return toldRows(study, present)
  const { minimumCohort: cohort } = study
  const told = Math.max(0, rows - Math.ceil((rows - present.length) / cohort) * cohort)
  return firstPlaces(present, Uint32Array.from(present.keys()), told).map((place) => present[place] as number)
}

/**
 * Whether the number, sum and sum of squares of these values would say what fewer than a cohort of patients have. Of three values the three tell
 * how often each is there, and of more, where two are known by how common they are, what the rest comes to: so besides the most common one, and
 * the two most common, there must be a cohort of rows, or none. Of few rows, two values that are in fewer than half a cohort of them (of five or
 * more, then) are known to nobody.
 */
function tellsOfFew(values: Float64Array, cohort: number): boolean {
  const counts = new Map<number, number>()
  for (const value of values) {
    counts.set(value, (counts.get(value) ?? 0) + 1)
    if (counts.size >= cohort + 2) return false // whichever two are the most common
  }
  const [first = 0, second = 0] = [...counts.values()].sort((a, b) => b - a)
  if (first + second < cohort / 2) return false
  const isFew = (rows: number): boolean => rows > 0 && rows < cohort
  return isFew(values.length - first) || isFew(values.length - first - second)
}
