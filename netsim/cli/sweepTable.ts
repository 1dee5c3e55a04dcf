/** A sweep's results: means with intervals by combination, as a table, as CSV, and for the page. */
import { table } from '../../src/cli/output.ts'
import { bytes, figure } from '../../src/report/numbers.ts'
import { MEASURES, type MeasureKey, secondsToReach, type Target } from '../report/measures.ts'
import { type Estimate, estimate } from '../statistics.ts'
import { csv } from './csv.ts'
import type { RunRecord } from './sweepFolder.ts'
import { combinations, label, type Plan, shown } from './sweepPlan.ts'

/** One column: a measure, or a time to reach something. */
export interface Column {
  readonly key: string
  readonly title: string
  readonly unit: string
  of(record: RunRecord): number | null
}

/** One combination: its runs by seed. */
export interface Arm {
  readonly label: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly records: readonly RunRecord[]
}

/** A mean over the seeds that have a value; null where none has. */
export interface Cell {
  readonly estimate: Estimate | null
  readonly values: readonly number[]
}

/** Measures that any run has, then the targets. */
export function columnsOf(records: readonly RunRecord[], targets: readonly Target[]): Column[] {
  const present = MEASURES.filter(({ key }) => records.some(({ measures }) => measures[key] !== null))
  return [
    ...present.map(({ key, title, unit }) => ({ key, title, unit, of: ({ measures }: RunRecord) => measures[key] })),
    ...targets.map((target) => ({
      key: `secondsTo_${target.key}_${target.value}`,
      title: `time to ${MEASURES.find(({ key }) => key === target.key)?.title} ${target.value}`,
      unit: 'virtual seconds',
      of: ({ curve }: RunRecord) => secondsToReach(curve, target),
    })),
  ]
}

/** Runs by combination, in the plan's order, seeds ascending; runs whose check failed are left out. */
export function armsOf({ axes }: Pick<Plan, 'axes'>, records: readonly RunRecord[]): Arm[] {
  return combinations(axes).map((parameters) => {
    const name = label(parameters)
    const own = records.filter((record) => record.outcome !== 'check-failed' && label(record.parameters) === name)
    return { label: name, parameters, records: own.sort((a, b) => a.seed - b.seed) }
  })
}

/** Over the seeds of one combination. */
export function cellOf({ records }: Arm, column: Column): Cell {
  const values = records.map((record) => column.of(record)).filter((value) => value !== null)
  return { values, estimate: values.length === 0 ? null : estimate(values) }
}

/** `0.8123 ± 0.0021`; of bytes in their unit; and of how many, where some runs have no value. */
export function cellText({ estimate: found, values }: Cell, key: string, runs: number): string {
  if (found === null) return '–'
  const show = key === 'bytesPerNode' ? bytes : figure
  const half = Number.isNaN(found.low) ? '' : ` ± ${show(found.high - found.mean)}`
  const part = values.length < runs ? ` (${values.length} of ${runs})` : ''
  return `${show(found.mean)}${half}${part}`
}

const NARROW: readonly MeasureKey[] = ['auc', 'accuracy', 'logLoss', 'consensusDistance', 'bytesPerNode']

/** The table for a terminal: one row for each combination. */
export function sweepLines({ axes }: Pick<Plan, 'axes'>, arms: readonly Arm[], columns: readonly Column[]): string[] {
  const wanted = columns.filter(
    ({ key }) => key.startsWith('secondsTo_') || (NARROW as readonly string[]).includes(key),
  )
  const chosen = wanted.length > 0 && columns.some(({ key }) => key === 'auc') ? wanted : columns
  const rows = arms.map((arm) => [
    ...axes.map(({ path }) => shown(arm.parameters[path])),
    String(arm.records.length),
    ...chosen.map((column) => cellText(cellOf(arm, column), column.key, arm.records.length)),
  ])
  const header = [...axes.map(({ path }) => path), 'seeds', ...chosen.map(({ title }) => title)]
  return [
    ...table(
      header,
      rows,
      header.map((_, i) => i),
    ),
    '',
    'mean ± half of the 95 % interval (Student) over seeds',
  ]
}

/** One row for each run. */
export function runsCsv(
  { axes }: Pick<Plan, 'axes'>,
  records: readonly RunRecord[],
  columns: readonly Column[],
): string {
  const header = [
    ...axes.map(({ path }) => path),
    'seed',
    'outcome',
    ...columns.map(({ key }) => key),
    'events',
    'trace',
  ]
  const rows = records.map((record) => [
    ...axes.map(({ path }) => record.parameters[path]),
    record.seed,
    record.outcome,
    ...columns.map((column) => column.of(record)),
    record.events,
    record.traceHash,
  ])
  return csv(header, rows)
}

/** One row for each combination and column. */
export function meansCsv({ axes }: Pick<Plan, 'axes'>, arms: readonly Arm[], columns: readonly Column[]): string {
  const header = [...axes.map(({ path }) => path), 'measure', 'runs', 'mean', 'low95', 'high95']
  const number = (value: number | undefined): number | null =>
    value === undefined || Number.isNaN(value) ? null : value
  const rows = arms.flatMap((arm) =>
    columns.map((column) => {
      const { estimate: found, values } = cellOf(arm, column)
      const bounds = [number(found?.mean), number(found?.low), number(found?.high)]
      return [...axes.map(({ path }) => arm.parameters[path]), column.key, values.length, ...bounds]
    }),
  )
  return csv(header, rows)
}
