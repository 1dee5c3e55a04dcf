/** What a hospital tells the others for scaling: counts and sums over its training rows, above the minimum cohort. */
import type { Study } from '../config/study.ts'
import type { FeatureStatistics } from '../core/statistics.ts'
import type { Dataset } from './dataset.ts'

/** Statistics of the numeric features over `dataset.trainRows`; all zero for a feature that fewer rows than the minimum cohort have. */
export function localStatistics(study: Study, dataset: Dataset): FeatureStatistics {
  const count: number[] = []
  const sum: number[] = []
  const sumOfSquares: number[] = []
  for (const [i, feature] of study.features.entries()) {
    if (feature.kind !== 'number') continue
    const sums = sumsOf(dataset, i)
    const shown = sums.count >= study.minimumCohort
    count.push(shown ? sums.count : 0)
    sum.push(shown ? sums.sum : 0)
    sumOfSquares.push(shown ? sums.squares : 0)
  }
  return { count, sum, sumOfSquares }
}

function sumsOf(dataset: Dataset, feature: number): { count: number; sum: number; squares: number } {
  const width = dataset.features.length
  let count = 0
  let sum = 0
  let squares = 0
  for (const row of dataset.trainRows) {
    const value = dataset.values[row * width + feature] as number
    if (Number.isNaN(value)) continue
    count++
    sum += value
    squares += value * value
  }
  return { count, sum, squares }
}
