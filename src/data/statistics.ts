/** What a hospital tells the others for scaling: counts and sums over its training rows, above the minimum cohort. */
import { toldRows } from '../config/consent.ts'
import type { Study } from '../config/study.ts'
import type { FeatureStatistics } from '../core/statistics.ts'
import type { Dataset } from './dataset.ts'

/** Statistics of the numeric features over `dataset.trainRows`, where patients are asked over those of them that may be told of; all zero for a feature that fewer rows than the minimum cohort have. */
export function localStatistics(study: Study, dataset: Dataset): FeatureStatistics {
  const count: number[] = []
  const sum: number[] = []
  const sumOfSquares: number[] = []
  for (const [i, feature] of study.features.entries()) {
    if (feature.kind !== 'number') continue
    const sums = sumsOf(study, dataset, i)
    const shown = sums.count >= study.minimumCohort
    count.push(shown ? sums.count : 0)
    sum.push(shown ? sums.sum : 0)
    sumOfSquares.push(shown ? sums.squares : 0)
  }
  return { count, sum, sumOfSquares }
}

function sumsOf(study: Study, dataset: Dataset, feature: number): { count: number; sum: number; squares: number } {
  const width = dataset.features.length
  const cellOf = (row: number): number => dataset.values[row * width + feature] as number
  const rows = toldRows(
    study,
    dataset.trainRows.filter((row) => !Number.isNaN(cellOf(row))),
  )
  let sum = 0
  let squares = 0
  for (const row of rows) {
    const value = cellOf(row)
    sum += value
    squares += value * value
  }
  return { count: rows.length, sum, squares }
}
