/** Guards before every round, and what a million entries of agreements take to be read: once, and when a few more come. */
import { type Agreement, agreementDocument, agreementIdOf } from '../../../src/config/agreement.ts'
import { fromHex, toHex, utf8 } from '../../../src/core/bytes.ts'
import { sha256 } from '../../../src/core/digest.ts'
import type { AgreementId, Digest, MemberId, StudyId } from '../../../src/core/ids.ts'
import { type AgreementFact, Agreements, stateHash } from '../../../src/governance/agreements.ts'
import { compileGuard, type GuardInputs } from '../../../src/governance/guards.ts'
import { atLeast, type Figure, median, under } from '../figures.ts'

const EVALUATIONS = 200_000
const REPEATS = 9
const GUARDS_PER_SECOND_MIN = 500_000
const ENTRIES = 1_000_000
const FOLD_SECONDS_MAX = 8
const MORE_MS_MAX = 100
const MEMBERS = 1_000
const PARTIES = 10

/** Seven clauses, as an agreement would have them. */
const GUARD =
  'action == "round" && round < rounds && size(members) >= 3 && hospital in members && rowsBand >= 40 && epsilonSpentMilli <= 3000 && daysToExpiry > 0'

const digestOf = (label: string): Digest => toHex(sha256(utf8(label))) as Digest
const MEMBER = Array.from({ length: MEMBERS }, (_, i) => digestOf(`member ${i}`) as string as MemberId)

export async function bench(): Promise<Figure[]> {
  return [...guards(), ...fold()]
}

function guards(): Figure[] {
  const compiled = compileGuard(GUARD)
  if (!('guard' in compiled)) throw new Error(compiled.reason)
  const { guard } = compiled
  const all = Array.from({ length: 64 }, (_, i) => inputsOf(i))
  const perSecond = (evaluate: (inputs: GuardInputs) => unknown): number => {
    const times = Array.from({ length: REPEATS }, () =>
      time(() => {
        for (let i = 0; i < EVALUATIONS; i++) evaluate(all[i % 64] as GuardInputs)
      }),
    )
    return EVALUATIONS / (Math.min(...times) / 1_000)
  }
  const ours = perSecond(guard)
  const byHand = perSecond(predicate)
  const reference = `the same written by hand in JavaScript: ${Math.round(byHand).toLocaleString('en')}/s, ${(byHand / ours).toFixed(1)} × as fast`
  const how = `seven clauses, five members; best of ${REPEATS}`
  return [atLeast('agreement guard', ours, GUARDS_PER_SECOND_MIN, 'evaluations/s', how, reference)]
}

function inputsOf(i: number): GuardInputs {
  return {
    ...{ action: 'round', hospital: MEMBER[i % 5] as string, study: digestOf('study'), mergeRule: 'mean' },
    ...{ round: BigInt(i), rounds: 100n, rowsBand: 40n + BigInt(i), minimumCohort: 10n, daysToExpiry: 300n },
    ...{ epsilonSpentMilli: BigInt(30 * i), epsilonMaxMilli: 3_000n, isPrivate: true },
    members: MEMBER.slice(0, 5),
    purposes: ['DUO:0000006'],
  }
}

function predicate(of: GuardInputs): boolean {
  return (
    of.action === 'round' &&
    of.round < of.rounds &&
    of.members.length >= 3 &&
    of.members.includes(of.hospital) &&
    of.rowsBand >= 40n &&
    of.epsilonSpentMilli <= 3_000n &&
    of.daysToExpiry > 0n
  )
}

/** A thousand members, as many agreements of ten parties each; then words of all kinds, a thousand of each member. */
function fold(): Figure[] {
  const documents = MEMBER.map((_, i) => agreementDocument(agreementAt(i)))
  const ids = documents.map(agreementIdOf)
  const agreements = new Agreements()
  const slice = (seq: number): AgreementFact[] =>
    documents.map((document, i) => (seq === 0 ? factAt(i, 0, 'agreement.proposed', { document }) : wordAt(i, seq, ids)))
  let [all, plain] = [0, 0]
  for (let seq = 0; seq < ENTRIES / MEMBERS; seq++) {
    const facts = slice(seq) // as ranges of other logs come
    all += cpuTime(() => take(agreements, facts))
    plain += time(() => void facts.reduce((sum, { body }) => sum + Object.keys(body as object).length, 0))
  }
  const cut = { final: () => ENTRIES, known: () => ENTRIES }
  const hash = time(() => stateHash(agreements, cut, 2_000))
  const facts = slice(ENTRIES / MEMBERS)
  const more = time(() => take(agreements, facts))
  const again = Array.from({ length: 5 }, () => time(() => stateHash(agreements, cut, 2_000)))
  const reference = `${MEMBERS} members, ${MEMBERS} agreements; looking at the bodies alone takes ${plain.toFixed(0)} ms`
  const state = `a state hash over all of them takes ${hash.toFixed(0)} ms the first time, ${median(again).toFixed(0)} ms then`
  return [
    under('fold of 1,000,000 entries of agreements', all / 1_000, FOLD_SECONDS_MAX, 's of CPU', reference),
    under('and of 1,000 more', more, MORE_MS_MAX, 'ms', state),
  ]
}

function take(agreements: Agreements, facts: readonly AgreementFact[]): void {
  for (const fact of facts) agreements.fold(fact)
}

function factAt(author: number, seq: number, kind: string, body: AgreementFact['body']): AgreementFact {
  const at = { author: MEMBER[author] as MemberId, seq, lamport: seq * 3, hash: HASH }
  return { ...at, kind, body }
}
const HASH = digestOf('an entry')

/** Of the agreements that a member is a party of, one after the other. */
function wordAt(i: number, seq: number, ids: readonly AgreementId[]): AgreementFact {
  const agreement = fromHex(ids[(i + (seq % PARTIES)) % MEMBERS] as AgreementId)
  if (seq % 4 === 0) return factAt(i, seq, 'agreement.refused', { agreement, clause: 'privacy' })
  if (seq % 4 === 1) return factAt(i, seq, 'agreement.event', { agreement, event: 'report-results' })
  return factAt(i, seq, 'agreement.signed', { agreement })
}

function agreementAt(i: number): Agreement {
  const parties = Array.from({ length: PARTIES }, (_, k) => MEMBER[(i - k + MEMBERS) % MEMBERS] as MemberId)
  return {
    name: `Agreement ${i}`,
    parties: parties.map((member) => ({ member, role: null, required: true })),
    purposes: ['DUO:0000006'],
    studies: [digestOf(`study ${i % 64}`) as StudyId],
    ...{ datasets: [], mergeRules: null, privacy: null, minimumCohort: 10, starts: null, expires: 1_800_000_000_000 },
    duties: [{ duty: 'report-results', withinDays: 90 }],
    settlement: { rule: 'none', shares: [] },
    guards: [{ name: 'all', on: ['round'], cel: GUARD }],
    engine: 'cel@8.0.0 profile 1',
    workflow: null,
  }
}

/** With what its garbage costs, and without what others do on the machine meanwhile. */
function cpuTime(work: () => void): number {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1_000
}

function time(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}
