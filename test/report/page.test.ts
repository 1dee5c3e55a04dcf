/** The fold from entries to a report, and its page: complete, inert, and without what was withheld. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { reportPage } from '../../src/report/page.ts'
import { SOUND } from '../governance/sound.ts'
import { ADA, BEN, CEM, CLAIM, fold, type Told, trained } from './kit.ts'

const it = suite('study report page')

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

const ENTRIES: readonly Told[] = [
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
  const bad: readonly Told[] = [
    [ADA, 'study.measured', { ...measured, evaluation: { examples: 4 } }],
    [ADA, 'study.crossed', null],
    [ADA, 'dataset.bound', [1, 2]],
  ]
  assert.equal(fold([...ENTRIES, ...bad]), fold(ENTRIES))
})

it('who was set aside is counted by whom and for what, and who is excluded stands until readmitted', () => {
  const aside = (reason: string, round: number) => [fromHex(BEN), round, new Uint8Array(32), reason] as Cbor
  const { members } = fold([
    [BEN, 'study.accepted', {}],
    [ADA, 'round.merged', { ...(merged as object), aside: [aside('outlying', 3)] } as Cbor],
    [ADA, 'round.merged', { ...(merged as object), aside: [aside('outlying', 4), aside('worsens', 2)] } as Cbor],
    [ADA, 'round.merged', { ...(merged as object), aside: [aside('because', 5)] } as Cbor],
    [ADA, 'study.excluded', { member: fromHex(BEN), reason: 'data-quality' }],
    [ADA, 'study.excluded', { member: fromHex(CEM), reason: 'attack-suspected' }],
    [ADA, 'study.readmitted', { member: fromHex(BEN), reason: 'repaired' }],
  ])
  assert.equal(members[0]?.aside, [
    { author: 'Ben', reason: 'outlying', merges: 2 },
    { author: 'Ben', reason: 'worsens', merges: 1 },
  ])
  assert.is(members[0]?.rounds.merged, 2, 'a body with a reason that is none tells nothing')
  assert.equal(members[0]?.excluded, [{ author: 'Cem', reason: 'attack-suspected', atMs: 1_790_000_300_000 }])
})

it('what was spent is what the newest private update says, and a claim that does not fit takes its entry with it', () => {
  const { members } = fold([
    [ADA, 'round.trained', trained({ ...CLAIM, epsilon: 0.7 })],
    [ADA, 'round.trained', trained(CLAIM)],
    [ADA, 'round.trained', trained({ ...CLAIM, epsilon: 9, noiseMultiplier: 0 })],
    [BEN, 'round.trained', SOUND['round.trained'] as Cbor],
  ])
  assert.equal(members[0]?.privacy, CLAIM)
  assert.is(members[0]?.rounds.trained, 2)
  assert.is(members[1]?.privacy, null)
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
  for (const what of [
    /0\.800 <small>\(0\.700–0\.900\)/,
    /\+0\.050 <small>\(−0\.020 to 0\.120\)/,
    /no clear difference/,
  ])
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
