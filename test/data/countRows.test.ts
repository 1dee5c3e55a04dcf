/** Counting in a table, against a plain reading of it; and what of a table may be announced. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CountColumn } from '../../src/config/countColumns.ts'
import { parseCondition } from '../../src/config/countParser.ts'
import { type Condition, canonical, type Operator } from '../../src/config/countQuery.ts'
import { announceable } from '../../src/data/announceable.ts'
import { type CountJob, countRows } from '../../src/data/countRows.ts'

const it = suite('count rows')

const COLUMNS: readonly CountColumn[] = [
  { name: 'age', unit: 'years', kind: 'number', values: null },
  { name: 'sex', unit: '1', kind: 'text', values: ['F', 'M'] },
  { name: 'admitted', unit: '1', kind: 'date', values: null },
]
interface Row {
  readonly mrn: string
  readonly age: number | null
  readonly sex: 'F' | 'M' | null
  readonly admitted: string | null
}
const csv = (rows: readonly Row[]): string =>
  [
    'mrn,age [years],sex,admitted',
    ...rows.map((row) => [row.mrn, row.age ?? 'NA', row.sex ?? '', row.admitted ?? ''].join(',')),
  ].join('\n')
const fileOf = (text: string) => ({ name: 't.csv', bytes: new TextEncoder().encode(`${text}\n`) })
const count = (rows: readonly Row[], where: Condition | null, more: Partial<CountJob> = {}): Promise<number> =>
  countRows(fileOf(csv(rows)), { where, columns: COLUMNS, keyColumn: null, permitted: () => true, ...more })

const row = fc.record<Row>({
  mrn: fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5'),
  age: fc.option(fc.integer({ min: 60, max: 70 })),
  sex: fc.option(fc.constantFrom('F' as const, 'M' as const)),
  admitted: fc.option(fc.constantFrom('2023-12-31', '2024-01-01', '2024-02-10T08:30Z', '2025-07-04')),
})
const operator = fc.constantFrom<Operator>('=', '!=', '<', '<=', '>', '>=')
const leaf: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({
    is: fc.constant('compare' as const),
    column: fc.constant('age'),
    operator,
    literal: fc.integer({ min: 60, max: 70 }),
  }),
  fc.record({
    is: fc.constant('compare' as const),
    column: fc.constant('sex'),
    operator: fc.constantFrom<Operator>('=', '!='),
    literal: fc.constantFrom('F', 'M'),
  }),
  fc.record({
    is: fc.constant('in' as const),
    column: fc.constant('sex'),
    literals: fc.constantFrom(['F'], ['F', 'M']),
  }),
  fc.record({
    is: fc.constant('compare' as const),
    column: fc.constant('admitted'),
    operator,
    literal: fc.constantFrom('2024', '2024-01', '2024-02'),
  }),
)
const where: fc.Arbitrary<Condition> = fc.letrec<{ node: Condition }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ is: fc.constant('not' as const), part: tie('node') }),
    fc.record({ is: fc.constantFrom('and' as const, 'or' as const), parts: fc.tuple(tie('node'), tie('node')) }),
  ),
})).node

/** The meaning, written down once more. */
function meets(one: Condition, given: Row): boolean {
  if (one.is === 'not') return !meets(one.part, given)
  if ('parts' in one) {
    const each = one.parts.map((part) => meets(part, given))
    return one.is === 'and' ? each.every((held) => held) : each.some((held) => held)
  }
  const value = given[one.column as 'age' | 'sex' | 'admitted']
  if (value === null) return false
  if (one.is === 'in') return one.literals.some((literal) => literal === value)
  const cell =
    typeof one.literal === 'string' && one.column === 'admitted' ? String(value).slice(0, one.literal.length) : value
  const table = {
    '=': cell === one.literal,
    '!=': cell !== one.literal,
    '<': cell < one.literal,
    '<=': cell <= one.literal,
    '>': cell > one.literal,
    '>=': cell >= one.literal,
  }
  return table[one.operator]
}

it('counts the rows that a plain reading finds, in its one form as well', () =>
  fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), where, async (rows, one) => {
      const expected = rows.filter((each) => meets(one, each)).length
      assert.is(await count(rows, one), expected)
      assert.is(await count(rows, canonical(one)), expected)
    }),
    { numRuns: 150 },
  ))

it('where a column tells patients apart, each is counted once, and those alone who may be', () =>
  fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), where, async (rows, one) => {
      const permitted = (record: string): boolean => record !== 'p2'
      const found = new Set(rows.filter((each) => meets(one, each) && each.mrn !== 'p2').map(({ mrn }) => mrn))
      assert.is(await count(rows, one, { keyColumn: 'mrn', permitted }), found.size)
    }),
    { numRuns: 80 },
  ))

it('an empty cell meets no comparison, and is found by not', async () => {
  const rows: Row[] = [
    { mrn: 'p1', age: null, sex: null, admitted: null },
    { mrn: 'p2', age: 65, sex: 'F', admitted: '2024-01-01' },
  ]
  for (const [text, expected] of [
    ['age != 65', 0],
    ['not age = 65', 1],
    ["not sex in ('F', 'M')", 1],
    ['age <= 65', 1],
  ] as const)
    assert.is(await count(rows, parseCondition(text)), expected, text)
})

it('a row without a record number is nobody’s', async () => {
  const rows: Row[] = [
    { mrn: '', age: 61, sex: 'F', admitted: null },
    { mrn: 'p1', age: 61, sex: 'F', admitted: null },
  ]
  assert.is(await count(rows, null, { keyColumn: 'mrn' }), 1)
  assert.is(await count(rows, null), 2)
})

it('a column that is gone is a fault, and quotes no cell', async () => {
  const job = { where: parseCondition('weight > 5'), columns: COLUMNS, keyColumn: null, permitted: () => true }
  await countRows(fileOf('age\n61'), job).then(
    () => assert.unreachable(),
    (error: { code: string; message: string }) => {
      assert.is(error.code, 'data-missing-column')
      assert.match(error.message, /"weight" is not there any more/)
    },
  )
})

/** Forty patients, two rows each. */
const TABLE = [
  'mrn,name,age [years],score,sex,clinic,stage,born,empty,code',
  ...Array.from({ length: 80 }, (_, i) => {
    const p = i % 40
    const stage = p < 3 ? 'IV' : p < 20 ? 'I' : 'II'
    const day = String((p % 28) + 1).padStart(2, '0')
    return [
      `QX-${p}`,
      `Anna Schmidt ${p}`,
      50 + (p % 7),
      4711 + i,
      p % 2 === 0 ? 'F' : 'M',
      'memory',
      stage,
      `1949-05-${day}`,
      '',
      p === 0 ? '7' : 'x',
    ].join(',')
  }),
].join('\n')
const REGISTERED = [{ name: 'age [years]', unit: 'years' }]

it('no name, no record number and no rare text may be announced', async () => {
  const found = await announceable(fileOf(TABLE), {
    ...{ registered: REGISTERED, keyColumn: 'mrn', cohort: 10, isRowPerPatient: false },
  })
  assert.is(found.count, 40)
  assert.equal(found.columns, [
    { name: 'age', unit: 'years', kind: 'number', values: null },
    { name: 'sex', unit: '1', kind: 'text', values: ['F', 'M'] },
    { name: 'clinic', unit: '1', kind: 'text', values: ['memory'] },
    { name: 'stage', unit: '1', kind: 'text', values: ['I', 'II'] }, // three patients are too few to be told of
    { name: 'born', unit: '1', kind: 'date', values: null },
    { name: 'code', unit: '1', kind: 'text', values: ['x'] },
  ])
  assert.equal(
    found.leftOut.map(({ column }) => column),
    ['mrn', 'name', 'score', 'empty'],
  )
  assert.is(found.leftOut[0]?.because, 'it tells patients apart')
  assert.not.ok(JSON.stringify(found).includes('Schmidt'))
  assert.not.ok(JSON.stringify(found).includes('QX-'))
})

it('a text is shared by patients, not by rows: one patient’s many rows make it no common one', async () => {
  const lines = Array.from({ length: 30 }, (_, i) => `p${i < 25 ? 0 : i},${i < 25 ? 'rare' : 'common'}`)
  const found = await announceable(fileOf(['mrn,word', ...lines].join('\n')), {
    registered: [],
    keyColumn: 'mrn',
    ...{ cohort: 5, isRowPerPatient: false },
  })
  assert.is(found.count, 6)
  assert.equal(found.columns[0]?.values, ['common'])
})

it('a name that one patient’s ten visits share is no common text: where rows may be visits, no text is announced, and it is said why', async () => {
  const names = ['Anna Schmidt', 'Ben Brandt', 'Cleo Weiss']
  const lines = Array.from({ length: 30 }, (_, i) => `V-${i},${names[i % 3]},${60 + (i % 4)}`)
  const visits = fileOf(['visit,name,age', ...lines].join('\n'))
  const job = { registered: [], cohort: 10, isRowPerPatient: false }
  for (const [keyColumn, why] of [
    [null, /nobody knows how many patients share one/],
    ['visit', /--row-per-patient says that each is a patient/],
  ] as const) {
    const found = await announceable(visits, { ...job, keyColumn })
    assert.equal(
      found.columns.map(({ name }) => name),
      ['age'],
    )
    assert.match(found.leftOut.find(({ column }) => column === 'name')?.because ?? '', why)
    assert.not.match(JSON.stringify(found), /Anna|Ben|Cleo/)
  }
  const told = await announceable(visits, { ...job, keyColumn: 'visit', isRowPerPatient: true })
  assert.equal(told.columns[0]?.values, names, 'the hospital’s word stands')
  const keyless = await announceable(visits, { ...job, keyColumn: null, isRowPerPatient: true })
  assert.is(keyless.columns.length, 1, 'but not against a missing key')
})

it('a column whose name or unit fits no entry is left out, with the reason', async () => {
  const long = 'é'.repeat(61)
  const lines = Array.from({ length: 12 }, (_, i) => `${i % 4},${i % 4}`)
  const found = await announceable(fileOf([`${long},tau`, ...lines].join('\n')), {
    ...{ registered: [{ name: 'tau', unit: 'x'.repeat(41) }], keyColumn: null, cohort: 5, isRowPerPatient: false },
  })
  assert.equal(
    found.leftOut.map(({ because }) => because),
    ['its name takes more than 120 bytes', 'its unit takes more than 40 bytes'],
  )
})

it('two columns of one name are asked about by nobody', async () => {
  const lines = Array.from({ length: 12 }, (_, i) => `${i % 4},${i % 3}`)
  const found = await announceable(fileOf(['tau [ng/mL],tau [pg/mL]', ...lines].join('\n')), {
    registered: [],
    keyColumn: null,
    ...{ cohort: 5, isRowPerPatient: false },
  })
  assert.equal([found.count, found.columns.length, found.leftOut.length], [12, 0, 2])
})

it.run()
