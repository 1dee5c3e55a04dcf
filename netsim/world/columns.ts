/** A CSV file in memory, column by column: each cell as the number of its word, so that a table takes 4 bytes a cell. */
import { type Feature, MISSING_CELLS } from '../../src/config/study.ts'
import { MAGNITUDE_MAX } from '../../src/core/statistics.ts'
import { NUMBER } from '../../src/data/cells.ts'
import { quote } from '../../src/data/fault.ts'
import { scanTable, type TableReader } from '../../src/data/table.ts'
import { fault } from './fault.ts'
import { bytesOf, type ScenarioFiles } from './files.ts'

const LEVELS_MAX = 200 // STUDY_BOUNDS.levelsMax: more is a free text or an identifier, which is no feature
const ROWS_AT_FIRST = 1 << 10

/** One column. */
export interface Column {
  readonly name: string
  /** Of each row, the number of its word. */
  readonly codes: Uint32Array
  /** In the order of their first row. */
  readonly words: readonly string[]
  /** Of each word, the line where it stands first. */
  readonly lines: readonly number[]
}

/** A file that was read. */
export interface ReadTable {
  /** As the scenario names it, for errors. */
  readonly file: string
  readonly rows: number
  readonly columns: readonly Column[]
}

/** Reads the CSV file that the scenario names. Errors: `scenario-file`, `data-…` of the product's own reader. */
export async function readTable(file: string, files: ScenarioFiles): Promise<ReadTable> {
  const reader = new Columns()
  await scanTable({ name: file, bytes: bytesOf(files, file) }, reader)
  return { file, rows: reader.rows, columns: reader.finish() }
}

class Columns implements TableReader {
  rows = 0
  #columns: { name: string; codes: Uint32Array; words: Map<string, number>; lines: number[] }[] = []

  header(names: readonly string[]): void {
    const codes = (): Uint32Array => new Uint32Array(ROWS_AT_FIRST)
    this.#columns = names.map((name) => ({ name: name.normalize('NFC'), codes: codes(), words: new Map(), lines: [] }))
  }

  row(cells: readonly string[], line: number): void {
    for (const [i, column] of this.#columns.entries()) {
      const cell = (cells[i] as string).normalize('NFC')
      const word = MISSING_CELLS.includes(cell) ? '' : cell
      let code = column.words.get(word)
      if (code === undefined) {
        code = column.words.size
        column.words.set(word, code)
        column.lines.push(line)
      }
      if (this.rows === column.codes.length) {
        const grown = new Uint32Array(2 * this.rows)
        grown.set(column.codes)
        column.codes = grown
      }
      column.codes[this.rows] = code
    }
    this.rows++
  }

  finish(): Column[] {
    return this.#columns.map(({ name, codes, words, lines }) => {
      return { name, codes: codes.slice(0, this.rows), words: [...words.keys()], lines }
    })
  }
}

/** The column called `name`; `key` is the scenario's word for it. Errors: `scenario-data`. */
export function columnOf(table: ReadTable, name: string, key: string): Column {
  const found = table.columns.find((column) => column.name === name)
  if (found !== undefined) return found
  const names = table.columns.map((column) => column.name)
  const shown = names.slice(0, 12).join(', ') + (names.length > 12 ? ` and ${names.length - 12} more` : '')
  throw fault('data', `${table.file}: data.${key}: ${quote(name)} was given, the file has the columns ${shown}`)
}

/** An error in one cell's word: where it stands first. */
export function wordFault({ file }: ReadTable, column: Column, code: number, message: string) {
  const given = column.words[code] === '' ? 'a missing value' : quote(column.words[code] as string)
  return fault(
    'data',
    `${file}: line ${column.lines[code]}: column ${quote(column.name)}: ${given} was given, ${message}`,
  )
}

/** Refuses a column with missing values. */
export function requireFull(table: ReadTable, column: Column, hint: string): void {
  const missing = column.words.indexOf('')
  if (missing >= 0) throw wordFault(table, column, missing, hint)
}

/** A column as a study's feature, and what each of its words is there. */
export interface FeatureColumn {
  readonly feature: Feature
  readonly codes: Uint32Array
  /** By the number of the word: a number as it stands, a category as the index of its level, NaN where missing. */
  readonly values: Float64Array
}

/**
 * Numbers where every cell that is not missing is one, else a category with its words in the order of their code units.
 * Errors: `scenario-data` for a column without values, with one word only, or with more than 200.
 */
export function featureOf(table: ReadTable, column: Column): FeatureColumn {
  const { name, codes, words } = column
  const present = words.filter((word) => word !== '')
  if (present.length === 0)
    throw fault('data', `${table.file}: column ${quote(name)}: all its cells are missing: add it to data.drop`)
  const oddWord = present.find((word) => !NUMBER.test(word))
  if (oddWord === undefined) {
    const large = words.findIndex((word) => Math.abs(Number(word)) > MAGNITUDE_MAX)
    if (large >= 0) throw wordFault(table, column, large, `numbers up to ${MAGNITUDE_MAX} either side of 0 are allowed`)
    const feature = { name, kind: 'number', unit: '1', range: null, missing: 'mean' } as const
    return { feature, codes, values: Float64Array.from(words, (word) => (word === '' ? Number.NaN : Number(word))) }
  }
  const levels = present.sort()
  if (levels.length > LEVELS_MAX) {
    const hint = `${levels.length} different words stand there, a category may have ${LEVELS_MAX}: correct it, or add the column to data.drop`
    throw wordFault(table, column, words.indexOf(oddWord), `which is no number, and ${hint}`)
  }
  if (levels.length === 1)
    throw fault(
      'data',
      `${table.file}: column ${quote(name)}: ${quote(oddWord)} is its only value: add it to data.drop`,
    )
  const indexOf = new Map(levels.map((level, i) => [level, i]))
  const values = Float64Array.from(words, (word) => indexOf.get(word) ?? Number.NaN)
  return { feature: { name, kind: 'category', levels, missing: 'level' }, codes, values }
}
