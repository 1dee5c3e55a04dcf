/** Binds a hospital's table to a study: every column mapped, every cell checked, a held-out part dealt. Nothing leaves this node. */
import { type Study, studyDocument, studyIdOf } from '../config/study.ts'
import { Rng } from '../core/rng.ts'
import { type CellReader, featureReader, labelReader } from './cells.ts'
import { type BindOptions, type ColumnMap, mapColumns } from './columns.ts'
import type { Dataset } from './dataset.ts'
import { DataError, quote } from './fault.ts'
import { type Parts, splitRows, splitSubjects } from './split.ts'
import { SubjectReader } from './subjects.ts'
import { type DatasetSummary, summarise } from './summary.ts'
import { scanTable, type TableFile, type TableReader } from './table.ts'

/** What `bindTable` read. Neither part may leave this node. */
export interface BoundTable {
  readonly dataset: Dataset
  readonly summary: DatasetSummary
  /** The patients' record numbers, in the order in which `dataset.subjects` counts them; null where the study asks for none. */
  readonly records: readonly string[] | null
}

/**
 * Reads `file` as `study` says. The split depends only on the study's digest, the labels and `options.seed`.
 * Errors: DataError with codes `data-…`, the first fault in the file's order; only its code belongs in a log.
 */
export async function bindTable(study: Study, file: TableFile, options: BindOptions = {}): Promise<BoundTable> {
  requireSubject(study, file.name, options)
  const rows = new BoundRows(study, file.name, options)
  await scanTable(file, rows)
  const labels = rows.labels()
  requireCohort(study, labels.length, `${labels.length} rows`, file.name)
  checkClasses(study, labels, file.name)
  const rng = Rng.from('split', studyIdOf(studyDocument(study)), options.seed ?? '')
  const { subjects } = rows
  const wanted = { testShare: study.testShare, share: study.validationShare, rowsMin: study.minimumCohort }
  const parts: Parts =
    subjects === null ? splitRows(labels, wanted, rng) : splitSubjects(labels, subjects.of(), wanted, rng)
  const dataset: Dataset = {
    rows: labels.length,
    features: study.features.map((feature) => feature.name),
    values: rows.values(),
    labels,
    ...parts,
    ...(subjects === null ? {} : { subjects: subjects.of() }),
  }
  const training = dataset.trainRows.length
  requireCohort(study, training, `${training} of ${labels.length} rows would train`, file.name)
  return { dataset, summary: summarise(study, dataset), records: subjects?.records ?? null }
}

const CELLS_MAX = 1 << 27 // 1 GiB of float64 for one study: beyond it a hospital needs another reader than CSV
const CELLS_AT_FIRST = 1 << 12

/** Collects checked rows; grows by doubling, since the number of rows is known only at the end. */
class BoundRows implements TableReader {
  readonly #study: Study
  readonly #file: string
  readonly #options: BindOptions
  readonly #readLabel: CellReader
  readonly #readers: readonly CellReader[]
  #header: readonly string[] = []
  #map: ColumnMap = { label: -1, subject: -1, features: [] }
  #values = new Float64Array(CELLS_AT_FIRST)
  #used = 0
  readonly #labels: number[] = []
  readonly subjects: SubjectReader | null

  constructor(study: Study, file: string, options: BindOptions) {
    this.#study = study
    this.#file = file
    this.#options = options
    this.#readLabel = labelReader(study)
    this.#readers = study.features.map(featureReader)
    this.subjects = options.subject === undefined ? null : new SubjectReader(file, options.subject)
  }

  header(columns: readonly string[]): void {
    this.#header = columns
    this.#map = mapColumns(this.#study, columns, this.#file, this.#options)
  }

  row(cells: readonly string[], line: number): void {
    this.#reserve(line)
    this.subjects?.take(cells[this.#map.subject] as string, line)
    const read = (reader: CellReader, column: number): number =>
      reader(cells[column] as string, { file: this.#file, line, column: this.#header[column] as string })
    this.#labels.push(read(this.#readLabel, this.#map.label))
    for (let i = 0; i < this.#readers.length; i++) {
      this.#values[this.#used++] = read(this.#readers[i] as CellReader, this.#map.features[i] as number)
    }
  }

  labels(): Uint8Array {
    return Uint8Array.from(this.#labels)
  }

  values(): Float64Array {
    return this.#values.slice(0, this.#used)
  }

  #reserve(line: number): void {
    const needed = this.#used + this.#readers.length
    if (needed > CELLS_MAX) {
      throw new DataError('too-large', this.#file, `more than ${CELLS_MAX} values: leave out rows`, line)
    }
    if (needed <= this.#values.length) return
    const grown = new Float64Array(Math.min(CELLS_MAX, Math.max(needed, this.#values.length * 2)))
    grown.set(this.#values)
    this.#values = grown
  }
}

/** Whose word is asked for has to be known, and is not asked for otherwise. */
function requireSubject({ consent }: Study, file: string, { subject }: BindOptions): void {
  if ((consent === null) === (subject === undefined)) return
  const message =
    consent === null
      ? `--subject ${quote(subject ?? '')} was given, and the study asks no patient for consent: leave it out`
      : 'the study asks patients for their consent: name the column of their record numbers with --subject COLUMN'
  throw new DataError('mapping', file, message)
}

/** Rows enough to hide in, of those whose number and sums the others are told. */
function requireCohort({ minimumCohort }: Study, count: number, found: string, file: string): void {
  if (count >= minimumCohort) return
  const message = `${found}, the study's minimum cohort is ${minimumCohort}: add patients, or don't take part with this table`
  throw new DataError('too-few-rows', file, message)
}

/** Two of each class, so that both parts of the split have both. */
function checkClasses(study: Study, labels: Uint8Array, file: string): void {
  const positives = labels.reduce((sum, label) => sum + label, 0)
  const classes = [
    [study.label.positive, positives],
    [study.label.negative, labels.length - positives],
  ] as const
  for (const [value, rows] of classes) {
    if (rows >= 2) continue
    const message = `column ${quote(study.label.name)}: ${rows} of ${labels.length} rows are ${quote(value)}, at least 2 are needed, one to train and one to test: add such patients`
    throw new DataError('one-class', file, message)
  }
}
