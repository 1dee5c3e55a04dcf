/** CSV, Article 12 events and accountings: what stands in them to the byte, and what a spreadsheet must not run. */

import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { logCommand } from '../../src/cli/log.ts'
import { subjectCommand } from '../../src/cli/subject.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import { KINDS, type Kind } from '../../src/governance/kinds.ts'
import { decodeEntry, dropBody, encodeEntry } from '../../src/ledger/entry.ts'
import { csvLine } from '../../src/report/csvCells.ts'
import { aboutLines } from '../../src/report/exports/about.ts'
import { type Accounted, accountingOf } from '../../src/report/exports/accounting.ts'
import { headerOf, linesOf, VIEWS, viewOf } from '../../src/report/exports/views.ts'
import { B32, SOUND } from '../governance/sound.ts'

const it = suite('exports')

const NORTH = 'a1'.repeat(32) as MemberId
const STUDY = '5d'.repeat(32) as StudyId
const context = (name: string) => ({ consortium: 'Stroke', founding: 'f0'.repeat(32), nameOf: () => name })

function entryOf(kind: Kind, study: StudyId | null = STUDY, body = SOUND[kind] as Cbor) {
  const fields = { author: NORTH, seq: 7, prev: B32, timeMs: 1_790_000_000_123, lamport: 9, kind, study, refs: [] }
  return decodeEntry(encodeEntry(fields, new Uint8Array(32), body))
}

/** Frozen: what an auditor got last year has to be what comes today. */
const golden = (view: string): string => readFileSync(new URL(`../golden/exports/${view}`, import.meta.url), 'utf8')

for (const view of VIEWS)
  it(`${view}: lines of an entry have the bytes that they always had`, () => {
    const entries = (['model.served', 'round.merged', 'agreement.denied'] as const).map((kind) => entryOf(kind))
    const lines = entries.flatMap((entry) => linesOf(view, entry, 'final', context('North clinic')))
    assert.is(headerOf(view) + lines.join(''), golden(view))
  })

it('csv: every kind is one record of the header’s columns, by another reader of RFC 4180', () => {
  const lines = (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
    linesOf('csv', entryOf(kind), 'final', context('North, "clinic"')),
  )
  const rows = parse(headerOf('csv') + lines.join(''), { columns: true, record_delimiter: '\r\n' }) as Record<
    string,
    string
  >[]
  assert.equal(
    rows.map(({ kind }) => kind),
    Object.keys(KINDS),
  )
  for (const { hospital, fields = '' } of rows) {
    assert.is(hospital, 'North, "clinic"')
    assert.type(JSON.parse(fields), 'object')
  }
})

it('csv: no cell begins as a formula does, whatever a hospital calls itself', () => {
  const starts = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', ' =', '|', '%']
  for (const start of starts) {
    const [line = ''] = linesOf('csv', entryOf('node.started'), 'final', context(`${start}cmd|' /C calc'!A0`))
    const [row = []] = parse(line, { record_delimiter: '\r\n' }) as string[][]
    for (const cell of row) assert.not.match(cell, /^[\s]*[=+\-@|%＝＋－＠]/, JSON.stringify(start))
  }
  assert.is(csvLine(['-5', '2026-11-22', 'a']), '-5,2026-11-22,a\r\n', 'a number stays one')
})

it('property: what is written as CSV is read back, but for the apostrophe before a formula', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 2, maxLength: 6 }), (cells) => {
      const [row = []] = parse(csvLine(cells), {
        record_delimiter: '\r\n',
        relax_column_count: true,
        bom: false,
      }) as string[][]
      assert.equal(
        row.map((cell, i) => (cell === `'${cells[i]}` ? cells[i] : cell)),
        cells,
      )
    }),
  )
})

it('ai-act: a use has its start, its end and what it read by commitment; kinds that nobody asks for have no line', () => {
  const event = JSON.parse(linesOf('ai-act', entryOf('model.served'), 'final', context('North'))[0] as string)
  assert.equal(
    [event.event, event.start, event.end, event.runs, event.rows],
    ['use', ...['2026-09-21T14:13:20.000Z', '2026-09-21T14:14:20.000Z'], 3, 412],
  )
  assert.is(event.inputs, '07'.repeat(32))
  const few = entryOf('model.served', STUDY, { ...SOUND['model.served'], runs: null, rows: null } as Cbor)
  const untold = JSON.parse(linesOf('ai-act', few, 'final', context('North'))[0] as string)
  assert.equal([untold.runs, untold.rows], [null, null])
  assert.equal(linesOf('ai-act', entryOf('supply.recorded'), 'final', context('North')), [])
  for (const kind of Object.keys(KINDS) as Kind[])
    for (const line of linesOf('ai-act', entryOf(kind), 'final', context('North')))
      assert.ok(JSON.parse(line).provisions.length > 0, kind)
})

it('ai-act: of a body that was dropped or does not fit there is neither a time nor a count nor a model, and the event says so', () => {
  const OF_BODY = ['start', 'end', 'runs', 'rows', 'referenceData', 'inputs', 'person'] as const
  for (const kind of Object.keys(KINDS) as Kind[])
    for (const [entry, body] of [
      [decodeEntry(dropBody(entryOf(kind).raw)), 'dropped'],
      [entryOf(kind, STUDY, { note: 1 }), 'not read'],
    ] as const)
      for (const line of linesOf('ai-act', entry, 'final', context('North'))) {
        const event = JSON.parse(line)
        for (const field of OF_BODY) assert.is(event[field], null, `${kind} ${field}`)
        assert.equal([event.body, event.details, event.system.model], [body, {}, null], kind)
        assert.is(event.recorded, '2026-09-21T14:13:20.123Z')
      }
  const event = (kind: Kind) => JSON.parse(linesOf('ai-act', entryOf(kind), 'final', context('North'))[0] as string)
  assert.equal([event('model.used').body, event('model.used').runs], ['there', 1])
  assert.is(event('model.used').start, '2026-09-21T14:13:20.123Z')
  for (const kind of ['model.exported', 'model.explained'] as const) assert.is(event(kind).runs, null, 'no run is told')
})

it('a form is known by how its file begins', () => {
  for (const view of VIEWS) {
    const lines = (Object.keys(KINDS) as Kind[]).flatMap((kind) => linesOf(view, entryOf(kind), 'final', context('N')))
    assert.is(viewOf((headerOf(view) + lines[0]).slice(0, 64)), view)
  }
  assert.is(viewOf('{"resourceType":"Patient"'), null)
})

const day = (number: number): number => Date.UTC(2026, 10, number)
const sentOn = (number: number) => ({ timeMs: day(number), entry: `North/${number}` })
const accounted = (given: Accounted, sinceMs: number, untilMs: number) => {
  const { lines, entries } = accountingOf(given, { sinceMs, untilMs })
  const rows = parse(lines.join(''), { columns: true, record_delimiter: '\r\n' }) as Record<string, string>[]
  return { rows, entries }
}

it('accounting: one line for each recipient of each study: first, last, number; other times, and rounds from before it had accepted, left out', () => {
  const rounds = [1, 4, 9, 20].map(sentOn)
  const recipients = [
    ['East', 0],
    ['West', 1],
    ['Late', 2],
    ['Later', 3],
  ].map(([member, after]) => ({ member: member as string, after: after as number }))
  const studies = [
    { study: STUDY, name: 'Stroke', purpose: '=research, "stroke"', basis: 'opt-in', rounds, recipients },
    {
      ...{ study: 'e'.repeat(64), name: 'Other', purpose: 'x', basis: 'opt-out' },
      ...{ recipients: recipients.slice(0, 1), rounds: rounds.slice(0, 1) },
    },
  ]
  const { rows, entries } = accounted({ studies, research: [] }, day(2), day(20))
  assert.equal(
    rows.map((row) => [row.recipient, row.first_date, row.last_date, row.number, row.first_entry, row.last_entry]),
    [
      ['East', '2026-11-04', '2026-11-09', '2', 'North/4', 'North/9'],
      ['West', '2026-11-04', '2026-11-09', '2', 'North/4', 'North/9'],
      ['Late', '2026-11-09', '2026-11-09', '1', 'North/9', 'North/9'],
    ],
  )
  assert.is(entries, 2, 'of that period alone')
  assert.is(rows[0]?.purpose, `'=research, "stroke"`)
  const all = accounted({ studies, research: [] }, 0, day(30)).rows
  assert.equal(
    all.map(({ study = '', ground = '' }) => [
      study.slice(0, 5),
      /\(a\)\(1\)\(iv\)/.test(ground),
      /no authorization/.test(ground),
    ]),
    [...Array(4).fill(['Strok', true, false]), ['Other', false, true]],
    'what patients agreed to is told from what they did not refuse',
  )
})

it('accounting: a study that asks nobody has the line of (b)(4): activity, purpose, data, period, who proposed it, and that it may or may not be of this patient', () => {
  const columns = Array.from({ length: 23 }, (_, i) => `column ${i}`)
  const research = {
    ...{ study: STUDY, name: 'Sepsis', purpose: 'to know sepsis earlier', proposedBy: 'South', columns, updates: 7 },
    recipients: [{ member: 'East', number: 6, first: sentOn(4), last: sentOn(9) }],
  }
  const { rows, entries } = accounted({ studies: [], research: [{ ...research, rows: 412 }] }, day(2), day(20))
  const [{ description = '', ground = '', ...row } = {}] = rows
  assert.equal([rows.length, entries], [1, 7])
  assert.equal(
    [row.first_date, row.last_date, row.number, row.recipient, row.purpose, row.study, row.sponsor],
    [
      ...['2026-11-04', '2026-11-09', '6', 'East', 'to know sepsis earlier'],
      ...[`Sepsis (${STUDY.slice(0, 12)})`, 'not known here; the study was proposed by South'],
    ],
  )
  assert.match(
    description,
    /412 rows .*: column 0, .*, column 19, 3 more;.*may or may not have been disclosed for this/,
  )
  assert.match(ground, /^asked nobody: \(b\)\(4\)/)
  const untold = accounted({ studies: [], research: [{ ...research, rows: null }] }, day(2), day(20)).rows[0]
  assert.match(untold?.description ?? '', /^model updates computed from rows of/)
})

it('what goes beside an accounting names kinds and commands that there are, and leaves no permission out', async () => {
  const about = {
    view: 'hipaa',
    file: 'a',
    consortium: 'b',
    fingerprint: 'c',
    lines: 2,
    entries: 5,
    proofs: null,
  } as const
  const text = aboutLines({ ...about, filter: 'from x until before y' }).join('\n')
  assert.match(text, /filter {7}from x until before y\nlines {8}2, from 5 updates of this hospital's log/)
  for (const said of [
    /\(a\)\(1\)\(iv\)/,
    /\(b\)\(4\)/,
    /50 or more/,
    /164\.512\(i\)/,
    /\(b\)\(3\) allows that for .* alone/,
  ])
    assert.match(text, said)
  for (const kind of ['study.statistics', 'count.answered']) assert.ok(text.includes(kind), kind)
  assert.not.match(text, /subject file|as \(b\)\(3\) allows/)
  const groups = new Map([
    ['subject', subjectCommand()],
    ['log', await logCommand()],
  ])
  for (const [, group = '', name] of text.matchAll(/consilium (\w+) ([\w-]+)/g))
    assert.ok(
      groups.get(group)?.commands.some((one) => one.name() === name),
      `${group} ${name}`,
    )
})

it('what goes beside an export never says that anybody complies', () => {
  for (const view of [...VIEWS, 'hipaa'] as const) {
    const counts = { lines: 3, entries: 3, proofs: null }
    const text = aboutLines({ view, file: 'a', consortium: 'b', fingerprint: 'c', filter: 'none', ...counts }).join(
      '\n',
    )
    assert.match(text, /provides data for/)
    assert.not.match(text, /\b(?:is compliant|complies with the|certif|guarantee)/i)
  }
})

it.run()
