/** From a dataset to what a learner takes: standardised numbers, one-hot categories, nothing missing. */
import { designColumns, type Study } from '../config/study.ts'
import { invariant } from '../core/errors.ts'
import type { Scaling } from '../core/statistics.ts'
import type { Dataset } from './dataset.ts'

/** Row-major; same shape as the learner's DesignMatrix. */
export interface DesignMatrix {
  readonly rows: number
  readonly columns: number
  readonly x: Float32Array
  /** 0 or 1, one per row. */
  readonly y: Uint8Array
}

const DEVIATIONS_MAX = 8 // farther out is a slip of the pen or another unit; one such cell must not steer a whole hospital's update

/**
 * The design matrix of `rows`, in that order. Columns follow the study's features: a number is (x − mean) ÷ deviation, at most 8
 * deviations out, 0 where missing; a category is one column per level, all 0 where missing.
 */
export function designMatrix(study: Study, dataset: Dataset, rows: Uint32Array, scaling: Scaling): DesignMatrix {
  const columns = designColumns(study)
  const x = new Float32Array(rows.length * columns)
  let column = 0
  let numeric = 0
  for (const [i, feature] of study.features.entries()) {
    const target = { x, column, columns }
    if (feature.kind === 'number') {
      const mean = scaling.mean[numeric]
      const deviation = scaling.deviation[numeric++]
      invariant(mean !== undefined && deviation !== undefined, 'scaling covers every numeric feature')
      fillNumber(target, dataset, i, rows, mean, deviation)
      column++
    } else {
      fillCategory(target, dataset, i, rows)
      column += feature.levels.length
    }
  }
  invariant(numeric === scaling.mean.length, 'scaling has one entry per numeric feature')
  return { rows: rows.length, columns, x, y: Uint8Array.from(rows, (row) => dataset.labels[row] as number) }
}

interface Target {
  readonly x: Float32Array
  readonly column: number
  readonly columns: number
}

function fillNumber(
  { x, column, columns }: Target,
  dataset: Dataset,
  feature: number,
  rows: Uint32Array,
  mean: number,
  deviation: number,
): void {
  const width = dataset.features.length
  for (let r = 0; r < rows.length; r++) {
    const z = ((dataset.values[(rows[r] as number) * width + feature] as number) - mean) / deviation
    x[r * columns + column] = Number.isNaN(z) ? 0 : Math.min(Math.max(z, -DEVIATIONS_MAX), DEVIATIONS_MAX)
  }
}

function fillCategory({ x, column, columns }: Target, dataset: Dataset, feature: number, rows: Uint32Array): void {
  const width = dataset.features.length
  for (let r = 0; r < rows.length; r++) {
    const level = dataset.values[(rows[r] as number) * width + feature] as number
    if (!Number.isNaN(level)) x[r * columns + column + level] = 1
  }
}
