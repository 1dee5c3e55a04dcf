/**
 * What agreements allow one hospital to do in one study now: each clause with its verdict, the entry it rests on and whom to ask. Pure and
 * quick: it runs before every round, and each time that an update goes out.
 */
import type { AgreementAction } from '../config/agreementSchema.ts'
import { timeText } from '../config/agreementText.ts'
import { covers, duoLabel } from '../core/duo.ts'
import type { AgreementId, Digest, MemberId } from '../core/ids.ts'
import {
  type AgreementStanding,
  type AgreementState,
  type Agreements,
  type Cut,
  type Place,
  standingOf,
} from './agreements.ts'
import type { GuardInputs } from './guards.ts'
import type { AgreementClause } from './kinds/agreements.ts'
import type { Refusal } from './permit.ts'
import type { StudyState } from './studies.ts'
import { allowsIn } from './workflow.ts'

/** What is about to be done, by whom and when. */
export interface Act {
  readonly self: MemberId
  readonly study: StudyState
  readonly action: AgreementAction
  /** The table that is bound; null where none is. */
  readonly dataset: Digest | null
  /** The round that would begin; of an export or a prediction: rounds in the model. */
  readonly round: number
  /** ε that this hospital has spent in the study. */
  readonly epsilon: number
  /** Rows that are bound here. */
  readonly rows: number
  readonly nowMs: number
  readonly cut: Cut
  /** Nothing is done here in a study without an agreement: config.yaml says so. */
  readonly required: boolean
}

/** One clause held against an act. */
export interface ClauseVerdict {
  readonly clause: AgreementClause
  /** A refusal's code; null where the clause allows the act. */
  readonly code: string | null
  /** What was found, for a person; `name` says how members are called. */
  readonly says: (name: NameOf) => string
  readonly rests: Place | null
  /** Whom to ask where it refuses. */
  readonly ask: readonly MemberId[]
  /** Which guard, by its place; null elsewhere. */
  readonly guard: number | null
}

type NameOf = (member: MemberId) => string

/** Why agreements forbid an act. `agreement` is null where there is none at all. */
export interface Forbidden extends Refusal {
  readonly agreement: AgreementId | null
  readonly verdict: ClauseVerdict
  /** When time alone may lift it; null where it may not. */
  readonly liftsAtMs: number | null
}

const DAY_MS = 86_400_000
const DIGITS = 12

/** The agreements that the act rests on, none where none binds here; or the first clause that forbids it. */
export function underAgreements(
  agreements: Agreements,
  act: Act,
  name: NameOf = keyDigits,
): { readonly agreements: readonly AgreementId[] } | { readonly forbidden: Forbidden } {
  const about = agreements.naming(act.study.id)
  if (about.length === 0 && !act.required) return FREE
  const ours = about.filter((one) => isParty(one, act.self))
  if (!act.required && !ours.some((one) => binds(one, act))) return FREE
  const stood = ours.map((state) => ({ state, standing: standingOf(state, act.cut, act.nowMs) }))
  const active = stood.filter(({ standing }) => standing.status === 'active' && hasSigned(standing, act.self))
  const [nearest] = [...stood].sort((a, b) => nearness(a.standing) - nearness(b.standing))
  if (nearest === undefined) return { forbidden: missing(act) }
  const all = active.length > 0 ? active : [nearest]
  for (const { state, standing } of all) {
    const verdict = clausesOf(state, standing, act).find(({ code }) => code !== null)
    if (verdict !== undefined) return { forbidden: forbidden(state, verdict, act, name) }
  }
  return { agreements: all.map(({ state }) => state.id) }
}

const FREE = { agreements: [] }

const isParty = ({ agreement }: AgreementState, member: MemberId): boolean =>
  agreement.parties.some((one) => one.member === member)

/**
 * Whether it binds this hospital: its config asks for agreements, its own people have proposed this one or said a word, or who proposed the
 * study did. Else any member could stop any other by a proposal.
 */
export function binds({ said }: AgreementState, { self, study, required }: Act): boolean {
  if (required) return true
  return said.proposals.has(self) || said.proposals.has(study.proposedBy) || said.words.has(self) || said.ends.has(self)
}

const hasSigned = ({ parties }: AgreementStanding, self: MemberId): boolean =>
  parties.some(({ member, word }) => member === self && word === 'signed')

/** Which of those that permit nothing is told of: the one that is nearest to permitting something. */
const nearness = ({ status }: AgreementStanding): number =>
  ['active', 'upcoming', 'proposed', 'expired', 'refused', 'ended'].indexOf(status)

const keyDigits: NameOf = (member) => member.slice(0, DIGITS)

/** `3f2a…/17`, as `consilium log show` takes it. */
function entryOf({ author, seq }: Place, name: NameOf): string {
  return `${name(author).replaceAll(/\s+/g, '')}/${seq}`
}

function missing({ study, self }: Act): Forbidden {
  const code = 'agreement-missing'
  const says = (name: NameOf): string =>
    `no agreement names study ${study.id.slice(0, DIGITS)} and ${name(self)} (config.yaml: agreements.required)`
  const message = `${says(keyDigits)}: propose one, consilium agreement new`
  const found = { ...verdict('whole', code, says), ask: [study.proposedBy] }
  return { agreement: null, verdict: found, code, message, liftsAtMs: null }
}

function forbidden(state: AgreementState, verdict: ClauseVerdict, act: Act, name: NameOf): Forbidden {
  const { agreement, id } = state
  const { rests, ask, clause, code } = verdict
  const entry = rests === null ? proposalOf(state) : rests
  const asked = ask.length === 0 ? '' : `: ask ${ask.map(name).join(', ')}`
  const message = `agreement ${id.slice(0, DIGITS)} ("${agreement.name}"), clause ${clause}: ${verdict.says(name)}; it rests on entry ${entryOf(entry, name)}${asked}`
  return { agreement: id, verdict, code: code as string, message, liftsAtMs: liftsAtMs(state, verdict, act) }
}

/** The one that is cited where no other entry is: of the lowest key. */
function proposalOf({ said }: AgreementState): Place {
  const [first] = [...said.proposals.values()].sort((a, b) => (a.author < b.author ? -1 : 1))
  return first as Place
}

/** A beginning comes by itself, and days to the end are an input of guards. */
function liftsAtMs({ agreement }: AgreementState, { clause }: ClauseVerdict, { nowMs }: Act): number | null {
  const { starts, expires } = agreement
  if (clause === 'term') return starts !== null && starts > nowMs ? starts : null
  return clause === 'guards' && nowMs < expires ? expires - Math.floor((expires - nowMs) / DAY_MS) * DAY_MS + 1 : null
}

/** Every clause of an agreement held against an act, in the order in which a person would mend them. */
export function clausesOf(state: AgreementState, standing: AgreementStanding, act: Act): ClauseVerdict[] {
  return [
    partiesVerdict(standing, act),
    termVerdict(state, standing, act),
    ...studyVerdicts(state, act),
    datasetVerdict(state, act),
    ...workflowVerdict(state, standing, act),
    ...guardVerdicts(state, act),
  ]
}

function verdict(
  clause: AgreementClause,
  code: string | null,
  says: ClauseVerdict['says'],
  rests: Place | null = null,
) {
  return { clause, code, says, rests, ask: [] as readonly MemberId[], guard: null }
}

function partiesVerdict(standing: AgreementStanding, { self }: Act): ClauseVerdict {
  const { status, rests, because, parties } = standing
  if (status === 'ended' || status === 'refused') {
    const { author } = rests as Place
    const says = (name: NameOf): string => `${name(author)} ${status === 'ended' ? 'ended' : 'refused'} it (${because})`
    return { ...verdict('parties', `agreement-${status}`, says, rests), ask: [author] }
  }
  const needed = parties.filter(({ member, required }) => required || member === self)
  const lacking = needed.filter(({ word }) => word !== 'signed')
  if (lacking.length === 0) return verdict('parties', null, () => `signed by all ${needed.length} who must`)
  const silent = lacking.filter(({ word }) => word !== 'pending')
  if (silent.length === 0) {
    const says = (name: NameOf): string =>
      `${names(lacking, name)} signed, and not enough members have cosigned that yet`
    return { ...verdict('parties', 'agreement-pending', says, lacking[0]?.place ?? null), ask: [] }
  }
  const says = (name: NameOf): string => `${names(silent, name)} ${silent.length === 1 ? 'has' : 'have'} not signed it`
  return { ...verdict('parties', 'agreement-unsigned', says), ask: silent.map(({ member }) => member) }
}

const names = (parties: readonly { readonly member: MemberId }[], name: NameOf): string =>
  parties.map(({ member }) => name(member)).join(', ')

function termVerdict({ agreement }: AgreementState, { status }: AgreementStanding, { nowMs }: Act): ClauseVerdict {
  const { starts, expires, parties } = agreement
  const ask = parties.filter(({ required }) => required).map(({ member }) => member)
  if (status === 'expired' || nowMs >= expires)
    return { ...verdict('term', 'agreement-expired', () => `it ran out at ${timeText(expires)}`), ask }
  if (starts !== null && nowMs < starts)
    return { ...verdict('term', 'agreement-early', () => `it begins at ${timeText(starts)}`), ask }
  return verdict('term', null, () => `until ${timeText(expires)}`)
}

function studyVerdicts({ agreement }: AgreementState, { study: { study, proposedBy } }: Act): ClauseVerdict[] {
  const { purposes, mergeRules, privacy, minimumCohort } = agreement
  const against = (clause: AgreementClause, code: string, broken: boolean, says: string): ClauseVerdict => {
    return { ...verdict(clause, broken ? code : null, () => says), ask: broken ? [proposedBy] : [] }
  }
  const wanted = study.consent?.purposes ?? []
  const agreed = purposes.map((code) => duoLabel(code)).join('; ')
  const epsilon = study.privacy?.epsilonMax ?? null
  return [
    against(
      'purposes',
      'agreement-purposes',
      wanted.length > 0 && !covers(purposes, wanted),
      `agreed: ${agreed}; the study declares ${wanted.length === 0 ? 'none' : wanted.join(', ')}`,
    ),
    against(
      'merge',
      'agreement-merge',
      mergeRules !== null && !mergeRules.includes(study.merge.rule),
      `agreed: ${mergeRules?.join(', ') ?? 'any rule'}; the study merges by ${study.merge.rule}`,
    ),
    against(
      'privacy',
      'agreement-privacy',
      privacy !== null && (epsilon === null || epsilon > privacy.epsilonMax),
      `agreed: ${privacy === null ? 'privacy is not asked for' : `ε up to ${privacy.epsilonMax}`}; the study ${epsilon === null ? 'is not private' : `spends up to ${epsilon}`}`,
    ),
    against(
      'cohort',
      'agreement-cohort',
      study.minimumCohort < minimumCohort,
      `agreed: ${minimumCohort} patients at least; the study asks for ${study.minimumCohort}`,
    ),
  ]
}

/** The commitment of a table is known when it is bound, and so nothing is asked of who is about to bind one. */
function datasetVerdict({ agreement }: AgreementState, { self, dataset, action }: Act): ClauseVerdict {
  const agreed = agreement.datasets.flatMap(({ party, commitment }) =>
    party === self && commitment !== null ? [commitment] : [],
  )
  if (agreed.length === 0) return verdict('datasets', null, () => 'no version of the own table is fixed')
  const shown = agreed.map((one) => one.slice(0, DIGITS)).join(', ')
  const isBroken = action !== 'access' && (dataset === null || !agreed.some((one) => one === dataset))
  const bound = dataset === null ? 'none' : dataset.slice(0, DIGITS)
  const says = (): string => `agreed: version ${shown} of the own table; bound is ${bound}`
  return { ...verdict('datasets', isBroken ? 'agreement-dataset' : null, says), ask: isBroken ? [self] : [] }
}

function workflowVerdict(
  { agreement }: AgreementState,
  { workflow: at }: AgreementStanding,
  { action }: Act,
): ClauseVerdict[] {
  const { workflow, parties } = agreement
  if (workflow === null || at === null) return []
  const isAllowed = allowsIn(workflow, at.final, action) && allowsIn(workflow, at.known, action)
  const shown = at.final === at.known ? at.final : `${at.final}, and ${at.known} by what is not final yet`
  const ways = workflow.transitions.filter(({ from }) => from === at.known).map(({ event }) => event)
  const on = ways.length === 0 ? '' : `; from there: ${ways.join(', ')}`
  const says = (): string =>
    `the workflow stands at ${shown}, which ${isAllowed ? 'allows' : 'does not allow'} ${action}${on}`
  const ask = isAllowed ? [] : parties.filter(({ required }) => required).map(({ member }) => member)
  return [{ ...verdict('workflow', isAllowed ? null : 'agreement-workflow', says), ask }]
}

function guardVerdicts({ agreement, guards }: AgreementState, act: Act): ClauseVerdict[] {
  if (guards.length === 0) return []
  const inputs = guardInputs(act, agreement.expires)
  const ask = agreement.parties.filter(({ required }) => required).map(({ member }) => member)
  return agreement.guards.flatMap(({ name, on, cel }, i) => {
    if (!on.includes(act.action)) return []
    const found = guards[i]?.(inputs) ?? 'error'
    const code = found === 'true' ? null : found === 'false' ? 'agreement-guard' : 'agreement-guard-error'
    const came = found === 'error' ? 'could not be computed, and so denies' : `is ${found}`
    const says = (): string => `guard ${name}: ${cel} ${came}`
    return [{ ...verdict('guards', code, says), ask: code === null ? [] : ask, guard: i }]
  })
}

/** What guards may ask about, of one act. */
export function guardInputs(act: Act, expires: number): GuardInputs {
  const { self, study: state, action, round, rows, nowMs } = act
  const { study, id, bound } = state
  const band = rows - (rows % study.minimumCohort)
  return {
    ...{ action, hospital: self, study: id, mergeRule: study.merge.rule, isPrivate: study.privacy !== null },
    ...{ round: BigInt(round), rounds: BigInt(study.rounds.count), rowsBand: BigInt(band) },
    members: [...bound].sort(),
    purposes: study.consent?.purposes ?? [],
    epsilonSpentMilli: BigInt(Math.ceil(epsilonSpent(act) * 1_000)),
    epsilonMaxMilli: BigInt(Math.ceil((study.privacy?.epsilonMax ?? 0) * 1_000)),
    minimumCohort: BigInt(study.minimumCohort),
    daysToExpiry: BigInt(Math.floor((expires - nowMs) / DAY_MS)),
  }
}

/** Where the log says that something was spent, and not what it comes to, all that the study allows: no more was ever trained. */
function epsilonSpent({ self, study: { study, spent }, epsilon }: Act): number {
  const isTold = epsilon > 0 || study.privacy === null || (spent.get(self)?.steps.length ?? 0) === 0
  return isTold ? epsilon : (study.privacy?.epsilonMax ?? 0)
}
