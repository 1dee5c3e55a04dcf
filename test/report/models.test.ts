/** What a report says of models that left, were used or were taken back. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { reportPage } from '../../src/report/page.ts'
import { ADA, BEN, CEM, fold, type Told, trained } from './kit.ts'

const it = suite('study report models')

const digest = (digit: string): string => digit.repeat(64)
const bytes = (digit: string): Uint8Array => fromHex(digest(digit))
/** What `author` trained from nothing in round 3, and merged of its own and others' updates. */
const update = (author: MemberId, digit: string): Told => [
  author,
  'round.trained',
  { ...(trained({ epsilon: 1, delta: 0.01, sampleRate: 0.1, noiseMultiplier: 2 }) as object), update: bytes(digit) },
]
const merge = (author: MemberId, of: readonly (readonly [MemberId, string])[], result: string): Told => [
  author,
  'round.merged',
  {
    round: 6,
    rule: 'mean',
    inputs: of.map(([by, digit]) => [fromHex(by), 3, bytes(digit), 0.5]),
    result: bytes(result),
  } as Cbor,
]
const withdrawal = (by: MemberId, author: MemberId, digit: string, reason = 'data-error'): Told => [
  by,
  'model.withdrawn',
  { author: fromHex(author), model: bytes(digit), reason },
]
const file = (by: MemberId, digit: string, format: string, withHead: boolean): Told => [
  by,
  'model.exported',
  { round: 6, model: bytes(digit), format, withHead },
]
const used = (rows: number | null, warned: number | null, withoutPrediction: number | null): Told => [
  ADA,
  'model.used',
  { round: 6, model: bytes('e'), rows, warned, withoutPrediction },
]
/** Ada's merge e has Ben's update 2 in it, Ben's merge f has not. */
const MADE: readonly Told[] = [
  update(ADA, '1'),
  update(BEN, '2'),
  merge(
    ADA,
    [
      [ADA, '1'],
      [BEN, '2'],
    ],
    'e',
  ),
  merge(BEN, [[CEM, '3']], 'f'),
]

it('files are counted by form, predictions added up, and runs of few patients only counted', () => {
  const { models } = fold([
    ...MADE,
    file(ADA, 'e', 'safetensors', false),
    file(ADA, 'e', 'json', true),
    file(ADA, 'e', 'safetensors', false),
    used(412, 17, 3),
    used(null, null, null),
    used(88, 5, 2),
    [ADA, 'model.explained', { round: 6, model: bytes('e'), rows: 29, repeats: 50 }],
    [ADA, 'model.used', { round: 6, model: bytes('e'), rows: 9 }],
  ])
  assert.is(models.length, 1)
  const [model] = models
  assert.equal([model?.model, model?.author, model?.making, model?.rounds], [digest('e'), ADA, 'merged', 7])
  assert.equal(
    model?.exports.map(({ format, withHead, files, firstAtMs, lastAtMs }) => {
      return [format, withHead, files, (lastAtMs - firstAtMs) / 60_000]
    }),
    [
      ['safetensors', false, 2, 2],
      ['json', true, 1, 0],
    ],
  )
  const lastAtMs = 1_790_000_000_000 + 9 * 60_000
  assert.equal(model?.predictions, {
    ...{ runs: 3, runsWithheld: 1, patients: 500, warned: 22, withoutPrediction: 5, lastAtMs },
  })
  assert.equal(model?.explanations, { runs: 1, lastAtMs: lastAtMs + 60_000 })
  assert.equal([model?.withdrawn, model?.descendsFrom, model?.descendants, model?.words], [null, null, null, []])
})

it("a maker's withdrawal binds all, reaches what was made of it and nothing else, and says why", () => {
  const report = fold([
    ...MADE,
    file(ADA, 'e', 'tfjs', true),
    file(BEN, 'f', 'json', false),
    withdrawal(BEN, BEN, '2', 'consent-withdrawn'),
  ])
  const [update, unharmed, reached] = report.models
  assert.equal(
    [update?.model, unharmed?.model, reached?.model],
    [digest('2'), digest('f'), digest('e')],
    'last touched',
  )
  const atMs = 1_790_000_000_000 + 6 * 60_000
  assert.equal(update?.withdrawn, { by: 'Ben', reason: 'consent-withdrawn', atMs })
  assert.equal(update?.descendants, { models: 1, members: ['Ada "North" <b>'] })
  assert.equal([update?.making, update?.rounds, update?.descendsFrom], ['trained', 1, null])
  assert.equal([reached?.withdrawn, reached?.descendsFrom], [null, digest('2')])
  assert.equal([unharmed?.withdrawn, unharmed?.descendsFrom], [null, null])
  const html = reportPage(report)
  assert.match(html, /2 files were written, of 2 models\. .* 1 model is withdrawn from all, and 1 other here descends/)
  assert.match(html, /by Ben: patients, or a board, no longer allow the use of their records; 1 models of Ada/)
  assert.match(html, /made of <code>222222222222<\/code>, which is withdrawn/)
})

it("another's word binds nobody else until a quorum says it, and a quorum's restoring lifts a maker's", () => {
  const one = fold([...MADE, withdrawal(CEM, ADA, 'e')]).models[0]
  assert.is(one?.withdrawn, null)
  assert.equal(
    one?.words.map(({ name, withdrawn, reason }) => [name, withdrawn, reason]),
    [['Cem', true, 'data-error']],
  )
  const all = [ADA, BEN, CEM]
  const quorum = fold([...MADE, ...all.slice(1).map((by) => withdrawal(by, ADA, 'e')), withdrawal(ADA, ADA, '1')])
  assert.is(quorum.models.find(({ model }) => model === digest('1'))?.withdrawn?.by, 'Ada "North" <b>')
  const restored = all.map((by): Told => [by, 'model.restored', { author: fromHex(ADA), model: bytes('e') }])
  const lifted = fold([...MADE, withdrawal(ADA, ADA, 'e'), ...restored.slice(1), restored[0] as Told]).models[0]
  assert.is(lifted?.withdrawn, null)
  assert.is(lifted?.words.length, 3)
})

it('a hundred models are shown, the last touched, and the others counted', () => {
  const many = Array.from({ length: 117 }, (_, i) => i)
  const entries = many.map((i): Told => {
    const model = fromHex((i + 16).toString(16).padStart(64, '0'))
    return [ADA, 'model.exported', { round: i, model, format: 'json', withHead: true }]
  })
  const report = fold(entries)
  assert.equal([report.models.length, report.modelsLeftOut], [100, 17])
  assert.ok(report.models[0]?.model.endsWith((116 + 16).toString(16)))
  assert.match(reportPage(report), /17 more, touched earlier, are left out/)
})

it.run()
