/** Which column of a table holds which feature of a study, and in which unit it says that it is. */
import { didYouMean } from '../config/closest.ts'
import type { Feature, Study } from '../config/study.ts'
import { DataError, quote } from './fault.ts'

/** What the operator says about the table, where its header does not. */
export interface BindOptions {
  /** Feature (or label) to column, where their names differ. */
  readonly columns?: Readonly<Record<string, string>>
  /** Feature to the unit that the column is in, where the header doesn't say it (`Name [unit]`). */
  readonly units?: Readonly<Record<string, string>>
  /** Columns that the study doesn't name; refused unless said otherwise, since they may mean that it is the wrong file. */
  readonly extra?: 'refuse' | 'ignore'
  /** Goes into the seed of the held-out split beside the study's digest; keep it the same over restarts. */
  readonly seed?: string
  /** Whether the label's column may be missing, as it is where patients are to be predicted; it is not read then. */
  readonly unlabelled?: boolean
  /** The column of the patients' record numbers, where they are wanted; it is no feature. */
  readonly subject?: string
}

/** Positions in a row: of the label (−1 where it may be missing), of the record number (−1 where it is not wanted), and of each feature in the study's order. */
export interface ColumnMap {
  readonly label: number
  readonly subject: number
  readonly features: readonly number[]
}

/** A column's header, and what it says. */
export interface Column {
  readonly full: string
  readonly name: string
  readonly unit: string | null
}

/**
 * Finds each feature's column by its name, by `Name [unit]`, or as `options.columns` says.
 * Errors: `data-mapping`, `data-missing-column`, `data-extra-column`, `data-unit`.
 */
export function mapColumns(study: Study, header: readonly string[], file: string, options: BindOptions): ColumnMap {
  const columns = header.map(readColumn)
  const names = [study.label.name, ...study.features.map((feature) => feature.name)]
  checkKeys(names, options.columns ?? {}, 'columns', file)
  checkKeys(names, options.units ?? {}, 'units', file)
  const taken = new Map<number, string>()
  const positions = names.map((name, i) => {
    if (i === 0 && options.unlabelled === true) return setAside(columns, name, options, taken)
    const position = findColumn(name, columns, file, options, missingHint(study, name))
    const other = taken.get(position)
    if (other !== undefined) {
      throw new DataError(
        'mapping',
        file,
        `column ${quote(header[position] as string)} is mapped to both ${quote(other)} and ${quote(name)}: map each to its own`,
      )
    }
    taken.set(position, name)
    return position
  })
  const subject = options.subject === undefined ? -1 : subjectColumn(options.subject, columns, taken, file)
  if (options.extra !== 'ignore') checkExtra(columns, taken, names, file)
  const [label, ...features] = positions as [number, ...number[]]
  for (const [i, feature] of study.features.entries()) {
    checkUnit(feature, columns[features[i] as number] as Column, file, options)
  }
  return { label, subject, features }
}

/** A feature that is a record number would teach the model who is who. */
function subjectColumn(given: string, columns: readonly Column[], taken: Map<number, string>, file: string): number {
  const wanted = given.normalize('NFC')
  const position = columns.findIndex((column) => column.full === wanted)
  if (position < 0) {
    const names = columns.map(({ full }) => full)
    const message = `the column ${quote(given)}, named with --subject, does not exist${didYouMean(wanted, names)}`
    throw new DataError('missing-column', file, message)
  }
  const feature = taken.get(position)
  if (feature !== undefined) {
    const message = `column ${quote(given)} holds ${quote(feature)} and cannot hold the record number too: name the column of record numbers with --subject`
    throw new DataError('mapping', file, message)
  }
  taken.set(position, 'record number')
  return position
}

/** A label's column that is there all the same is not one too many; it is not read. */
function setAside(columns: readonly Column[], name: string, options: BindOptions, taken: Map<number, string>): number {
  const wanted = (ownValue(options.columns, name) ?? name).normalize('NFC')
  const position = columns.findIndex((column) => column.full === wanted || column.name === wanted)
  if (position >= 0) taken.set(position, name)
  return -1
}

/** `tau [ng/mL]` is the column tau in ng/mL; brackets elsewhere are part of the name. */
export function readColumn(header: string): Column {
  const full = header.normalize('NFC')
  const match = /^(.*\S)\s*\[([^[\]]*)\]$/.exec(full)
  return match
    ? { full, name: match[1] as string, unit: (match[2] as string).trim() }
    : { full, name: full, unit: null }
}

function findColumn(
  name: string,
  columns: readonly Column[],
  file: string,
  options: BindOptions,
  hint: string,
): number {
  const wanted = (ownValue(options.columns, name) ?? name).normalize('NFC')
  const exact = columns.findIndex((column) => column.full === wanted)
  if (exact >= 0) return exact
  const found = columns.flatMap((column, i) => (column.name === wanted ? [i] : []))
  if (found.length > 1) {
    throw new DataError(
      'mapping',
      file,
      `${found.length} columns are called ${quote(wanted)} with different units: remove all but one, or map one by its full name`,
    )
  }
  if (found[0] !== undefined) return found[0]
  const suggestion = didYouMean(
    wanted,
    columns.map((column) => column.name),
  )
  const what =
    wanted === name
      ? `the study needs a column ${quote(name)}`
      : `the column ${quote(wanted)}, mapped to ${quote(name)}, does not exist`
  throw new DataError(
    'missing-column',
    file,
    `${what}${suggestion}: rename it, or map it with --column ${quote(`${name}=COLUMN`)}${hint}`,
  )
}

/** A hospital that doesn't measure something can still take part, where the study allows missing values. */
function missingHint(study: Study, name: string): string {
  const feature = study.features.find((each) => each.name === name)
  return feature === undefined || feature.missing === 'refuse'
    ? ''
    : '; if it is not measured here, add it as an empty column'
}

function checkKeys(
  names: readonly string[],
  given: Readonly<Record<string, string>>,
  what: string,
  file: string,
): void {
  for (const key of Object.keys(given)) {
    if (!names.includes(key)) {
      throw new DataError(
        'mapping',
        file,
        `${what} were given for ${quote(key)}, which is no feature of the study${didYouMean(key, names)}: use the study's names`,
      )
    }
  }
}

const EXTRA_SHOWN_MAX = 5 // columns named in one message

function checkExtra(
  columns: readonly Column[],
  taken: ReadonlyMap<number, string>,
  names: readonly string[],
  file: string,
): void {
  const extra = columns.flatMap((column, i) =>
    taken.has(i) ? [] : [column.full === '' ? `column ${i + 1}, without a name` : quote(column.full)],
  )
  if (extra.length === 0) return
  const shown =
    extra.slice(0, EXTRA_SHOWN_MAX).join(', ') +
    (extra.length > EXTRA_SHOWN_MAX ? ` and ${extra.length - EXTRA_SHOWN_MAX} more` : '')
  throw new DataError(
    'extra-column',
    file,
    `the study knows ${names.length} columns, these are not among them: ${shown}: if it is the right file, use --ignore-extra`,
  )
}

function checkUnit(feature: Feature, column: Column, file: string, options: BindOptions): void {
  const expected = feature.kind === 'number' ? feature.unit : '1'
  // brackets that belong to the feature's own name declare nothing
  const inHeader = column.full === feature.name ? null : column.unit
  for (const declared of [inHeader, ownValue(options.units, feature.name) ?? null]) {
    if (declared === null) continue
    if (unitKey(declared) !== unitKey(expected)) {
      throw new DataError(
        'unit',
        file,
        `column ${quote(column.full)} is in ${quote(declared)}, the study expects ${quote(expected)}: convert the column`,
      )
    }
  }
}

/** Micro sign and Greek mu look alike and mean the same; no unit is written as nothing or as 1. */
const unitKey = (unit: string): string => unit.normalize('NFKC').trim() || '1'

function ownValue(record: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}
