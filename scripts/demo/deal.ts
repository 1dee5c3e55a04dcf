/** Deals the demo's two data sets to hospitals: the Alzheimer patients by a seeded rule of ours, the ICU patients by their real units. */
import { parse } from 'csv-parse/sync'
import { invariant } from '../../src/core/errors.ts'
import { compareIds } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'

/** One hospital's own table. */
export interface ClinicTable {
  /** For people, at most 12 characters. */
  readonly name: string
  /** For a folder. */
  readonly slug: string
  /** With a header line; the columns that the study names, and no others. */
  readonly csv: string
  readonly rows: number
}

/** Clinics that don't exist, largest first, with their shares in percent. */
const MEMORY_CLINICS = [
  { name: 'Alder House', share: 35 },
  { name: 'Birch Grove', share: 25 },
  { name: 'Cedar Hill', share: 18 },
  { name: 'Dogwood Bay', share: 13 },
  { name: 'Elm Court', share: 9 }, // about thirty patients: the clinic that can't do this alone
] as const

const ICU = {
  unit: 'CombinedicuID',
  label: 'PatientDied',
  positive: '1',
  hospitals: 5,
  eachClassMin: 2, // a table needs one such patient to train and one to test
  /** What tells the outcome, the patient or the unit. */
  dropped: ['CombinedicuID', 'CombinedID', 'Survdays', 'survhosp'],
} as const

type Row = readonly string[]

interface Table {
  readonly header: Row
  readonly rows: readonly Row[]
}

/**
 * Deals all patients to clinics, to five 35:25:18:13:9 where no others are given, each with the same share of impaired patients as far as whole patients
 * allow. The same seed deals the same way everywhere; within a clinic the order of rows is the seed's too.
 */
export function dealAlzheimer(
  csvText: string,
  seed: number,
  clinics: readonly { readonly name: string; readonly share: number }[] = MEMORY_CLINICS,
): ClinicTable[] {
  const table = read(csvText)
  const label = columnOf(table, 'Class')
  const rng = Rng.from('demo-deal', seed)
  const impaired = rng.shuffle(table.rows.filter((row) => row[label] === 'Impaired'))
  const others = rng.shuffle(table.rows.filter((row) => row[label] !== 'Impaired'))
  const shares = clinics.map(({ share }) => share)
  const sizes = apportion(table.rows.length, shares)
  const positives = apportion(impaired.length, sizes)
  return clinics.map(({ name }, i) => {
    const mine = positives[i] as number
    const rows = [...impaired.splice(0, mine), ...others.splice(0, (sizes[i] as number) - mine)]
    return clinic(name, { header: table.header, rows: rng.shuffle(rows) })
  })
}

/**
 * The five largest intensive care units that can take part (at least two patients of each outcome), as they are. The seed only
 * orders the rows, and so decides which patients a unit holds out.
 */
export function dealIcu(csvText: string, seed: number): ClinicTable[] {
  const table = read(csvText)
  const rng = Rng.from('demo-deal-icu', seed)
  return largestUnits(table).map(({ unit, rows }) => clinic(`ICU ${unit}`, icuColumns(table, rng.shuffle([...rows]))))
}

/** The patients of all other units, which train nowhere: to test every model where none of the five ever was. */
export function icuElsewhere(csvText: string): string {
  const table = read(csvText)
  const ours = new Set(largestUnits(table).flatMap(({ rows }) => rows))
  return write(
    icuColumns(
      table,
      table.rows.filter((row) => !ours.has(row)),
    ),
  )
}

function largestUnits(table: Table): { unit: string; rows: Row[] }[] {
  const [unitAt, labelAt] = [columnOf(table, ICU.unit), columnOf(table, ICU.label)]
  const units = new Map<string, Row[]>()
  for (const row of table.rows) {
    const unit = row[unitAt] as string
    units.set(unit, [...(units.get(unit) ?? []), row])
  }
  const able = [...units].filter(([, rows]) => {
    const died = rows.filter((row) => row[labelAt] === ICU.positive).length
    return Math.min(died, rows.length - died) >= ICU.eachClassMin
  })
  const sorted = able.sort(([a, rows], [b, others]) => others.length - rows.length || compareIds(a, b))
  return sorted.slice(0, ICU.hospitals).map(([unit, rows]) => ({ unit, rows }))
}

function icuColumns({ header }: Table, rows: readonly Row[]): Table {
  const kept = header.flatMap((name, i) => ((ICU.dropped as readonly string[]).includes(name) ? [] : [i]))
  const keep = (row: Row): Row => kept.map((i) => row[i] as string)
  return { header: keep(header), rows: rows.map(keep) }
}

/** Whole shares of `total` in proportion to `weights`, by largest remainder (Hamilton's method); the earlier one wins a tie. */
function apportion(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0)
  const exact = weights.map((weight) => (total * weight) / sum)
  const shares = exact.map(Math.floor)
  const left = total - shares.reduce((a, b) => a + b, 0)
  const order = exact.map((_, i) => i).sort((a, b) => remainder(exact, b) - remainder(exact, a) || a - b)
  for (const i of order.slice(0, left)) shares[i] = (shares[i] as number) + 1
  return shares
}

const remainder = (exact: readonly number[], i: number): number => (exact[i] as number) % 1

function clinic(name: string, table: Table): ClinicTable {
  return { name, slug: name.toLowerCase().replaceAll(' ', '-'), csv: write(table), rows: table.rows.length }
}

function read(csvText: string): Table {
  const [header, ...rows] = parse(csvText) as string[][]
  invariant(header !== undefined && rows.length > 0, 'the demo brings its own data along')
  return { header, rows }
}

function columnOf({ header }: Table, name: string): number {
  const at = header.indexOf(name)
  invariant(at >= 0, `the demo's table has a column ${name}`)
  return at
}

function write({ header, rows }: Table): string {
  return [header, ...rows].map((row) => `${row.map(cell).join(',')}\n`).join('')
}

/** A cell as RFC 4180 has it: in quotes where a comma, a quote or a line end would be misread. */
function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
