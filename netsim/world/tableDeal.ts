/** Deals from CSV files: by the sites in a column, or without sites to as many nodes as there are. */
import { compareIds } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { quote } from '../../src/data/fault.ts'
import type { Scenario } from '../scenario/schema.ts'
import {
  type Column,
  columnOf,
  type FeatureColumn,
  featureOf,
  type ReadTable,
  readTable,
  requireFull,
  wordFault,
} from './columns.ts'
import { dealDigest, rowsMaxOf } from './dealDigest.ts'
import { fault } from './fault.ts'
import type { ScenarioFiles } from './files.ts'
import { heldOut, TRAIN_ROWS_MIN } from './heldOut.ts'
import { dealtRows, shiftOf, sizesOf } from './partition.ts'
import type { Deal } from './world.ts'

type Data<K> = Extract<Scenario['data'], { kind: K }>

const CELLS_MAX = 1 << 29 // 2 GiB of float32: beyond it a table does not fit beside its design matrix

/** What a scenario says about a deal besides its data. */
export interface DealFacts {
  readonly nodes: number
  readonly testShare: number
  readonly seed: string | number
}

/** Who has which row: row numbers of the file in the order of nodes. */
interface Parts {
  readonly order: Uint32Array
  readonly from: Uint32Array
  readonly test: Uint8Array
  readonly nameOf: (node: number) => string
  /** What is added to a node's features, or null. */
  readonly shiftOf: ((node: number) => Float64Array) | null
}

/**
 * Sites with `rowsMin` rows or more, the largest first, ties by name; the first `nodes` of them. Rows stay in the file's order.
 * Errors: `scenario-data`, `scenario-file`, `data-…`.
 */
export async function siteDeal(data: Data<'sites'>, facts: DealFacts, files: ScenarioFiles): Promise<Deal> {
  const table = await readTable(data.file, files)
  const site = columnOf(table, data.site, 'site')
  requireFull(table, site, 'a site is needed in every row: fill it in, or leave the row out')
  const split = data.splitColumn === null ? null : columnOf(table, data.splitColumn, 'splitColumn')
  const { labels, label } = labelsOf(table, data)
  const columns = featuresOf(table, [data.label, data.site, data.splitColumn, ...data.drop], data.drop)
  const sites = largestSites(table, site, data.rowsMin, facts.nodes)
  const order = Uint32Array.from(sites.flatMap((one) => one.rows))
  const from = new Uint32Array(sites.length + 1)
  for (const [i, { rows }] of sites.entries()) from[i + 1] = (from[i] as number) + rows.length
  const names = sites.map(({ name }) => name)
  const test =
    split === null
      ? heldOut(pick(labels, order), from, facts.testShare, Rng.from('netsim', facts.seed, 'held out'))
      : givenTest(table, split, order)
  requireTraining(table, names, from, test)
  return tableDeal(columns, label, labels, { order, from, test, nameOf: (i) => names[i] as string, shiftOf: null })
}

/** All rows, dealt to `nodes` nodes as `data.split` says. Errors: `scenario-data`, `scenario-file`, `data-…`. */
export async function dealtTable(data: Data<'table'>, facts: DealFacts, files: ScenarioFiles): Promise<Deal> {
  const table = await readTable(data.file, files)
  const { labels, label } = labelsOf(table, data)
  const columns = featuresOf(table, [data.label, ...data.drop], data.drop)
  const { nodes, seed } = facts
  if (table.rows < TRAIN_ROWS_MIN * nodes) {
    const most = Math.floor(table.rows / TRAIN_ROWS_MIN)
    throw fault(
      'data',
      `${data.file}: ${table.rows} rows for ${nodes} nodes, each needs ${TRAIN_ROWS_MIN}: nodes.count may be ${most} at most`,
    )
  }
  const rng = Rng.from('netsim', seed, 'deal')
  const from = sizesOf(data.split, table.rows, nodes, rng)
  const order = dealtRows(data.split, labels, from, rng)
  const test = heldOut(pick(labels, order), from, facts.testShare, Rng.from('netsim', seed, 'held out'))
  const shifts = data.split.kind === 'feature-shift' ? shiftsOf(columns, data.split.deviation, seed) : null
  return tableDeal(columns, label, labels, { order, from, test, nameOf: String, shiftOf: shifts })
}

function tableDeal(columns: readonly FeatureColumn[], label: Deal['label'], labels: Uint8Array, parts: Parts): Deal {
  const { order, from, test, nameOf } = parts
  const width = columns.length
  if (order.length * width > CELLS_MAX)
    throw fault(
      'data',
      `${order.length} rows × ${width} features, at most ${CELLS_MAX} values are allowed: leave some out`,
    )
  const values = new Float32Array(order.length * width)
  for (let node = 0; node + 1 < from.length; node++) {
    const shift = parts.shiftOf?.(node) ?? null
    for (let at = from[node] as number; at < (from[node + 1] as number); at++) {
      const row = order[at] as number
      for (const [i, { codes, values: meaning }] of columns.entries())
        values[at * width + i] = (meaning[codes[row] as number] as number) + (shift?.[i] ?? 0)
    }
  }
  const fill = (node: number, out: Float32Array): void =>
    out.set(values.subarray((from[node] as number) * width, (from[node + 1] as number) * width))
  const deal = {
    nodes: from.length - 1,
    features: columns.map(({ feature }) => feature),
    label,
    labels: pick(labels, order),
    from,
    test,
    rowsMax: rowsMaxOf(from),
    fill,
    nameOf,
  }
  return { ...deal, digest: dealDigest(deal) }
}

const pick = (labels: Uint8Array, rows: Uint32Array): Uint8Array =>
  Uint8Array.from(rows, (row) => labels[row] as number)

function labelsOf(
  table: ReadTable,
  data: { readonly label: string; readonly positive: string },
): { labels: Uint8Array; label: Deal['label'] } {
  const column = columnOf(table, data.label, 'label')
  requireFull(table, column, 'a label is needed in every row: fill it in, or leave the row out')
  const { words } = column
  if (words.length > 2)
    throw wordFault(
      table,
      column,
      2,
      `a label has two values: ${quote(words[0] as string)} and ${quote(words[1] as string)} came first`,
    )
  if (words.length < 2)
    throw fault(
      'data',
      `${table.file}: column ${quote(column.name)}: ${quote(words[0] as string)} is its only value, a label has two`,
    )
  const positive = words.indexOf(data.positive)
  if (positive < 0) {
    throw fault(
      'data',
      `${table.file}: data.positive: ${quote(data.positive)} was given, ${words.map(quote).join(' or ')} is allowed: it stands in column ${quote(column.name)}`,
    )
  }
  const label = { name: data.label, positive: data.positive, negative: words[1 - positive] as string }
  return { label, labels: Uint8Array.from(column.codes, (code) => (code === positive ? 1 : 0)) }
}

/** All columns but those left out, in the file's order. */
function featuresOf(table: ReadTable, left: readonly (string | null)[], drop: readonly string[]): FeatureColumn[] {
  for (const [i, name] of drop.entries()) columnOf(table, name, `drop[${i}]`)
  const columns = table.columns.filter(({ name }) => !left.includes(name)).map((column) => featureOf(table, column))
  if (columns.length === 0) throw fault('data', `${table.file}: no column is left as a feature: shorten data.drop`)
  return columns
}

function largestSites(
  table: ReadTable,
  site: Column,
  rowsMin: number,
  nodes: number,
): { name: string; rows: number[] }[] {
  const rows = site.words.map((): number[] => [])
  for (const [row, code] of site.codes.entries()) (rows[code] as number[]).push(row)
  const sites = site.words
    .map((name, code) => ({ name, rows: rows[code] as number[] }))
    .filter((one) => one.rows.length >= rowsMin)
    .sort((a, b) => b.rows.length - a.rows.length || compareIds(a.name, b.name))
  if (sites.length < nodes) {
    throw fault(
      'data',
      `${table.file}: ${sites.length} sites in column ${quote(site.name)} have ${rowsMin} rows or more, nodes.count asks for ${nodes}: lower it, or data.rowsMin`,
    )
  }
  return sites.slice(0, nodes)
}

function givenTest(table: ReadTable, split: Column, order: Uint32Array): Uint8Array {
  const other = split.words.findIndex((word) => word !== 'train' && word !== 'test')
  if (other >= 0) throw wordFault(table, split, other, 'train or test is allowed')
  return Uint8Array.from(order, (row) => (split.words[split.codes[row] as number] === 'test' ? 1 : 0))
}

function requireTraining({ file }: ReadTable, names: readonly string[], from: Uint32Array, test: Uint8Array): void {
  for (const [i, name] of names.entries()) {
    const training = test.subarray(from[i], from[i + 1]).filter((mark) => mark === 0).length
    if (training >= TRAIN_ROWS_MIN) continue
    throw fault(
      'data',
      `${file}: site ${quote(name)}: ${training} training rows, at least ${TRAIN_ROWS_MIN} are needed: leave the site out`,
    )
  }
}

/** Each node's own shift, from its own stream; categories stay. */
function shiftsOf(
  columns: readonly FeatureColumn[],
  deviation: number,
  seed: string | number,
): (node: number) => Float64Array {
  const deviations = Float64Array.from(columns, deviationOf)
  return (node) => shiftOf(deviation, deviations, Rng.from('netsim', seed, 'shift', node))
}

/** Population deviation of a column's numbers; 0 for a category. */
function deviationOf({ feature, codes, values }: FeatureColumn): number {
  if (feature.kind !== 'number') return 0
  const present = codes.filter((code) => !Number.isNaN(values[code]))
  let mean = 0
  for (const code of present) mean += (values[code] as number) / present.length
  let squares = 0
  for (const code of present) squares += ((values[code] as number) - mean) * ((values[code] as number) - mean)
  return Math.sqrt(squares / present.length)
}
