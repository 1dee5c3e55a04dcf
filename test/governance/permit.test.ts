/** Leave to act: every reason to refuse, in the order in which a person would mend them. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { permit, type Request } from '../../src/governance/permit.ts'
import type { StudyState } from '../../src/governance/studies.ts'
import { digestOf, keyOf, STUDY } from '../gossip/fixtures.ts'

const it = suite('permit')
const SELF = keyOf('self').member
const DATASET = digestOf('a table')
const SCALING = digestOf('a scaling')

function request(accepted: MemberId[], paused: MemberId[], scaled: boolean, more: Partial<Request> = {}): Request {
  const scaling = scaled ? { digest: SCALING, scaling: { mean: [], deviation: [] }, contributions: [] } : null
  const study = { id: STUDY, accepted: new Set(accepted), paused: new Set(paused), scaling } as unknown as StudyState
  return {
    self: SELF,
    study,
    dataset: DATASET,
    pauseAsked: false,
    withdrawn: null,
    roundsLeft: null,
    consulted: null,
    agreed: null,
    ungranted: null,
    ...more,
  }
}

const REFUSED: readonly (readonly [code: string, request: Request, says: RegExp])[] = [
  ['study-unknown', request([SELF], [], true, { study: undefined }), /not known/],
  ['study-not-accepted', request([keyOf('ada').member], [], true), /consilium study accept [0-9a-f]{12}$/],
  ['dataset-not-bound', request([SELF], [], true, { dataset: null }), /consilium study bind [0-9a-f]{12} --data FILE$/],
  ['study-paused', request([SELF], [SELF], true), /consilium study resume [0-9a-f]{12}$/],
  ['study-paused', request([SELF], [], true, { pauseAsked: true }), /resume/],
  ['scaling-not-frozen', request([SELF], [], false), /not frozen/],
  [
    'model-withdrawn',
    request([SELF], [], true, { withdrawn: { code: 'model-withdrawn', message: 'entry 12 of member ab' } }),
    /entry 12/,
  ],
]
for (const [code, given, says] of REFUSED) {
  it(`refused: ${code}, and what to do`, () => {
    const answer = permit(given)
    assert.ok('refusal' in answer)
    assert.is(answer.refusal.code, code)
    assert.match(answer.refusal.message, says)
  })
}

it('given, it names the study, the table and the scaling that it is for', () => {
  const answer = permit(request([SELF], [], true))
  assert.equal(answer, { permit: { study: STUDY, dataset: DATASET, scaling: SCALING, consent: null } })
})

const ROOT = digestOf('a root')
const asking = (patients: number, testRows: number) => {
  const given = request([SELF], [], true, { consulted: { root: ROOT, patients, testRows } })
  const study = { minimumCohort: 7, consent: { basis: 'opt-in' } }
  return permit({ ...given, study: { ...(given.study as StudyState), study } as unknown as StudyState })
}

it('where patients were asked it names the root over their words, from the minimum cohort up', () => {
  const answer = asking(7, 2)
  assert.ok('permit' in answer)
  assert.is(answer.permit.consent, ROOT)
})

it('refused: consent-cohort, by which rule, and whom to ask', () => {
  for (const [patients, testRows, found] of [
    [6, 2, '6 patients may train'],
    [9, 0, 'no row may test'],
  ] as const) {
    const answer = asking(patients, testRows)
    assert.ok('refusal' in answer)
    assert.is(answer.refusal.code, 'consent-cohort')
    assert.match(answer.refusal.message, new RegExp(`${found} here now \\(consent.basis opt-in, minimumCohort 7`))
    assert.match(answer.refusal.message, /consent office/)
  }
})

it('another member’s pause is theirs alone', () => {
  assert.ok('permit' in permit(request([SELF], [keyOf('ada').member], true)))
})

it('of several reasons the first to mend is told, in all 64 cases', () => {
  let given = 0
  for (let bits = 0; bits < 64; bits++) {
    const [known, accepted, bound, asked, recorded, scaled] = Array.from(
      { length: 6 },
      (_, i) => (bits & (1 << i)) !== 0,
    )
    const answer = permit(
      request(accepted ? [SELF] : [], recorded ? [SELF] : [], scaled === true, {
        ...(known ? {} : { study: undefined }),
        dataset: bound ? DATASET : null,
        pauseAsked: asked === true,
      }),
    )
    const reasons: readonly (readonly [code: string, holds: boolean])[] = [
      ['study-unknown', !known],
      ['study-not-accepted', !accepted],
      ['dataset-not-bound', !bound],
      ['study-paused', asked === true || recorded === true],
      ['scaling-not-frozen', !scaled],
    ]
    const first = reasons.find(([, holds]) => holds)?.[0] ?? 'none'
    assert.is('refusal' in answer ? answer.refusal.code : 'none', first, `case ${bits.toString(2)}`)
    if (first === 'none') given++
  }
  assert.is(given, 1)
})

it.run()
