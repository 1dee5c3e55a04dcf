/** What was bound, as data for the hospital's own terminal. It holds extremes of single patients: never log or send it. */
import type { Study } from '../config/study.ts'
import type { Dataset } from './dataset.ts'

/** One numeric feature, over training and held-out rows; `missingShare` is from 0 to 1. */
export interface NumberSummary {
  readonly name: string
  readonly kind: 'number'
  /** '1' where the study gives none. */
  readonly unit: string
  readonly missingShare: number
  /** Smallest, largest and mean value; null where all are missing. */
  readonly values: { readonly min: number; readonly max: number; readonly mean: number } | null
}

/** One category, over training and held-out rows; `missingShare` is from 0 to 1. */
export interface CategorySummary {
  readonly name: string
  readonly kind: 'category'
  readonly missingShare: number
  /** Rows per level; null for levels that some but fewer rows than the minimum cohort have. */
  readonly levels: readonly { readonly level: string; readonly rows: number | null }[]
}

/** A bound table in counts, shares and extremes; `rows` is `trainRows`, `validationRows` and `testRows` together. */
export interface DatasetSummary {
  readonly rows: number
  readonly trainRows: number
  readonly validationRows: number
  readonly testRows: number
  /** Rows with the positive label; null where either class has fewer rows than the minimum cohort. */
  readonly positives: number | null
  /** In the study's order. */
  readonly features: readonly (NumberSummary | CategorySummary)[]
}

/** Summarises `dataset`; counts below the study's minimum cohort are left out, for whoever looks over a shoulder. */
export function summarise(study: Study, dataset: Dataset): DatasetSummary {
  const positives = dataset.labels.reduce((sum, label) => sum + label, 0)
  const shown = Math.min(positives, dataset.rows - positives) >= study.minimumCohort
  return {
    rows: dataset.rows,
    trainRows: dataset.trainRows.length,
    validationRows: dataset.validationRows.length,
    testRows: dataset.testRows.length,
    positives: shown ? positives : null,
    features: study.features.map((feature, i) => {
      const values = presentValues(dataset, i)
      const missingShare = 1 - values.length / dataset.rows
      const { name } = feature
      return feature.kind === 'number'
        ? { name, kind: 'number', unit: feature.unit, missingShare, values: extremes(values) }
        : { name, kind: 'category', missingShare, levels: levelRows(feature.levels, values, study.minimumCohort) }
    }),
  }
}

function presentValues(dataset: Dataset, feature: number): Float64Array {
  const width = dataset.features.length
  const values = new Float64Array(dataset.rows)
  let count = 0
  for (let row = 0; row < dataset.rows; row++) {
    const value = dataset.values[row * width + feature] as number
    if (!Number.isNaN(value)) values[count++] = value
  }
  return values.subarray(0, count)
}

function extremes(values: Float64Array): NumberSummary['values'] {
  if (values.length === 0) return null
  let [min, max, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
  for (const value of values) {
    min = Math.min(min, value)
    max = Math.max(max, value)
    sum += value
  }
  return { min, max, mean: sum / values.length }
}

function levelRows(levels: readonly string[], values: Float64Array, cohort: number): CategorySummary['levels'] {
  const counts = new Array<number>(levels.length).fill(0)
  for (const value of values) counts[value] = (counts[value] as number) + 1
  return levels.map((level, i) => {
    const rows = counts[i] as number
    return { level, rows: rows === 0 || rows >= cohort ? rows : null }
  })
}
