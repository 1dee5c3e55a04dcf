/** From a dataset to what a learner takes: standardised numbers, one-hot categories, nothing missing. */
import { designColumns, type Feature, type Study } from '../config/study.ts'
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

const ROWS_AT_A_TIME = 128 // column by column over rows that stay in the fastest cache
export const DEVIATIONS_MAX = 8 // farther out is a slip of the pen or another unit; one such cell must not steer a whole hospital's update

/**
 * The design matrix of `rows`, in that order. Columns follow the study's features: a number is (x − mean) ÷ deviation, at most 8
 * deviations out, 0 where missing; a category is one column per level, all 0 where missing.
 */
export function designMatrix(study: Study, dataset: Dataset, rows: Uint32Array, scaling: Scaling): DesignMatrix {
  const columns = designColumns(study)
  const x = new Float32Array(rows.length * columns)
  fillDesign(study.features, dataset.values, rows, scaling, { x, at: 0, columns })
  return { rows: rows.length, columns, x, y: Uint8Array.from(rows, (row) => dataset.labels[row] as number) }
}

/** Where rows of a design matrix are written: zeros, from index `at` on, `columns` for each row. */
export interface DesignTarget {
  readonly x: Float32Array
  readonly at: number
  readonly columns: number
}

/** Writes the design matrix of `rows`, in that order, into `target`; `values` is row-major, one column per feature. */
export function fillDesign(
  features: readonly Feature[],
  values: Float64Array | Float32Array,
  rows: Uint32Array,
  scaling: Scaling,
  target: DesignTarget,
): void {
  for (let from = 0; from < rows.length; from += ROWS_AT_A_TIME) {
    const some = rows.subarray(from, from + ROWS_AT_A_TIME)
    fillRows(features, values, some, scaling, { ...target, at: target.at + from * target.columns })
  }
}

function fillRows(
  features: readonly Feature[],
  values: Float64Array | Float32Array,
  rows: Uint32Array,
  scaling: Scaling,
  target: DesignTarget,
): void {
  const { x, columns } = target
  const width = features.length
  let at = target.at
  let numeric = 0
  for (let i = 0; i < width; i++) {
    const feature = features[i] as Feature
    if (feature.kind === 'category') {
      for (let r = 0; r < rows.length; r++) {
        const level = values[(rows[r] as number) * width + i] as number
        if (!Number.isNaN(level)) x[at + r * columns + level] = 1
      }
      at += feature.levels.length
      continue
    }
    const mean = scaling.mean[numeric]
    const deviation = scaling.deviation[numeric++]
    invariant(mean !== undefined && deviation !== undefined, 'scaling covers every numeric feature')
    for (let r = 0; r < rows.length; r++) {
      const z = ((values[(rows[r] as number) * width + i] as number) - mean) / deviation
      x[at + r * columns] = Number.isNaN(z) ? 0 : Math.min(Math.max(z, -DEVIATIONS_MAX), DEVIATIONS_MAX)
    }
    at++
  }
  invariant(numeric === scaling.mean.length, 'scaling has one entry per numeric feature')
}
