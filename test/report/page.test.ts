/** The fold from entries to a report, and its page: complete, inert, and without what was withheld. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import { ReportFold } from '../../src/report/fold.ts'
import { reportPage } from '../../src/report/page.ts'
import type { Report } from '../../src/report/report.ts'
import { SOUND } from '../governance/sound.ts'

const it = suite('study report page')

const TERMS = parseStudy(
  `name: '<script>alert(1)</script> & more'
purpose: to be looked at
label: { name: ill, positive: 'yes', negative: 'no' }
features:
  - { name: age, kind: number }
  - { name: sex, kind: category, levels: [f, m] }
report: { subgroups: [{ feature: sex }] }
`,
  'page.yaml',
)
const ID = studyIdOf(studyDocument(TERMS))
const [ADA, BEN] = ['a', 'b'].map((digit) => digit.repeat(64)) as [MemberId, MemberId]
const NAMES = new Map([
  [ADA, 'Ada "North" <b>'],
  [BEN, 'Ben'],
])

function fold(entries: readonly (readonly [MemberId, string, Cbor | null, StudyId?])[]): Report {
  const nameOf = (member: MemberId) => NAMES.get(member) ?? member
  const all = new ReportFold({ id: ID, terms: TERMS, proposedBy: ADA, proposedAtMs: 1_790_000_000_000, nameOf })
  for (const [i, [author, kind, body, study]] of entries.entries())
    all.add({ author, kind, body, study: study ?? ID, timeMs: 1_790_000_000_000 + i * 60_000 })
  return all.report({ atMs: 1_790_001_000_000, by: 'Ben', software: '0.1.0', founding: 'c'.repeat(64) })
}

const measured = SOUND['study.measured'] as unknown as Record<string, Cbor>
const crossed = {
  ...SOUND['study.crossed'],
  sites: SOUND['study.crossed'].sites.map((one) => ({ ...one, author: fromHex(BEN) })),
}
const bound = { rows: 160, trainRows: 120, commitment: new Uint8Array(32) }
const merged = {
  round: 4,
  rule: 'mean',
  inputs: [
    [fromHex(ADA), 4, new Uint8Array(32), 0.5],
    [fromHex(BEN), 3, new Uint8Array(32), 0.5],
  ],
  result: new Uint8Array(32),
} as Cbor

const ENTRIES: readonly (readonly [MemberId, string, Cbor | null, StudyId?])[] = [
  [ADA, 'study.accepted', {}],
  [BEN, 'study.accepted', {}],
  [ADA, 'dataset.bound', bound],
  [BEN, 'dataset.bound', { ...bound, rows: 24, trainRows: 18 }],
  [ADA, 'round.trained', SOUND['round.trained'] as Cbor],
  [ADA, 'round.merged', merged],
  [ADA, 'round.evaluated', SOUND['round.evaluated'] as Cbor],
  [ADA, 'study.measured', { ...measured, round: 3 }],
  [ADA, 'study.measured', measured],
  [ADA, 'study.crossed', crossed as unknown as Cbor],
  [BEN, 'study.measured', { ...measured, evaluation: null }],
  [BEN, 'model.future', { anything: 1 }],
  [BEN, 'study.ended', { rounds: 99, model: new Uint8Array(32) }, 'f'.repeat(64) as StudyId],
  [ADA, 'round.evaluated', null],
]

it('each entry goes to the member that wrote it; the newest evaluation counts, and other studies do not', () => {
  const { members } = fold(ENTRIES)
  const [ada, ben] = members
  assert.equal([ada?.name, ben?.name], ['Ada "North" <b>', 'Ben'])
  assert.equal([ada?.rows, ada?.trainRows, ada?.rounds.trained, ada?.rounds.inputsMean], [160, 120, 1, 2])
  assert.is(ada?.measured?.round, 40)
  assert.equal(ada?.curve, [{ round: 5, auc: 0.8, logLoss: 1.7 }])
  assert.equal(
    ada?.crossed?.sites.map(({ author, round }) => [author, round]),
    [[BEN, 39]],
  )
  assert.is(ben?.takenByOthers, 1)
  assert.is(ben?.measured?.evaluation, null)
  assert.is(ben?.ended, null)
  assert.equal(ben?.others, { 'model.future': 1 })
})

it('a body that does not fit, or is gone, leaves the rest as it is', () => {
  const bad: typeof ENTRIES = [
    [ADA, 'study.measured', { ...measured, evaluation: { examples: 4 } }],
    [ADA, 'study.crossed', null],
    [ADA, 'dataset.bound', [1, 2]],
  ]
  assert.equal(fold([...ENTRIES, ...bad]), fold(ENTRIES))
})

it('who was set aside and what was spent is read where entries say so, though this version writes neither', () => {
  const aside = [[fromHex(BEN), 3, new Uint8Array(32), 'outlying']]
  const { members } = fold([
    [BEN, 'study.accepted', {}],
    [ADA, 'round.merged', merged],
    [ADA, 'round.merged', { ...(merged as object), aside } as Cbor],
  ])
  const known = members[0]?.aside
  assert.ok(known?.length === 0 || JSON.stringify(known) === '[{"author":"Ben","reason":"outlying","merges":1}]')
})

it('a long study keeps a few hundred points of a curve, from its first to near its last', () => {
  const rounds = Array.from({ length: 5_000 }, (_, round) => round)
  const curve = fold(
    rounds.map((round) => [ADA, 'round.evaluated', { ...SOUND['round.evaluated'], round } as Cbor] as const),
  ).members[0]?.curve
  assert.ok(curve !== undefined && curve.length >= 200 && curve.length <= 400, `${curve?.length}`)
  assert.is(curve?.[0]?.round, 1)
  assert.ok((curve?.at(-1)?.round as number) > 4_900)
})

it('the page is inert: what members wrote is text, and nothing is loaded or run', () => {
  const html = reportPage(fold(ENTRIES))
  assert.not.match(html, /<script/i)
  assert.not.match(html, /<b>"|North" <b>/)
  assert.ok(html.includes('&#60;script&#62;alert(1)&#60;/script&#62; &#38; more'))
  assert.match(html, /default-src 'none'/)
  assert.not.match(html, /(src|href)=|url\(|https?:/)
  assert.not.match(html, / style=/, 'the policy would drop it')
})

it('the page shows figures with intervals, what is withheld and why, and what it cannot say', () => {
  const html = reportPage(fold(ENTRIES))
  for (const what of [/0\.800 \(0\.700–0\.900\)/, /\+0\.050 \(−0\.020 to 0\.120\)/, /no clear difference/])
    assert.match(html, what)
  assert.match(html, /<b>Ben<\/b> withheld: fewer held-out patients than the minimum cohort/)
  assert.match(html, /not a medical device/)
  assert.match(html, /declared by the hospital/)
})

it('an empty study gives a page, too', () => {
  assert.match(reportPage(fold([])), /0 of 0 ended/)
})

it('the same report gives the same page', () => {
  assert.is(reportPage(fold(ENTRIES)), reportPage(fold(ENTRIES)))
})

it.run()
