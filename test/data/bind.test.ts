import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy, type Study } from '../../src/config/study.ts'
import { bindTable } from '../../src/data/bind.ts'
import type { BindOptions } from '../../src/data/columns.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { DataError } from '../../src/data/fault.ts'
import { readTableFile, scanTable } from '../../src/data/table.ts'

const it = suite('bind')

const STUDY: Study = parseStudy(
  `name: Wards
purpose: Test tables.
label: { name: outcome, positive: dead, negative: alive }
features:
  - { name: age, kind: number, unit: years, range: [18, 110], missing: refuse }
  - { name: tau, kind: number, unit: ng/mL, range: [0, 20] }
  - { name: side, kind: category, levels: [left, right] }
  - { name: ward, kind: category, levels: [A, B], missing: refuse }
  - { name: score, kind: number }
minimumCohort: 5
`,
  'wards.yaml',
)
const HEADER = 'outcome,age,tau,side,ward,score'
const ROWS = [
  'dead,71,3.5,left,A,1',
  'alive,64,NA,right,B,-2e3',
  'alive,55,,NA,A,.5',
  'dead,80,19.25,,B,+4.',
  'alive,47,0,left,A,NULL',
  'alive,33,7,right,B,6',
  'dead,90,2,left,A,7',
]
const table = (lines: readonly string[] = ROWS, header = HEADER): string => [header, ...lines, ''].join('\n')
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const bind = (text: string | Uint8Array, options?: BindOptions, study = STUDY) =>
  bindTable(study, { name: 'ward 3.csv', bytes: typeof text === 'string' ? bytes(text) : text }, options)

async function faultOf(run: () => Promise<unknown>): Promise<DataError> {
  try {
    await run()
  } catch (error) {
    if (error instanceof DataError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** As text, because NaN equals nothing. */
const plain = (dataset: Dataset): string => JSON.stringify({ ...dataset, values: [...dataset.values].map(String) })

it('numbers stand as they are, categories as indexes of their level, missing cells as NaN', async () => {
  const { dataset } = await bind(table())
  assert.is(dataset.rows, 7)
  assert.equal(dataset.features, ['age', 'tau', 'side', 'ward', 'score'])
  assert.equal([...dataset.labels], [1, 0, 0, 1, 0, 0, 1])
  assert.is(
    [...dataset.values.subarray(0, 20)].join(),
    '71,3.5,0,0,1,64,NaN,1,1,-2000,55,NaN,NaN,0,0.5,80,19.25,NaN,1,4',
  )
})

const swap = (delimiter: string): string => table().replaceAll(',', delimiter)
const SAME: readonly [claim: string, text: string | Uint8Array, options?: BindOptions][] = [
  ['a byte order mark', Uint8Array.from([0xef, 0xbb, 0xbf, ...bytes(table())])],
  ['CRLF', table().replaceAll('\n', '\r\n')],
  ['CR alone', table().replaceAll('\n', '\r')],
  ['mixed line ends', table().replace('\n', '\r\n')],
  ['no line end at the end', table().trimEnd()],
  ['semicolons', swap(';')],
  ['tabs', swap('\t')],
  ['quotes', table().replaceAll(/[^,\n]+/g, '"$&"')],
  [
    'quotes with another delimiter inside a header',
    table().replace('outcome', '"out;;;;;;;;come"'),
    { columns: { outcome: 'out;;;;;;;;come' } },
  ],
  ['spaces around cells', table().replaceAll(',', ' , ')],
  ['blank lines and lines of bare delimiters', `\n${table().replaceAll('\n', '\n\n')},,,,,\n`],
  ['a blank line before a header with semicolons', `\n \n${swap(';')}`],
  [
    'columns in another order',
    table(
      [...ROWS].map((row) => row.split(',').reverse().join(',')),
      HEADER.split(',').reverse().join(','),
    ),
  ],
  ['units in the header', table().replace('age,tau', 'age [years],tau [ng/mL]')],
  ['units said aside', table(), { units: { tau: 'ng/mL', score: '1', ward: '1' } }],
  ['another name, mapped', table().replace('tau', 'Tau protein [ng/mL]'), { columns: { tau: 'Tau protein' } }],
  [
    'another name, mapped by its full header',
    table().replace('tau', 'Tau protein [ng/mL]'),
    { columns: { tau: 'Tau protein [ng/mL]' } },
  ],
  [
    'extra columns, one without a name, ignored',
    table(
      ROWS.map((row, i) => `${i},${row},x`),
      `,${HEADER},id`,
    ),
    { extra: 'ignore' },
  ],
]
for (const [claim, text, options] of SAME) {
  it(`${claim}: the dataset is the same`, async () => {
    assert.is(plain((await bind(text, options)).dataset), plain((await bind(table())).dataset))
  })
}

/** One row per fault: the table, the code, and what the message must say (place first, then what to do). */
const FAULTS: readonly [
  claim: string,
  text: string | Uint8Array,
  code: string,
  says: string[],
  options?: BindOptions,
][] = [
  ['an empty file', '', 'empty', ['empty', 'export']],
  ['a file of spaces and line ends', ' \r\n\n', 'empty', ['no text', 'export']],
  ['a byte order mark and nothing else', Uint8Array.of(0xef, 0xbb, 0xbf), 'empty', ['no text', 'export']],
  ['a header without rows', `${HEADER}\n`, 'empty', ['header but no row', 'export']],
  [
    'Latin-1 text',
    Uint8Array.from([...bytes(`${HEADER}\n${ROWS[0]}\ndead,71,3.5,l`), 0xe9, ...bytes('ft,A,1\n')]),
    'encoding',
    ['line 3', 'not UTF-8', 'CSV UTF-8'],
  ],
  ['UTF-16 text', Uint8Array.from([0xff, 0xfe, 0x61, 0]), 'encoding', ['UTF-16', 'CSV UTF-8']],
  ['an Excel workbook', bytes('PK\u0003\u0004'), 'encoding', ['Excel', 'CSV UTF-8']],
  ['a compressed file', Uint8Array.from([0x1f, 0x8b, 8]), 'encoding', ['gzip', 'unpack']],
  [
    'two columns of one name',
    table().replace('side', 'age'),
    'header',
    ['line 1', 'columns 2 and 4', '"age"', 'rename'],
  ],
  ['a row too long', table([...ROWS, `${ROWS[0]},9`]), 'ragged', ['line 9', '7 cells', '6 columns', 'quotes']],
  ['a row too short', table(['dead,71', ...ROWS]), 'ragged', ['line 2', '2 cells', '6 columns', 'fill']],
  [
    'a quote that never closes',
    table(['', 'dead,"71,3.5,left,A,1', ...ROWS]),
    'syntax',
    ['line 3', 'quote', 'close it'],
  ],
  ['a quote inside a cell', table([...ROWS, 'dead,7"1,3.5,left,A,1']), 'syntax', ['line 9', 'quote', 'double']],
  [
    'a missing column',
    table().replace('tau', 'tua'),
    'missing-column',
    ['"tau"', 'did you mean "tua"?', '--column', 'empty column'],
  ],
  ['a missing column that may not be empty', table().replace('age', 'years'), 'missing-column', ['"age"', '--column']],
  ['a missing label column', table().replace('outcome', 'x'), 'missing-column', ['"outcome"']],
  [
    'extra columns',
    table(
      ROWS.map((row) => `${row},1,2`),
      `${HEADER},survival,`,
    ),
    'extra-column',
    ['"survival"', 'column 8, without a name', '--ignore-extra'],
  ],
  [
    'a unit in the header that is not the study’s',
    table().replace('tau', 'tau [pg/mL]'),
    'unit',
    ['"tau [pg/mL]"', '"pg/mL"', '"ng/mL"', 'convert'],
  ],
  [
    'a unit said aside that is not the study’s',
    table(),
    'unit',
    ['"months"', '"years"', 'convert'],
    { units: { age: 'months' } },
  ],
  ['a unit where the study has none', table().replace('score', 'score [%]'), 'unit', ['"%"', '"1"']],
  [
    'a mapping to no column',
    table(),
    'missing-column',
    ['"Tau"', 'mapped to "tau"', 'did you mean "tau"?'],
    { columns: { tau: 'Tau' } },
  ],
  ['a mapping of no feature', table(), 'mapping', ['"tua"', 'did you mean "tau"?'], { columns: { tua: 'tau' } }],
  ['a unit for no feature', table(), 'mapping', ['units', '"__proto__"'], { units: JSON.parse('{"__proto__":"x"}') }],
  [
    'two features mapped to one column',
    table(),
    'mapping',
    ['"tau"', '"age"', 'map each to its own'],
    { columns: { tau: 'age' } },
  ],
  [
    'one name with two units',
    table(
      ROWS.map((row) => `${row},1`),
      `${HEADER.replace('tau', 'tau [ng/mL]')},tau [pg/mL]`,
    ),
    'mapping',
    ['2 columns', '"tau"'],
  ],
  [
    'text in a number column',
    table([...ROWS, 'dead,71,high,left,A,1']),
    'not-a-number',
    ['line 9', 'column "tau"', '"high"', 'number is expected'],
  ],
  ['a hexadecimal number', table([...ROWS, 'dead,0x20,1,left,A,1']), 'not-a-number', ['line 9', '"0x20"']],
  ['two numbers in a cell', table([...ROWS, 'dead,20 21,1,left,A,1']), 'not-a-number', ['line 9', '"20 21"']],
  [
    'a decimal comma',
    table([...ROWS, 'dead,71,3.5,left,A,1'])
      .replaceAll(',', ';')
      .replace('3.5', '3,5'),
    'not-a-number',
    ['line 2', '"3,5"', 'decimal comma', 'decimal points'],
  ],
  [
    'NaN',
    table([...ROWS, 'dead,71,NaN,left,A,1']),
    'not-finite',
    ['line 9', 'column "tau"', '"NaN"', 'leave the cell empty'],
  ],
  ['infinity', table([...ROWS, 'dead,71,-Inf,left,A,1']), 'not-finite', ['"-Inf"', 'leave the cell empty']],
  ['a spreadsheet’s error', table([...ROWS, 'dead,71,#DIV/0!,left,A,1']), 'not-finite', ['"#DIV/0!"']],
  ['a number beyond double', table([...ROWS, 'dead,71,1,left,A,1e999']), 'not-finite', ['"1e999"', 'too large']],
  [
    'a value outside its range',
    table([...ROWS, 'dead,71,450,left,A,1']),
    'out-of-range',
    ['line 9', 'column "tau"', '"450"', '0 to 20 ng/mL', 'not in ng/mL'],
  ],
  [
    'a value below its range',
    table([...ROWS, 'dead,17.9,4,left,A,1']),
    'out-of-range',
    ['column "age"', '"17.9"', '18 to 110 years'],
  ],
  [
    'a value outside any range',
    table([...ROWS, 'dead,71,4,left,A,1e13']),
    'out-of-range',
    ['column "score"', '1000000000000'],
  ],
  [
    'an unknown level',
    table([...ROWS, 'dead,71,4,Left,A,1']),
    'unknown-level',
    ['line 9', 'column "side"', '"Left"', 'left, right are allowed', 'is "left" meant?'],
  ],
  [
    'an unknown label',
    table([...ROWS, 'died,71,4,left,A,1']),
    'bad-label',
    ['line 9', 'column "outcome"', '"died"', '"dead" or "alive"'],
  ],
  [
    'a missing label',
    table([...ROWS, ',71,4,left,A,1']),
    'missing-label',
    ['line 9', 'column "outcome"', 'fill it in'],
  ],
  [
    'a missing number that the study refuses',
    table([...ROWS, 'dead,NA,4,left,A,1']),
    'missing-value',
    ['line 9', 'column "age"', 'refuses'],
  ],
  [
    'a missing category that the study refuses',
    table([...ROWS, 'dead,71,4,left,,1']),
    'missing-value',
    ['line 9', 'column "ward"', 'refuses'],
  ],
  ['fewer rows than the minimum cohort', table(ROWS.slice(0, 4)), 'too-few-rows', ['4 rows', 'minimum cohort is 5']],
  [
    'enough rows, but not to train on',
    table(ROWS.slice(0, 6)),
    'too-few-rows',
    ['4 of 6 rows would train', 'minimum cohort is 5'],
  ],
  [
    'one class only',
    table(ROWS.map((row) => row.replace('dead', 'alive'))),
    'one-class',
    ['"outcome"', '0 of 7', '"dead"', 'at least 2'],
  ],
  [
    'one row of a class, which can’t be in both parts',
    table(ROWS.map((row, i) => (i > 0 ? row.replace('dead', 'alive') : row))),
    'one-class',
    ['1 of 7', '"dead"'],
  ],
]
for (const [claim, text, code, says, options] of FAULTS) {
  it(`${claim}: one line with the file, the place and what to do`, async () => {
    const { code: got, message } = await faultOf(() => bind(text, options))
    assert.is(got, `data-${code}`, message)
    assert.not.match(message, '\n')
    assert.ok(message.startsWith('ward 3.csv: '), message)
    for (const words of says) assert.ok(message.includes(words), `"${words}" in: ${message}`)
  })
}

it('an empty column is proposed only where the study allows missing values', async () => {
  const { message } = await faultOf(() => bind(table().replace('age', 'years')))
  assert.not.match(message, 'empty column')
})

it('a long or multi-line cell is cut and kept on one line in the message', async () => {
  const { message } = await faultOf(() => bind(table([...ROWS, `dead,"7\n${'x'.repeat(500)}",4,left,A,1`])))
  assert.not.match(message, '\n')
  assert.ok(message.length < 250, message)
})

it('what a log may take, code and line, is apart from the message that holds the cell', async () => {
  const { code, line } = await faultOf(() => bind(table([...ROWS, 'dead,71,high,left,A,1'])))
  assert.equal([code, line], ['data-not-a-number', 9])
})

it('a missing file, a folder and a file beyond reach are told in one line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-'))
  try {
    const gone = await faultOf(() => readTableFile(join(folder, 'gone.csv')))
    assert.equal(
      [gone.code, gone.message],
      ['data-file', `${join(folder, 'gone.csv')}: there is no such file: check the path`],
    )
    const dir = await faultOf(() => readTableFile(folder))
    assert.is(dir.message, `${folder}: this is no file: give the CSV file`)
    const under = await faultOf(() => readTableFile(join(folder, 'a\0b')))
    assert.is(under.code, 'data-file')
    writeFileSync(join(folder, 'a.csv'), table())
    assert.is((await bindTable(STUDY, await readTableFile(join(folder, 'a.csv')))).dataset.rows, 7)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('the same table, study and seed give the same split; another seed gives another', async () => {
  const lines = Array.from({ length: 60 }, (_, i) => `${i % 3 === 0 ? 'dead' : 'alive'},${20 + i},${i / 4},left,A,${i}`)
  const split = async (seed?: string) => [...(await bind(table(lines), { seed })).dataset.testRows]
  assert.equal(await split(), await split(''))
  assert.equal(await split('a'), await split('a'))
  assert.not.equal(await split('a'), await split('b'))
})

it('the summary counts what is missing and hides counts below the minimum cohort', async () => {
  const { summary } = await bind(table())
  assert.equal([summary.rows, summary.trainRows + summary.testRows, summary.positives], [7, 7, null])
  const [age, tau, side] = summary.features
  assert.equal(age, {
    name: 'age',
    kind: 'number',
    unit: 'years',
    missingShare: 0,
    values: { min: 33, max: 90, mean: 440 / 7 },
  })
  assert.ok(tau?.missingShare === 1 - 5 / 7)
  assert.equal(side?.kind === 'category' && side.levels, [
    { level: 'left', rows: null },
    { level: 'right', rows: null },
  ])
  const twice = (await bind(table([...ROWS, ...ROWS]))).summary
  assert.is(twice.positives, 6)
  assert.equal(twice.features[2]?.kind === 'category' && twice.features[2].levels, [
    { level: 'left', rows: 6 },
    { level: 'right', rows: null },
  ])
})

it('names are compared as they look: composed or not, with brackets of their own, called like something built in', async () => {
  const features = [
    '{ name: "Größe", kind: number, unit: µg }', // micro sign
    '{ name: "Score [0-9]", kind: number }',
    '{ name: constructor, kind: number }',
  ]
  const study = parseStudy(
    `name: x\npurpose: y\nlabel: { name: o, positive: p, negative: n }\nminimumCohort: 5\nfeatures: [${features}]`,
    'x.yaml',
  )
  const lines = ['p,1,2,3', 'n,4,5,6', 'p,7,8,9', 'n,10,11,12', 'p,1,1,1', 'n,1,1,1', 'n,1,1,1', 'n,1,1,1']
  const text = ['o,Größe [µg],Score [0-9],constructor'.normalize('NFD').replace('µ', 'μ'), ...lines].join('\n') // Greek mu
  const { dataset } = await bind(text, { columns: {}, units: {} }, study)
  assert.equal([...dataset.values.subarray(0, 6)], [1, 2, 3, 4, 5, 6])
})

it('an empty column is accepted where the study allows missing values', async () => {
  const { dataset, summary } = await bind(table(ROWS.map((row) => row.replace(/^(\w+,\d+),[^,]*/, '$1,'))))
  assert.ok([...dataset.values].filter((_, i) => i % 5 === 1).every(Number.isNaN))
  assert.equal(summary.features[1], { name: 'tau', kind: 'number', unit: 'ng/mL', missingShare: 1, values: null })
})

it('tables larger than one slice are read whole, wherever the slices fall', async () => {
  const lines = Array.from({ length: 60_000 }, (_, i) => `"${i}","a, ""b""\r\nc${i}",é${i}`)
  const text = `\uFEFF"i","text","é"\r\n${lines.join('\r\n')}\r\n`
  let next = 0
  await scanTable(
    { name: 'big.csv', bytes: bytes(text) },
    {
      header: (columns) => assert.equal(columns, ['i', 'text', 'é']),
      row: (cells, line) => {
        if (cells[0] !== String(next) || cells[1] !== `a, "b"\r\nc${next}` || cells[2] !== `é${next}`)
          assert.equal(cells, next)
        if (line !== 2 * next + 3) assert.is(line, 2 * next + 3) // where the row ends
        next++
      },
    },
  )
  assert.is(next, 60_000)
})

it('any bytes at all give a dataset or one clear line, never a crash', async () => {
  const soup = fc.array(fc.constantFrom(HEADER, ...ROWS, '\n', '\r', ',', ';', '"', 'x', ' ', 'é', '\0', '1'), {
    maxLength: 30,
  })
  const files = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    soup.map((parts) => bytes(parts.join(''))),
    soup.map((parts) => bytes(`${table()}${parts.join('')}`)),
  )
  await fc.assert(
    fc.asyncProperty(files, async (file) => {
      try {
        await bind(file)
      } catch (error) {
        assert.instance(error, DataError)
        assert.not.match((error as DataError).message, /[\n\r]/)
      }
    }),
    { numRuns: 300 },
  )
})

it.run()
