/** The deal: whole, fair, and the same for the same seed. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { parse } from 'csv-parse/sync'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { dealAlzheimer, dealIcu, icuElsewhere } from '../../scripts/demo/deal.ts'
import { bindTable } from '../../src/data/bind.ts'
import { csvOf, DATA, studyOf } from './kit.ts'

const it = suite('demo deal')
const SEEDS = [1, 2, 7, 2 ** 40]

const rowsOf = (csv: string): string[][] => (parse(csv) as string[][]).slice(1)

it('deals 333 patients 35:25:18:13:9', async () => {
  const csv = await csvOf('alzheimer')
  for (const seed of SEEDS)
    assert.equal(
      dealAlzheimer(csv, seed).map(({ rows }) => rows),
      [117, 83, 60, 43, 30],
    )
})

it('deals every patient once', async () => {
  const csv = await csvOf('alzheimer')
  const all = rowsOf(csv)
    .map((row) => row.join())
    .sort()
  assert.is(new Set(all).size, 333)
  for (const seed of SEEDS) {
    const dealt = dealAlzheimer(csv, seed).flatMap((table) => rowsOf(table.csv).map((row) => row.join()))
    assert.equal(dealt.sort(), all)
  }
})

it('gives every clinic the share of impaired patients that all have, to the patient', async () => {
  const csv = await csvOf('alzheimer')
  for (const seed of SEEDS) {
    for (const table of dealAlzheimer(csv, seed)) {
      const impaired = rowsOf(table.csv).filter((row) => row.includes('Impaired')).length
      assert.ok(Math.abs(impaired - (table.rows * 91) / 333) < 1, `${table.name}: ${impaired} of ${table.rows}`)
    }
  }
})

it('deals the same way for the same seed, and another for another', async () => {
  const csv = await csvOf('alzheimer')
  assert.equal(dealAlzheimer(csv, 5), dealAlzheimer(csv, 5))
  assert.is.not(dealAlzheimer(csv, 5)[0]?.csv, dealAlzheimer(csv, 6)[0]?.csv)
})

it('names fit the screen and folders', async () => {
  for (const data of ['alzheimer', 'icu'] as const) {
    const tables = DATA[data].deal(await csvOf(data), 1)
    assert.is(new Set(tables.map(({ slug }) => slug)).size, 5)
    for (const { name, slug } of tables) {
      assert.ok(name.length <= 12, name)
      assert.match(slug, /^[a-z0-9-]+$/)
    }
  }
})

it('the intensive care units are the five largest real ones with both outcomes, whole', async () => {
  const csv = await csvOf('icu')
  const [header, ...rows] = parse(csv) as [string[], ...string[][]]
  const tables = dealIcu(csv, 1)
  assert.equal(
    tables.map(({ name, rows }) => [name, rows]),
    [
      ['ICU 976', 19],
      ['ICU 1224', 16],
      ['ICU 1019', 15],
      ['ICU 1094', 15],
      ['ICU 1063', 14],
    ],
  )
  for (const { name, rows: dealt } of tables) {
    const unit = name.slice('ICU '.length)
    assert.is(rows.filter((row) => row[header.indexOf('CombinedicuID')] === unit).length, dealt)
  }
})

it('no column of the intensive care tables tells the outcome, the patient or the unit', async () => {
  const csv = await csvOf('icu')
  const study = await studyOf('icu')
  for (const table of [...dealIcu(csv, 1).map((one) => one.csv), icuElsewhere(csv)]) {
    const [header] = parse(table) as [string[]]
    assert.equal([...header].sort(), [study.label.name, ...study.features.map(({ name }) => name)].sort())
  }
})

it('who is elsewhere is nowhere else', async () => {
  const csv = await csvOf('icu')
  const here = dealIcu(csv, 3).reduce((sum, { rows }) => sum + rows, 0)
  assert.is(here + rowsOf(icuElsewhere(csv)).length, 2000)
})

it('every table binds to its study without a remark', async () => {
  for (const data of ['alzheimer', 'icu'] as const) {
    const study = await studyOf(data)
    for (const seed of SEEDS) {
      for (const { name, csv, rows } of DATA[data].deal(await csvOf(data), seed)) {
        const { dataset } = await bindTable(study, { name, bytes: new TextEncoder().encode(csv) }, { extra: 'refuse' })
        assert.is(dataset.rows, rows)
      }
    }
  }
})

it('cells with commas, quotes and line ends stay one cell', () => {
  const rows = Array.from({ length: 40 }, (_, i) => `"a, ""b""\n${i}",${i % 2 === 0 ? 'Impaired' : 'Control'}`)
  const tables = dealAlzheimer(`note,Class\n${rows.join('\n')}\n`, 1)
  const notes = tables.flatMap(({ csv }) => rowsOf(csv).map(([note]) => note))
  assert.equal(notes.sort(), Array.from({ length: 40 }, (_, i) => `a, "b"\n${i}`).sort())
})

it('DATA.md has the digests of the files', async () => {
  const text = await readFile(new URL('../../scripts/demo/DATA.md', import.meta.url), 'utf8')
  for (const data of ['alzheimer', 'icu'] as const) {
    const digest = createHash('sha256')
      .update(await csvOf(data))
      .digest('hex')
    assert.ok(text.includes(digest), `${data}: ${digest}`)
  }
})

it.run()
