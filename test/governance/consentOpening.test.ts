/** What is opened of a round: a no that was not obeyed is found whatever the hospital says, and no hospital that asked its vault is accused. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { StudyConsent } from '../../src/config/consent.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import {
  askedAnew,
  type ConsentDecision,
  consentOf,
  decisionBytes,
  decisionCommitment,
} from '../../src/governance/consent.ts'
import { ToldWords } from '../../src/governance/consentDeclared.ts'
import { consentLeaf, historyOf } from '../../src/governance/consentLeaf.ts'
import {
  checkOpening,
  type OpenedLeaf,
  type OpenedWord,
  type OpeningVerdict,
} from '../../src/governance/consentOpening.ts'
import { rootOver } from '../../src/governance/consentSet.ts'
import { STUDY } from './keptBook.ts'

const it = suite('consent opening')

const CONSENT: StudyConsent = { basis: 'opt-in', jurisdiction: 'DE', purposes: ['DUO:0000006'] }
const HOUR_MS = 3_600_000

/** A word of a patient, heard in that hour. */
interface Said extends Partial<ConsentDecision> {
  readonly patient: number
  readonly hour: number
}

/** What happens at a hospital, in the order of its log; `kept`: in the vault, and told of nowhere. */
type Step =
  | ({ readonly does: 'hears' | 'keeps' } & Said)
  | { readonly does: 'binds' | 'merges' | 'begins anew'; readonly hour: number }
  | { readonly does: 'rests'; readonly hour: number; readonly on: 'words' | Readonly<Record<number, boolean>> }
  | { readonly does: 'records'; readonly hour: number }

const wordOf = ({ patient: _, hour, does: __, ...more }: Said & { readonly does?: string }, number: number) => {
  const decision: ConsentDecision = {
    ...{ decision: 'permit', purposes: 'all', study: 'all', fromMs: null, toMs: null, by: 'subject' },
    ...{ receivedAtMs: hour * HOUR_MS, effectiveAtMs: hour * HOUR_MS, form: 'in-person', ...more },
  }
  const [salt, bytes] = [sha256(utf8(`word ${number}`)), decisionBytes(decision)]
  return { decision, salt, bytes, commitment: decisionCommitment(salt, bytes) }
}

/** What an auditor finds of the one round that is recorded. `on`: who the set says may be used, or what each one's words say then. */
function audit(steps: readonly Step[], consent = CONSENT): OpeningVerdict {
  const words = new Map<number, ReturnType<typeof wordOf>[]>()
  const told = new ToldWords(
    STUDY,
    steps.findIndex(({ does }) => does === 'records'),
  )
  let [leaves, number, timeMs, anew]: [OpenedLeaf[], number, number, boolean] = [[], 0, 0, false]
  for (const [seq, step] of steps.entries()) {
    const take = (kind: string, study: typeof STUDY | null, body: Parameters<ToldWords['take']>[0]['body'] = null) =>
      told.take({ kind, study, seq, timeMs: step.hour * HOUR_MS, body })
    if (step.does === 'hears' || step.does === 'keeps') {
      const word = wordOf(step, number)
      words.set(step.patient, [...(words.get(step.patient) ?? []), word])
      if (step.does === 'keeps') continue
      take('consent.recorded', null, { from: number++, items: [[new Uint8Array(16), word.commitment]] })
    } else if (step.does === 'binds') take('dataset.bound', STUDY)
    else if (step.does === 'merges') take('round.merged', STUDY)
    else if (step.does === 'begins anew') {
      anew = true
      words.clear()
      take('consent.restarted', null, { words: number, reason: 'vault-lost' })
    } else if (step.does === 'records') timeMs = step.hour * HOUR_MS
    else if (step.does === 'rests') {
      const study = { id: STUDY, consent }
      const saysOf = (patient: number): boolean => {
        const decisions = (words.get(patient) ?? []).map(({ decision }) => decision)
        return consentOf(decisions, anew ? askedAnew(study) : study, step.hour * HOUR_MS).permitted
      }
      leaves = [0, 1, 2].map((patient): OpenedLeaf => {
        const own: readonly OpenedWord[] = (words.get(patient) ?? []).map(({ salt, bytes }) => ({ salt, bytes }))
        const permitted = (step.on === 'words' ? undefined : step.on[patient]) ?? saysOf(patient)
        const tag = sha256(utf8(`tag ${patient}`)).subarray(0, 16)
        return { tag, salt: new Uint8Array(16).fill(patient), permitted, rows: 2, words: own }
      })
    }
  }
  const root = rootOver(
    leaves.map((leaf) => {
      const history = historyOf(leaf.words.map(({ salt, bytes }) => decisionCommitment(salt, bytes)))
      return { tag: leaf.tag, leaf: consentLeaf({ ...leaf, history }) }
    }),
  )
  const opening = { leaves, bare: [], elsewhere: [] }
  return checkOpening(opening, { study: { id: STUDY, consent }, root, timeMs, told })
}

const bound: Step = { does: 'binds', hour: 1 }
const permit = (hour: number, more: Partial<ConsentDecision> = {}): Step => ({
  does: 'hears',
  patient: 1,
  hour,
  ...more,
})
const deny = (hour: number, more: Partial<ConsentDecision> = {}): Step => permit(hour, { decision: 'deny', ...more })
const merges = (hour: number): Step => ({ does: 'merges', hour })
const rests = (hour: number, on: 'words' | Readonly<Record<number, boolean>> = 'words'): Step => ({
  does: 'rests',
  hour,
  on,
})
const records = (hour: number): Step => ({ does: 'records', hour })
const at = (hour: number) => ({ effectiveAtMs: hour * HOUR_MS })
const until = (hour: number) => ({ toMs: hour * HOUR_MS })

const USED = { 1: true }

/** What is done after a no, and what is found: each is a patient whose rows were used. */
const USED_AFTER: Readonly<Record<string, readonly Step[]>> = {
  'a no that was told before the merge': [bound, permit(2), deny(5), merges(6), rests(7, USED), records(8)],
  'a no that was told after the merge, and that the leaf has': [
    ...[bound, permit(2), merges(3), deny(5), rests(7, USED), records(8)],
  ],
  'a no before the first round': [permit(2), deny(5), { does: 'binds', hour: 6 }, rests(7, USED), records(8)],
  'a no for later, which had come into effect': [
    bound,
    permit(2),
    deny(3, at(5)),
    merges(6),
    rests(7, USED),
    records(8),
  ],
  'a yes that had ended': [bound, permit(2, until(5)), merges(6), rests(7, USED), records(8)],
  'a yes for later, which had not begun': [bound, permit(2, at(9)), merges(6), rests(7, USED), records(8)],
  'entries that are dated before the no': [bound, permit(2), deny(5), merges(3), rests(7, USED), records(4)],
  'nobody who was asked anew after the words were lost': [
    ...([bound, permit(2), { does: 'begins anew', hour: 3 }, merges(5), rests(7, USED), records(8)] as Step[]),
  ],
}
for (const [name, steps] of Object.entries(USED_AFTER))
  it(`a round that used ${name} is found out`, () => {
    const isAnew = steps.some(({ does }) => does === 'begins anew') // then silence is no yes in an opt-out either
    const { faults } = audit(steps, isAnew ? { ...CONSENT, basis: 'opt-out' } : CONSENT)
    assert.is(faults.length, 1, faults.join('\n'))
    assert.match(faults[0] as string, /the words say no, the set has yes/)
  })

/** What an honest hospital does, and is not accused of. */
const HONEST: Readonly<Record<string, readonly Step[]>> = {
  'a set from long before': [bound, permit(2), merges(50), merges(900), rests(901), records(902)],
  'a no while the round is trained': [bound, permit(2), merges(3), rests(4), deny(5), records(8)],
  'a yes that ends while the round is trained': [bound, permit(2, until(5)), merges(3), rests(4), records(8)],
  'a no for later, which comes into effect while it is trained': [
    ...[bound, permit(2), deny(2, at(5)), merges(3), rests(4), records(8)],
  ],
  'a no for later, which is not yet': [bound, permit(2), deny(2, at(50)), merges(3), rests(4), records(8)],
  'a no after the merge, before it begins': [bound, permit(2), merges(3), deny(4), rests(5), records(8)],
  'a yes that begins after the merge': [bound, permit(2, at(4)), merges(3), rests(5), records(8)],
  'a yes, none, and a yes again between merge and round': [
    ...[bound, permit(1, until(3)), permit(1, { ...at(5), ...until(7) }), merges(4), rests(6), records(8)],
  ],
  'a clock that was set back': [bound, permit(2), merges(9), rests(4), records(5)],
  'a first round': [permit(2), { does: 'binds', hour: 3 }, deny(4), rests(5), records(6)],
  'another table while it trains': [bound, permit(2), rests(3), deny(4), { does: 'binds', hour: 5 }, records(6)],
  'words that were lost': [
    bound,
    deny(2),
    { does: 'begins anew', hour: 3 },
    permit(4),
    merges(5),
    rests(6),
    records(7),
  ],
}
for (const [name, steps] of Object.entries(HONEST))
  it(`a hospital is not accused of ${name}`, () => {
    assert.equal(audit(steps).faults, [])
  })

it('a yes that the log tells of nowhere, and a log that tells of no beginning, are named', () => {
  const unheard = audit([bound, { ...permit(2), does: 'keeps' } as Step, merges(3), rests(4), records(5)])
  assert.equal(unheard.faults, ['1 of the words that are opened stand in no entry that is here'])
  const without = audit([permit(2), rests(4), records(5)])
  assert.is(without.sinceMs, null)
  assert.match(without.faults.join(), /no entry before the round tells when/)
})

it('a patient with more words than anybody says in a round costs an auditor no more than so many looks at them', () => {
  let looks = 0
  const periodOf = (ms: number) => ({ fromMs: ms, toMs: ms }) // none is ever in force, and each is a moment
  const consent = {
    ...CONSENT,
    get basis() {
      looks++
      return CONSENT.basis
    },
  }
  const words = Array.from({ length: 300 }, (_, i) => permit(2, periodOf(4 * HOUR_MS + i)))
  assert.is(audit([bound, ...words, merges(3), rests(4, USED), records(8)], consent).faults.length, 1)
  assert.ok(looks < 200, `${looks}`)
})

it('property: whatever patients say and when, a hospital that asks its vault between merge and round is never accused', () => {
  const hour = fc.nat(30)
  const end = fc.option(hour, { nil: null })
  const word = fc.record({
    decision: fc.constantFrom('permit' as const, 'deny' as const),
    effective: hour,
    from: end,
    to: end,
  })
  const step = fc.oneof(
    fc.record({ does: fc.constant('hears' as const), patient: fc.nat(2), word }),
    fc.record({ does: fc.constant('merges' as const) }),
  )
  const steps = (most: number) => fc.array(step, { maxLength: most })
  fc.assert(
    fc.property(
      steps(8),
      steps(4),
      steps(4),
      fc.constantFrom('opt-in', 'opt-out'),
      (first, resting, training, basis) => {
        let now = 0
        const happen = (given: typeof first, mayMerge = true): Step[] =>
          given.flatMap((one): Step[] => {
            now++
            if (one.does === 'merges') return mayMerge ? [merges(now)] : []
            const { decision, effective, from, to } = one.word
            const ms = (hours: number | null) => (hours === null ? null : hours * HOUR_MS)
            const more = { decision, ...at(effective), fromMs: ms(from), toMs: ms(to) }
            return [{ does: 'hears', patient: one.patient, hour: now, ...more }]
          })
        const all = [
          bound,
          ...happen(first),
          ...happen(resting),
          rests(++now),
          ...happen(training, false),
          records(++now),
        ]
        const { faults } = audit(all, { ...CONSENT, basis: basis as StudyConsent['basis'] })
        assert.equal(faults, [])
      },
    ),
    { numRuns: 500 },
  )
})

it.run()
