/** Rows to be predicted: what gets a warning, what gets no prediction, and what is a fault of the whole file. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { type RawBatch, scanRawRows } from '../../src/data/rawRows.ts'
import { clinicStudy, SCALING } from '../learn/portableFixtures.ts'

const it = suite('raw rows')
const STUDY = clinicStudy()

async function read(text: string, options: Parameters<typeof scanRawRows>[3] = {}): Promise<RawBatch[]> {
  const batches: RawBatch[] = []
  await scanRawRows(STUDY, SCALING, { name: 'new.csv', bytes: utf8(text) }, options, async (batch) => {
    batches.push(batch)
  })
  return batches
}
const HEADER = 'age,"Größe ""tau""",sex\n'

// age: 71.5 ± 9.25, so 8 deviations reach from −2.5 to 145.5; tau: 303.25 ± 120.5, to 1267.25
const ROWS: readonly (readonly [row: string, warnings: string, values: readonly number[]])[] = [
  ['70,300,f', '', [70, 300, 0]],
  [',300,m', 'age missing', [Number.NaN, 300, 1]],
  ['70,300,', 'sex missing', [70, 300, Number.NaN]],
  ['125,300,f', 'age out-of-range', [125, 300, 0]],
  ['70,1400,f', 'Größe "tau" clipped', [70, 1400, 0]],
  ['150,300,f', 'age clipped', [150, 300, 0]],
  ['70,300,x', 'sex unknown-level', [70, 300, Number.NaN]],
  ['old,300,f', 'age unreadable', [Number.NaN, Number.NaN, Number.NaN]],
  ['inf,300,f', 'age unreadable', [Number.NaN, Number.NaN, Number.NaN]],
  ['70,,f', 'Größe "tau" missing-refused', [Number.NaN, Number.NaN, Number.NaN]],
  ['-1,900,x', 'age out-of-range, sex unknown-level', [-1, 900, Number.NaN]],
]
for (const [row, warnings, values] of ROWS) {
  it(`${row}: ${warnings || 'no warning'}`, async () => {
    const [batch] = await read(`${HEADER}${row}\n`)
    const [found] = batch?.rows ?? []
    assert.is(found?.warnings.map(({ feature, warning }) => `${feature} ${warning}`).join(', '), warnings)
    assert.is(found?.blocked, /unreadable|refused/.test(warnings))
    assert.equal([...(batch?.values ?? [])], values)
  })
}

it('a column of outcomes may be there or not, and is not read', async () => {
  const [batch] = await read('ill,age,"Größe ""tau""",sex\nnobody knows,70,300,f\n')
  assert.equal([...(batch?.values ?? [])], [70, 300, 0])
})

it('columns, units and lines are as in bind: the line is that of the file', async () => {
  const text = 'Age [a],x,T,sex\n\n70,1,300,f\n\n71,2,301,m\n'
  const options = {
    columns: { age: 'Age', 'Größe "tau"': 'T' },
    units: { 'Größe "tau"': 'ng/L' },
    extra: 'ignore',
  } as const
  const batches = await read(text, options)
  assert.equal(
    batches.flatMap(({ rows }) => rows.map(({ line }) => line)),
    [3, 5],
  )
  for (const [wrong, code] of [
    [text.replace('[a]', '[months]'), 'data-unit'],
    [text.replace('sex', 'gender'), 'data-missing-column'],
    [text.replace('71,2,301,m', '71,2,301'), 'data-ragged'],
  ] as const) {
    let given = ''
    await read(wrong, options).catch((error: unknown) => {
      given = error instanceof ConsiliumError ? error.code : String(error)
    })
    assert.is(given, code)
  }
})

it('a large file comes in batches, in its order, and none is read while one is worked on', async () => {
  const count = 60_000
  const lines = Array.from({ length: count }, (_, i) => `${i % 100},300,f`)
  let working = 0
  let rows = 0
  let batches = 0
  const file = { name: 'big.csv', bytes: utf8(`${HEADER}${lines.join('\n')}\n`) }
  await scanRawRows(STUDY, SCALING, file, {}, async (batch) => {
    assert.is(++working, 1)
    for (const [i, { line }] of batch.rows.entries()) {
      assert.is(line, rows + i + 2)
      assert.is(batch.values[i * 3], (rows + i) % 100)
    }
    await new Promise((resolve) => setImmediate(resolve))
    rows += batch.rows.length
    batches++
    working--
  })
  assert.is(rows, count)
  assert.ok(batches >= 3, `${batches} batches`)
})

it.run()
