/**
 * Reads rows whose outcome is to be predicted. A row that training would refuse is no fault here, for it is a patient: it is predicted
 * with a warning where the model can take it, and left without a prediction where it cannot.
 */
import type { Feature, Study } from '../config/study.ts'
import { invariant } from '../core/errors.ts'
import type { Scaling } from '../core/statistics.ts'
import { type CellReader, featureReader } from './cells.ts'
import { type BindOptions, type ColumnMap, mapColumns } from './columns.ts'
import { DEVIATIONS_MAX } from './design.ts'
import { type DataCode, DataError } from './fault.ts'
import { scanTable, type TableFile, type TableReader } from './table.ts'

/** What is to be known of one value of a row. */
export type ValueWarning =
  | 'missing' // the mean, or no level, stands in its place
  | 'out-of-range' // taken as it is, though the study does not believe it
  | 'clipped' // more than 8 deviations out: it counts as 8
  | 'unknown-level' // as if it were missing
  | 'unreadable' // no number: no prediction
  | 'missing-refused' // the study refuses rows without it: no prediction

/** After these the row has no prediction. */
export const BLOCKING: ReadonlySet<ValueWarning> = new Set(['unreadable', 'missing-refused'])

/** One row of a batch. */
export interface RawRow {
  /** Line of the file, from 1. */
  readonly line: number
  readonly warnings: readonly { readonly feature: string; readonly warning: ValueWarning }[]
  readonly blocked: boolean
}

/** Consecutive rows; `values` as in `Dataset`, with NaN in every blocked row. */
export interface RawBatch {
  readonly rows: readonly RawRow[]
  readonly values: Float64Array
}

/**
 * Reads `file` as `study` says, in the order of the file, and hands it on batch by batch; the next is read when `take` is done. No column
 * of labels is needed. Errors: those of `scanTable` and `mapColumns`.
 */
export async function scanRawRows(
  study: Study,
  scaling: Scaling,
  file: TableFile,
  options: Omit<BindOptions, 'seed' | 'unlabelled'>,
  take: (batch: RawBatch) => Promise<void>,
): Promise<void> {
  await scanTable(file, new RawRows(study, scaling, file.name, options, take))
}

class RawRows implements TableReader {
  readonly #study: Study
  readonly #file: string
  readonly #options: BindOptions
  readonly #readers: readonly CellReader[]
  readonly #reaches: readonly (readonly [low: number, high: number] | null)[]
  readonly #take: (batch: RawBatch) => Promise<void>
  #header: readonly string[] = []
  #map: ColumnMap = { label: -1, subject: -1, features: [] }
  #rows: RawRow[] = []
  #values: number[] = []

  constructor(
    study: Study,
    scaling: Scaling,
    file: string,
    options: BindOptions,
    take: (batch: RawBatch) => Promise<void>,
  ) {
    this.#study = study
    this.#file = file
    this.#options = { ...options, unlabelled: true }
    this.#readers = study.features.map(featureReader)
    this.#reaches = reachesOf(study.features, scaling)
    this.#take = take
  }

  header(columns: readonly string[]): void {
    this.#header = columns
    this.#map = mapColumns(this.#study, columns, this.#file, this.#options)
  }

  row(cells: readonly string[], line: number): void {
    const warnings: { feature: string; warning: ValueWarning }[] = []
    const start = this.#values.length
    for (const [i, feature] of this.#study.features.entries()) {
      const column = this.#map.features[i] as number
      const place = { file: this.#file, line, column: this.#header[column] as string }
      const { value, warning } = this.#read(i, cells[column] as string, place)
      this.#values.push(value)
      if (warning !== null) warnings.push({ feature: feature.name, warning })
    }
    const blocked = warnings.some(({ warning }) => BLOCKING.has(warning))
    if (blocked) this.#values.fill(Number.NaN, start)
    this.#rows.push({ line, warnings, blocked })
  }

  async drain(): Promise<void> {
    if (this.#rows.length === 0) return
    const batch = { rows: this.#rows, values: Float64Array.from(this.#values) }
    this.#rows = []
    this.#values = []
    await this.#take(batch)
  }

  #read(i: number, cell: string, place: Parameters<CellReader>[1]): { value: number; warning: ValueWarning | null } {
    const fault = this.#faultOf(i, cell, place)
    if (typeof fault === 'number') return { value: fault, warning: this.#warningOf(i, fault) }
    const warning = WARNING_OF[fault]
    invariant(warning !== undefined, `a cell may be faulty in this way: ${fault}`)
    if (warning !== 'out-of-range') return { value: Number.NaN, warning }
    const value = Number(cell)
    return { value, warning: this.#warningOf(i, value) === 'clipped' ? 'clipped' : warning }
  }

  #faultOf(i: number, cell: string, place: Parameters<CellReader>[1]): number | DataCode {
    try {
      return (this.#readers[i] as CellReader)(cell, place)
    } catch (error) {
      if (error instanceof DataError) return error.code.slice('data-'.length) as DataCode
      throw error
    }
  }

  #warningOf(i: number, value: number): ValueWarning | null {
    if (Number.isNaN(value)) return 'missing'
    const reach = this.#reaches[i]
    return reach != null && (value < reach[0] || value > reach[1]) ? 'clipped' : null
  }
}

const WARNING_OF: Readonly<Partial<Record<DataCode, ValueWarning>>> = {
  'out-of-range': 'out-of-range',
  'unknown-level': 'unknown-level',
  'missing-value': 'missing-refused',
  'not-a-number': 'unreadable',
  'not-finite': 'unreadable',
}

/** Between which values a number is not clipped; null for categories. */
function reachesOf(features: readonly Feature[], scaling: Scaling): (readonly [number, number] | null)[] {
  let numeric = 0
  return features.map((feature) => {
    if (feature.kind === 'category') return null
    const mean = scaling.mean[numeric] as number
    const reach = DEVIATIONS_MAX * (scaling.deviation[numeric++] as number)
    return [mean - reach, mean + reach] as const
  })
}
