/** Statements of settlements for people and spreadsheets: what is self-declared is marked, and nothing in them is run. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { amountText, type SettlementFacts } from '../../src/report/settlement.ts'
import { settlementCsv, settlementPage } from '../../src/report/settlementPage.ts'

const it = suite('settlement page')
const ORIGIN = { consortium: 'Clinics', fingerprint: 'e415 15de', by: 'north', madeAtMs: 1_800_000_000_000 }

/** One line, for a hospital of that name. */
function factsOf(name: string, more: Partial<SettlementFacts> = {}): SettlementFacts {
  const key = 'a'.repeat(64) as MemberId
  const done = { rounds: 12, waiting: 1, examples: 2_068, merged: 8_444_402, value: 6_100, measured: 6, amount: 90_001 }
  return {
    ...{ agreement: 'c'.repeat(64) as Digest, agreementName: 'Memory "clinics"', studies: ['Memory'], period: 2 },
    ...{
      status: 'closed',
      rule: 'by-examples',
      basis: 'self-declared',
      pool: 90_001,
      unit: 'EUR-cents',
      shared: 90_001,
    },
    ...{ untilMs: 1_800_000_000_000, result: 'd'.repeat(64) as Digest, isSigned: true, missing: [], leftOut: 0 },
    lines: [{ name, key, signed: true, ...done, first: 'north/9', last: 'north/49' }],
    cut: [{ name, key, from: 5, to: 68 }],
    proposal: { by: 'north', entry: 'north/68', attempt: 1 },
    votes: [{ name: 'south', entry: 'south/67', objection: null, final: true }],
    ...{ proposals: [], needed: 3, voters: 4, twice: [] },
    ...more,
  }
}

it('the page runs and loads nothing, whatever a hospital is called', () => {
  const html = settlementPage(factsOf('<img src=x onerror=alert(1)>'), ORIGIN)
  assert.not.match(html, /<script|<img|onerror=alert\(1\)>|https?:\/\/(?!www\.w3)/)
  assert.match(html, /default-src 'none'/)
  assert.match(html, /&#60;img src=x/)
})

it('the page says that it is no invoice, which figures are self-declared, and who stands behind it', () => {
  const html = settlementPage(factsOf('north'), ORIGIN)
  for (const part of [
    /a statement, not an invoice/,
    /examples \(self-declared\)/,
    /900\.01 EUR/,
    /south\/67/,
    /closed/,
  ])
    assert.match(html, part)
  const open = settlementPage(factsOf('north', { status: 'open', proposal: null, votes: [] }), ORIGIN)
  assert.match(open, /open: figures may still change/)
  assert.match(open, /Nobody has proposed to close this period/)
})

it('the page says what speaks against relying on it: who voted twice, and what lacks its body', () => {
  assert.not.match(settlementPage(factsOf('north'), ORIGIN), /To be known first/)
  const twice = [{ name: 'west', entries: ['west/61', 'west/62'] as const }]
  const html = settlementPage(factsOf('north', { twice, missing: ['south/12'], isSigned: false, shared: 0 }), ORIGIN)
  for (const part of [/VOTED TWICE: west/, /west\/62/, /south\/12/, /Not all who must sign/, /shared out to nobody/])
    assert.match(html, part)
})

/** As a reader of RFC 4180 has it. */
function parsed(csv: string): string[][] {
  const rows: string[][] = [[]]
  const pattern = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/gy
  for (const [, cell = '', end] of csv.matchAll(pattern)) {
    rows.at(-1)?.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell)
    if (end === '\r\n') rows.push([])
  }
  return rows.slice(0, -1)
}

it('the table is what RFC 4180 has, with a header and whole units', () => {
  const rows = parsed(settlementCsv(factsOf('St. Mary, "north"\r\nwing')))
  assert.is(rows.length, 2)
  const [header, row] = rows as [string[], string[]]
  assert.is(row.length, header.length)
  const cell = (name: string): string | undefined => row[header.indexOf(name)]
  assert.is(cell('party'), 'St. Mary, "north"\r\nwing')
  assert.is(cell('agreement_name'), 'Memory "clinics"')
  assert.equal([cell('amount'), cell('unit'), cell('examples_self_declared')], ['90001', 'EUR-cents', '2068'])
})

it('no cell is a formula for a spreadsheet', () => {
  for (const name of [
    '=1+1',
    '+1',
    '-1+1',
    '@SUM(A1)',
    '\t=1',
    ' =1',
    '＝1+1',
    '＠SUM(A1)',
    '=HYPERLINK("http://x","y")',
  ]) {
    const [header, row] = parsed(settlementCsv(factsOf(name))) as [string[], string[]]
    assert.is(row[header.indexOf('party')], `'${name}`)
  }
})

it('amounts of money are shown with their cents, others whole', () => {
  assert.is(amountText(123_456_789, 'EUR-cents'), '1 234 567.89 EUR')
  assert.is(amountText(7, 'CHF-rappen'), '0.07 CHF')
  assert.is(amountText(1_000_000, 'parts'), '1 000 000 parts')
})

it.run()
