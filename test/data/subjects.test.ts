/** Patients in tables: who has which rows, that nobody is in two parts, and which rows are left where somebody refused. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy } from '../../src/config/study.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { Rng } from '../../src/core/rng.ts'
import { bindTable } from '../../src/data/bind.ts'
import { DataError } from '../../src/data/fault.ts'
import { splitRows, splitSubjects } from '../../src/data/split.ts'
import { permittedRows, rowsOfSubjects } from '../../src/data/subjects.ts'

const it = suite('subjects')

const text = (consent: string): string => `name: Wards
purpose: Test tables.
label: { name: outcome, positive: dead, negative: alive }
features: [{ name: age, kind: number, unit: years }]
minimumCohort: 5
consent: ${consent}
`
const ASKING = parseStudy(text('{ basis: opt-in, jurisdiction: DE, purposes: [DUO:0000006] }'), 'a.yaml')
const SILENT = parseStudy(text('null'), 'a.yaml')

/** Three patients in ten have two rows. */
const ROWS = Array.from(
  { length: 40 },
  (_, i) => `MRN-${100 + (i % 4 === 3 ? i - 1 : i)},${i % 3 === 0 ? 'dead' : 'alive'},${30 + i}`,
)
const tableOf = (rows: readonly string[]): string => ['mrn,outcome,age', ...rows, ''].join('\n')
const bind = (csv: string, subject?: string, study = ASKING) =>
  bindTable(study, { name: 'w.csv', bytes: utf8(csv) }, subject === undefined ? {} : { subject })

const faultOf = (call: Promise<unknown>): Promise<DataError> =>
  call.then(
    () => Promise.reject(new Error('nothing was refused')),
    (error: unknown) => (error instanceof DataError ? error : Promise.reject(error)),
  )

it('rows with one record number are of one patient, who is in one part alone', async () => {
  const { dataset, records } = await bind(tableOf(ROWS), 'mrn')
  assert.is(records?.length, 30)
  assert.equal(records?.slice(0, 4), ['MRN-100', 'MRN-101', 'MRN-102', 'MRN-104'])
  const subjects = dataset.subjects as Uint32Array
  assert.equal([...subjects.slice(0, 5)], [0, 1, 2, 2, 3])
  assert.equal([...rowsOfSubjects(subjects, 30)].slice(0, 4), [1, 1, 2, 1])
  const parts = [dataset.trainRows, dataset.testRows, dataset.validationRows]
  const of = parts.map((rows) => new Set([...rows].map((row) => subjects[row])))
  assert.is(
    of.reduce((sum, { size }) => sum + size, 0),
    30,
  )
  assert.equal(
    parts.flatMap((rows) => [...rows]).sort((a, b) => a - b),
    ROWS.map((_, i) => i),
  )
  assert.equal(dataset.features, ['age'], 'the record number is no feature')
})

it('where every patient has one row the split is that of rows', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 1), { minLength: 8, maxLength: 60 }), fc.nat(), (marks, seed) => {
      const labels = Uint8Array.from(marks)
      const wanted = { testShare: 0.3, share: 0.2, rowsMin: 3 }
      const each = Uint32Array.from(marks, (_, i) => i)
      const bySubject = splitSubjects(labels, each, wanted, Rng.from('split', `${seed}`))
      const byRow = splitRows(labels, wanted, Rng.from('split', `${seed}`))
      for (const part of ['trainRows', 'testRows', 'validationRows'] as const)
        assert.equal([...bySubject[part]], [...byRow[part]])
    }),
  )
})

it('only rows of permitted patients are left, each in its part, and too few validation rows in none', () => {
  const dataset = {
    ...{ rows: 8, features: [], values: new Float64Array(0), labels: new Uint8Array(8) },
    trainRows: Uint32Array.of(0, 1, 2, 3),
    testRows: Uint32Array.of(4, 5),
    validationRows: Uint32Array.of(6, 7),
    subjects: Uint32Array.of(0, 0, 1, 2, 3, 4, 5, 6),
  }
  const found = permittedRows(dataset, Uint8Array.of(1, 0, 1, 0, 1, 1, 1), 2)
  assert.is(found.patients, 2)
  assert.equal([...found.dataset.trainRows], [0, 1, 3])
  assert.equal([...found.dataset.testRows], [5])
  assert.equal([...found.dataset.validationRows], [6, 7])
  assert.equal([...permittedRows(dataset, Uint8Array.of(1, 0, 1, 0, 1, 0, 1), 2).dataset.validationRows], [])
})

const REFUSED: readonly (readonly [code: string, call: () => Promise<unknown>, says: RegExp])[] = [
  ['data-mapping', () => bind(tableOf(ROWS)), /asks patients for their consent: .* --subject COLUMN$/],
  ['data-mapping', () => bind(tableOf(ROWS), 'mrn', SILENT), /asks no patient for consent: leave it out/],
  [
    'data-missing-column',
    () => bind(tableOf(ROWS), 'mrm'),
    /"mrm", named with --subject, does not exist, is "mrn" meant|mrn/,
  ],
  ['data-mapping', () => bind(tableOf(ROWS), 'age'), /holds "age" and cannot hold the record number too/],
  [
    'data-missing-subject',
    () => bind(tableOf(['MRN-1,dead,4', ',alive,5', ...ROWS]), 'mrn'),
    /^w\.csv: line 3: column "mrn": the record number is missing/,
  ],
  [
    'data-missing-subject',
    () => bind(tableOf([...ROWS, `${'x'.repeat(129)},dead,4`]), 'mrn'),
    /129 characters is no record number/,
  ],
]
for (const [code, call, says] of REFUSED) {
  it(`refused: ${code} (${says.source})`, async () => {
    const error = await faultOf(call())
    assert.is(error.code, code)
    assert.match(error.message, says)
  })
}

it.run()
