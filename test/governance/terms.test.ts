/** What agreements allow: the clause that forbids, the entry it rests on, and whom to ask. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { Agreements } from '../../src/governance/agreements.ts'
import type { StudyState } from '../../src/governance/studies.ts'
import { type Act, guardInputs, underAgreements } from '../../src/governance/terms.ts'
import { digestOf, keyOf, STUDY } from '../gossip/fixtures.ts'
import { studyOf } from '../node/clinics.ts'
import {
  ADA,
  agreementOf,
  BEGUN_MS,
  BEN,
  CLEO,
  EXPIRES_MS,
  ended,
  factAt,
  proposed,
  refused,
  SELF,
  signed,
} from './agreementFixtures.ts'

const it = suite('terms')
const NAMES = (member: MemberId): string =>
  ['self', 'ada', 'ben', 'cleo'].find((name) => keyOf(name).member === member) ?? '?'
const ALL = { final: () => Number.POSITIVE_INFINITY, known: () => Number.POSITIVE_INFINITY }

/** A study of this hospital and ada's; `more` are lines of its file. */
function stateOf(more = '', over: Partial<StudyState> = {}): StudyState {
  const bound = new Set([SELF, ADA])
  return { id: STUDY, study: studyOf(7, more), proposedBy: SELF, bound, spent: new Map(), ...over } as StudyState
}

function actOf(over: Partial<Act> = {}): Act {
  return {
    ...{ self: SELF, study: stateOf(), action: 'round', dataset: digestOf('a table'), round: 3, epsilon: 0, rows: 67 },
    ...{ nowMs: BEGUN_MS, cut: ALL, required: false },
    ...over,
  }
}

/** Agreements with these clauses, signed by both. */
function agreed(...clauses: readonly string[]): Agreements {
  const agreements = new Agreements()
  for (const [i, more] of clauses.entries()) {
    const { document, id } = agreementOf(more)
    for (const fact of [
      factAt(SELF, 2 * i, proposed(document)),
      factAt(SELF, 2 * i + 1, signed(id)),
      factAt(ADA, i, signed(id)),
    ])
      agreements.fold(fact)
  }
  return agreements
}

function refusal(agreements: Agreements, act: Act): readonly [code: string, message: string] | null {
  const found = underAgreements(agreements, act, NAMES)
  return 'forbidden' in found ? [found.forbidden.code, found.forbidden.message] : null
}

it('where nothing was agreed all is allowed, unless the hospital asks for an agreement', () => {
  assert.equal(underAgreements(new Agreements(), actOf()), { agreements: [] })
  const [code, message] = refusal(new Agreements(), actOf({ required: true })) ?? []
  assert.is(code, 'agreement-missing')
  assert.match(
    message ?? '',
    /names study .* \(config.yaml: agreements.required\): propose one, consilium agreement new$/,
  )
})

it('of several that are active every one must allow it, and all are named', () => {
  const found = underAgreements(agreed('', 'minimumCohort: 9\n'), actOf())
  assert.is('agreements' in found && found.agreements.length, 2)
  assert.is(refusal(agreed('', 'minimumCohort: 11\n'), actOf())?.[0], 'agreement-cohort')
})

it('one that is over forbids nothing where another is active', () => {
  const agreements = agreed('', 'minimumCohort: 9\n')
  agreements.fold(factAt(ADA, 9, ended(agreementOf().id)))
  assert.is(refusal(agreements, actOf()), null)
  agreements.fold(factAt(ADA, 10, refused(agreementOf('minimumCohort: 9\n').id, 'cohort')))
  assert.is(refusal(agreements, actOf())?.[0], 'agreement-refused')
})

it('who may sign and has not is not covered by the others’ signatures', () => {
  assert.is(refusal(agreed(''), actOf({ self: BEN }))?.[0], 'agreement-unsigned')
  assert.is(refusal(agreed(''), actOf({ self: CLEO })), null, 'and who is no party is not asked')
})

it('of two that are active it is under the one that it has signed', () => {
  const { id } = agreementOf('minimumCohort: 9\n')
  const agreements = agreed('', 'minimumCohort: 9\n')
  agreements.fold(factAt(BEN, 4, signed(id)))
  assert.equal(underAgreements(agreements, actOf({ self: BEN })), { agreements: [id] })
})

it('a refusal tells the rule, the entry and whom to ask', () => {
  const { id } = agreementOf()
  const digits = id.slice(0, 12)
  const agreements = agreed('')
  agreements.fold(factAt(ADA, 9, ended(id, 'law-changed')))
  assert.equal(refusal(agreements, actOf()), [
    'agreement-ended',
    `agreement ${digits} ("Memory clinics"), clause parties: ada ended it (law-changed); it rests on entry ada/9: ask ada`,
  ])
  const late = refusal(agreed(''), actOf({ nowMs: EXPIRES_MS }))
  assert.equal(
    late?.[1],
    `agreement ${digits} ("Memory clinics"), clause term: it ran out at 2027-07-01 00:00 UTC; it rests on entry self/0: ask self, ada`,
  )
})

const CONSENT = 'consent: { basis: opt-in, jurisdiction: DE, purposes: [DUO:0000007] }\n'
const CLAUSES: readonly (readonly [code: string | null, clauses: string, study: string, over: Partial<Act>])[] = [
  [null, '', CONSENT, {}],
  ['agreement-purposes', '', CONSENT.replace('0000007', '0000042'), {}],
  [null, 'privacy: { epsilonMax: 3 }\n', 'privacy: { noiseMultiplier: 4, epsilonMax: 3 }\n', {}],
  ['agreement-privacy', 'privacy: { epsilonMax: 3 }\n', 'privacy: { noiseMultiplier: 4, epsilonMax: 3.01 }\n', {}],
  ['agreement-privacy', 'privacy: { epsilonMax: 3 }\n', '', {}],
  [null, 'mergeRules: [median, mean]\n', '', {}],
  ['agreement-merge', 'mergeRules: [median]\n', '', {}],
  [null, 'minimumCohort: 10\n', '', {}],
  [null, `datasets: [{ party: self, commitment: '${digestOf('a table')}' }]\n`, '', {}],
  ['agreement-dataset', `datasets: [{ party: self, commitment: '${digestOf('another')}' }]\n`, '', {}],
  [null, `datasets: [{ party: self, commitment: '${digestOf('another')}' }]\n`, '', { action: 'access' }],
  [null, `datasets: [{ party: ada, commitment: '${digestOf('another')}' }]\n`, '', {}],
  ['agreement-guard', `guards: [{ name: g, on: [export, predict], cel: 'round > 3' }]\n`, '', { action: 'export' }],
  [null, `guards: [{ name: g, on: [export, predict], cel: 'round > 3' }]\n`, '', { action: 'round' }],
  ['agreement-guard-error', `guards: [{ name: g, on: [round], cel: '1 / (round - 3) > 0' }]\n`, '', {}],
]
for (const [code, clauses, study, over] of CLAUSES) {
  it(`${clauses.trim() || 'no clause'} and ${study.trim() || 'a plain study'} at ${over.action ?? 'round'}: ${code ?? 'allowed'}`, () => {
    assert.is(refusal(agreed(clauses), actOf({ study: stateOf(study), ...over }))?.[0] ?? null, code)
  })
}

it('guards are told rows in bands, members in order, and ε rounded up; what was spent and is not told counts as all of it', () => {
  const privacy = 'privacy: { noiseMultiplier: 4, epsilonMax: 3 }\n'
  const inputs = guardInputs(actOf({ study: stateOf(privacy), epsilon: 1.2501 }), EXPIRES_MS)
  assert.equal([inputs.rowsBand, inputs.epsilonSpentMilli, inputs.epsilonMaxMilli], [60n, 1_251n, 3_000n])
  assert.equal(inputs.members, [SELF, ADA].sort())
  assert.is(inputs.daysToExpiry, BigInt((EXPIRES_MS - BEGUN_MS) / 86_400_000))
  const spent = new Map([[SELF, { seq: 3, steps: [{ sampleRate: 0.1, noiseMultiplier: 4, steps: 9 }] }]])
  assert.is(guardInputs(actOf({ study: stateOf(privacy, { spent }) }), EXPIRES_MS).epsilonSpentMilli, 3_000n)
  assert.is(guardInputs(actOf(), EXPIRES_MS).epsilonSpentMilli, 0n)
})

it.run()
