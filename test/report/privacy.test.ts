/** What a report says of privacy: what was spent, what ε does not cover, and what attacks found against it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { NOT_COVERED } from '../../src/config/describe.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { esc } from '../../src/report/html.ts'
import { reportPage } from '../../src/report/page.ts'
import { SOUND } from '../governance/sound.ts'
import { ADA, BEN, CEM, CLAIM, fold, PRIVATE_TERMS, type Told, trained } from './kit.ts'

const it = suite('study report privacy')

interface Attack {
  readonly auc?: readonly [number, number, number]
  readonly epsilonLow?: number
}

function audit(author: Told[0], attacks: readonly Attack[], round = 4): Told {
  const [sound] = SOUND['privacy.audited'].attacks
  const given = attacks.map((one, i) => ({ ...sound, attack: i === 0 ? 'loss' : 'calibrated-loss', ...one }))
  return [author, 'privacy.audited', { ...SOUND['privacy.audited'], round, attacks: given } as unknown as Cbor]
}

it('an audit is compared with what was claimed when it was made, and the newest audits are kept', () => {
  const { members } = fold([
    [ADA, 'round.trained', trained({ ...CLAIM, epsilon: 0.9 })],
    audit(ADA, [{ epsilonLow: 0.4 }], 2),
    [ADA, 'round.trained', trained(CLAIM)],
    audit(BEN, [{}]),
    ...Array.from({ length: 21 }, (_, i) => audit(ADA, [{ epsilonLow: i / 8 }], 10 + i)),
  ])
  const [ada, ben] = members
  assert.equal(ben?.audits, [
    {
      ...{
        round: 5,
        model: '07'.repeat(32),
        atMs: 1_790_000_000_000 + 3 * 60_000,
        members: 88,
        others: 29,
        shadows: 16,
      },
      attacks: SOUND['privacy.audited'].attacks,
      claimed: null,
    },
  ])
  assert.equal([ada?.audits.length, ada?.audits[0]?.round, ada?.audits.at(-1)?.round], [20, 12, 31])
  assert.equal(ada?.audits.at(-1)?.claimed, { epsilon: 1.5, delta: 0.0042 })
  const early = fold([
    [ADA, 'round.trained', trained({ ...CLAIM, epsilon: 0.9 })],
    audit(ADA, [{}]),
    [ADA, 'round.trained', trained(CLAIM)],
  ])
  assert.is(early.members[0]?.audits[0]?.claimed?.epsilon, 0.9)
  assert.equal(ada?.others, {})
})

it('attacks that find nothing, something within ε, and more than ε allows, are told apart in words', () => {
  const claimed = [ADA, BEN, CEM].map((by): Told => [by, 'round.trained', trained(CLAIM)])
  const html = reportPage(
    fold(
      [
        ...claimed,
        audit(ADA, [{ auc: [0.53, 0.47, 0.59], epsilonLow: 0 }]),
        audit(BEN, [{ auc: [0.61, 0.55, 0.67], epsilonLow: 0.3 }]),
        audit(CEM, [
          { auc: [0.66, 0.6, 0.72], epsilonLow: 1.2 },
          { auc: [0.64, 0.58, 0.7], epsilonLow: 1.8 },
        ]),
      ],
      PRIVATE_TERMS,
    ),
  )
  const item = (name: string) => html.match(new RegExp(`<li><b>${esc(name)}:</b>.*?</li>`))?.[0] ?? ''
  assert.match(item('Ada "North" <b>'), /right one in 53 of 100 cases \(47 to 59\).*No attack was clearly better/)
  assert.match(item('Ben'), /class="warn">Training patients can be told.*within what the claimed ε of 1\.50 allows/)
  assert.match(
    item('Cem'),
    /in 64 of 100 cases.*class="bad">The attacks show an ε of 1\.80 at least.*claim does not hold/,
  )
  assert.match(html, /by loss, against 16 other models/)
  assert.match(html, /≥ 1\.80<\/td><td class="n">1\.50<\/td>/)
})

it('the page of a private study lists all that ε does not cover, and compares with nothing trained alone', () => {
  const html = reportPage(
    fold(
      [
        [ADA, 'round.trained', trained(CLAIM)],
        [ADA, 'study.measured', SOUND['study.measured'] as unknown as Cbor],
      ],
      PRIVATE_TERMS,
    ),
  )
  assert.match(NOT_COVERED.join(), /where a settlement measures it/)
  for (const one of NOT_COVERED) assert.ok(html.includes(`<li>${esc(one)}</li>`), one)
  assert.match(html, /<td class="n">1\.50<\/td><td class="n">× 4\.48<\/td><td class="n">0\.0042<\/td>/)
  assert.match(html, /A private study trains no model alone/)
  assert.not.match(html, /AUC alone/)
  assert.match(html, /FedAvg needs a server/)
  assert.not.match(html, /against one that it trains alone/)
})

it('without privacy the page promises no ε', () => {
  const html = reportPage(fold([[ADA, 'round.trained', SOUND['round.trained'] as Cbor]]))
  assert.match(html, /This study promises no ε/)
  assert.not.match(html, /What ε does not cover/)
  assert.match(html, /No hospital has audited its model/)
})

it.run()
