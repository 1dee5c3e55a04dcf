/** What a patient's words come to: against a naive model, and the cases that people argue about. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { covers, DUO_CODES, type DuoCode, touches } from '../../src/core/duo.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import {
  type ConsentDecision,
  type ConsentQuestion,
  consentOf,
  decisionBytes,
  decisionCommitment,
  monthOf,
  readDecision,
  SPEAKERS,
  subjectTag,
} from '../../src/governance/consent.ts'

const it = suite('consent')

const idOf = (name: string): StudyId => toHex(sha256(utf8(name))) as StudyId
const STUDIES = ['stroke', 'memory', 'sepsis'].map(idOf) as [StudyId, StudyId, StudyId]
const HEALTH: DuoCode = 'DUO:0000006'
const DISEASE: DuoCode = 'DUO:0000007'
const ANCESTRY: DuoCode = 'DUO:0000011'

const said = (more: Partial<ConsentDecision> = {}): ConsentDecision => ({
  decision: 'permit',
  purposes: 'all',
  study: 'all',
  fromMs: null,
  toMs: null,
  by: 'subject',
  receivedAtMs: 500,
  effectiveAtMs: 500,
  form: 'in-person',
  ...more,
})

const asks = (basis: 'opt-in' | 'opt-out', purposes: readonly DuoCode[] = [HEALTH]): ConsentQuestion => ({
  id: STUDIES[0],
  consent: { basis, purposes },
})

const someTime = fc.integer({ min: 0, max: 9 }).map((tenth) => 400 + 50 * tenth)
const decision: fc.Arbitrary<ConsentDecision> = fc.record({
  decision: fc.constantFrom('permit' as const, 'deny' as const),
  purposes: fc.oneof(
    fc.constant('all' as const),
    fc.uniqueArray(fc.constantFrom(...DUO_CODES), { minLength: 1, maxLength: 3 }),
  ),
  study: fc.constantFrom('all' as const, ...STUDIES),
  fromMs: fc.option(someTime),
  toMs: fc.option(someTime),
  by: fc.constantFrom(...SPEAKERS),
  receivedAtMs: someTime,
  effectiveAtMs: someTime,
  form: fc.constantFrom('in-person', 'fhir'),
})
const question: fc.Arbitrary<ConsentQuestion> = fc.record({
  id: fc.constantFrom(...STUDIES),
  consent: fc.record({
    basis: fc.constantFrom('opt-in' as const, 'opt-out' as const),
    purposes: fc.uniqueArray(fc.constantFrom(...DUO_CODES), { minLength: 1, maxLength: 3 }),
  }),
})

/** By sorting: all that apply, the newest moment among them, and no if anybody says no at that moment. */
function naive(decisions: readonly ConsentDecision[], { id, consent }: ConsentQuestion, atMs: number): boolean {
  const applying = decisions.filter(
    (one) =>
      one.effectiveAtMs <= atMs &&
      (one.fromMs ?? 0) <= atMs &&
      atMs < (one.toMs ?? Number.POSITIVE_INFINITY) &&
      [id, 'all'].includes(one.study) &&
      (one.purposes === 'all' || (one.decision === 'permit' ? covers : touches)(one.purposes, consent.purposes)),
  )
  const newest = Math.max(...applying.map((one) => one.effectiveAtMs))
  const last = applying.filter((one) => one.effectiveAtMs === newest)
  if (last.length === 0) return consent.basis === 'opt-out'
  return last.every((one) => one.decision === 'permit')
}

it('agrees with a naive model, whatever was said and in whatever order it is held', () => {
  fc.assert(
    fc.property(fc.array(decision, { maxLength: 8 }), question, someTime, (decisions, asked, atMs) => {
      const verdict = consentOf(decisions, asked, atMs)
      assert.is(verdict.permitted, naive(decisions, asked, atMs))
      assert.is(consentOf([...decisions].reverse(), asked, atMs).permitted, verdict.permitted)
      if (verdict.rule !== 'basis') assert.is(decisions[verdict.rule]?.decision === 'permit', verdict.permitted)
    }),
    { numRuns: 3_000 },
  )
})

it('nothing changes by time alone before the moment that is told', () => {
  fc.assert(
    fc.property(fc.array(decision, { maxLength: 6 }), question, someTime, (decisions, asked, atMs) => {
      const { permitted, changesAtMs } = consentOf(decisions, asked, atMs)
      const until = Math.min(changesAtMs ?? 2_000, 2_000)
      for (let later = atMs; later < until; later += 10)
        assert.is(consentOf(decisions, asked, later).permitted, permitted, `at ${later}`)
    }),
    { numRuns: 1_000 },
  )
})

it('who said nothing is left out of an opt-in study and in an opt-out one', () => {
  assert.equal(consentOf([], asks('opt-in'), 900), { permitted: false, rule: 'basis', changesAtMs: null })
  assert.equal(consentOf([], asks('opt-out'), 900), { permitted: true, rule: 'basis', changesAtMs: null })
})

it('a denial of the same moment wins, a later word goes before an earlier one whenever it was received', () => {
  const [yes, no] = [said(), said({ decision: 'deny' })]
  assert.is(consentOf([no, yes], asks('opt-out'), 900).permitted, false)
  const lateForm = said({ decision: 'deny', effectiveAtMs: 450, receivedAtMs: 800 })
  assert.equal(consentOf([yes, lateForm], asks('opt-in'), 900), { permitted: true, rule: 0, changesAtMs: null })
})

it('a revocation that takes effect later permits until then, and says when', () => {
  const words = [said(), said({ decision: 'deny', receivedAtMs: 600, effectiveAtMs: 700 })]
  assert.equal(consentOf(words, asks('opt-in'), 650), { permitted: true, rule: 0, changesAtMs: 700 })
  assert.equal(consentOf(words, asks('opt-in'), 700), { permitted: false, rule: 1, changesAtMs: null })
})

it('a period ends before its last moment, and what was said before holds again', () => {
  const words = [said({ decision: 'deny', effectiveAtMs: 410 }), said({ fromMs: 500, toMs: 600 })]
  assert.equal(
    [499, 500, 599, 600].map((at) => consentOf(words, asks('opt-out'), at).permitted),
    [false, true, true, false],
  )
})

it('a permission must cover every purpose, a denial needs one in common, and conditions bind who uses', () => {
  const allows = (given: readonly DuoCode[], wanted: readonly DuoCode[]): boolean =>
    consentOf([said({ purposes: given })], asks('opt-in', wanted), 900).permitted
  assert.is(allows([HEALTH], [DISEASE]), true)
  assert.is(allows([DISEASE], [HEALTH]), false)
  assert.is(allows([HEALTH], [HEALTH, ANCESTRY]), false)
  assert.is(allows([HEALTH, 'DUO:0000046'], [HEALTH]), false)
  assert.is(allows([HEALTH, 'DUO:0000046'], [HEALTH, 'DUO:0000018']), true)
  const refuses = (given: readonly DuoCode[], wanted: readonly DuoCode[]): boolean =>
    !consentOf([said({ decision: 'deny', purposes: given })], asks('opt-out', wanted), 900).permitted
  assert.is(refuses([DISEASE], [HEALTH]), true)
  assert.is(refuses([HEALTH], [DISEASE]), true)
  assert.is(refuses([ANCESTRY], [HEALTH]), false)
})

it('canonical bytes read back as they were, and a commitment opens with its own salt and decision alone', () => {
  fc.assert(
    fc.property(decision, decision, (one, other) => {
      const bytes = decisionBytes(one)
      assert.equal(readDecision(bytes), { ...one })
      const [salt, wrong] = [sha256(utf8('salt')), sha256(utf8('wrong'))]
      const commitment = toHex(decisionCommitment(salt, bytes))
      assert.is.not(commitment, toHex(decisionCommitment(wrong, bytes)))
      const same = toHex(decisionBytes(other)) === toHex(bytes)
      assert.is(toHex(decisionCommitment(salt, decisionBytes(other))) === commitment, same)
    }),
  )
  const frozen = said({
    purposes: [HEALTH],
    study: STUDIES[1],
    fromMs: 7,
    by: 'guardian',
    effectiveAtMs: 1_763_785_620_000,
  })
  assert.is(toHex(sha256(decisionBytes(frozen))), FROZEN_DECISION)
})
const FROZEN_DECISION = 'a602018cef0c09ca43e8b163dcd19f8628603e0fea98cbf8155dc3176421f3cf'

it('a tag is of one patient, hospital and month, and its bytes are frozen', () => {
  const key = sha256(utf8('key 7'))
  const [a, b] = [idOf('north'), idOf('south')].map((id) => id as string as MemberId) as [MemberId, MemberId]
  const november = Date.UTC(2026, 10, 22)
  const tags = [
    subjectTag(key, a, november),
    subjectTag(key, b, november),
    subjectTag(key, a, Date.UTC(2026, 11, 1)),
    subjectTag(sha256(key), a, november),
  ].map(toHex)
  assert.is(new Set(tags).size, 4)
  assert.is(tags[0], toHex(subjectTag(key, a, Date.UTC(2026, 10, 30, 23, 59, 59, 999))))
  assert.is(tags[0], FROZEN_TAG)
})
const FROZEN_TAG = '24ce606f55106c9a2c7649d851c3d23c'

it('months are those of the calendar, leap years among them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (atMs) => {
      assert.is(monthOf(atMs), new Date(atMs).toISOString().slice(0, 7).replace('-', ''))
    }),
    { numRuns: 2_000 },
  )
})

it.run()
