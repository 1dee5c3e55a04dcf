/** The schema of a data-sharing agreement: its vocabularies, bounds and defaults, each with its because. */
import * as v from 'valibot'
import { DUO_CODES } from '../core/duo.ts'
import { MERGE_RULES, STUDY_BOUNDS } from './studySchema.ts'
import { alternative, choice, flag, given, list, number, section, text, whole } from './yaml.ts'

export const AGREEMENT_BOUNDS = {
  partiesMax: 100, // a document names each by 64 digits, and must fit one entry
  studiesMax: 64, // as many as one member may propose
  guardsMax: 32, // each is evaluated before every round
  guardCharactersMax: 2_000, // 300 nodes of a guard are shorter than that
  dutiesMax: 32, // all of the vocabulary, several times
  dueDaysMax: 3_653, // ten years
  sharesMax: 1_000_000, // parts in a million
  epsilonMax: STUDY_BOUNDS.epsilonMax, // what a study may ask for
  statesMax: 32, // a workflow that fits one page
  transitionsMax: 128, // four ways out of each state
  timeMsMax: 4_102_444_800_000, // the year 2100
  poolMax: 1_000_000_000_000, // ten thousand millions in cents: sums of it stay exact
  periodDaysMax: 3_653, // ten years
  everyRoundsMax: 10_000, // of a study's rounds one at least is measured
} as const

/** What an agreement may forbid or allow one by one. */
export const AGREEMENT_ACTIONS = ['round', 'access', 'export', 'predict'] as const
export type AgreementAction = (typeof AGREEMENT_ACTIONS)[number]

/** What a party promises beside keeping to the clauses; whether it is done is told by an event of that name. */
export const DUTIES = [
  'report-results', // to the parties
  'publish-results', // to everybody
  'inform-patients', // that their records are used, and what came of it
  'notify-breach', // to the parties
  'ethics-renewal', // the committee's vote is renewed
  'privacy-audit', // consilium study audit-privacy
  'delete-models', // after the end
  'return-benefits', // to those whose records were used
  'acknowledge-sources', // in publications
] as const
export type Duty = (typeof DUTIES)[number]

/** By what benefits are shared. What each comes to is computed from the logs; no money moves here. */
export const SETTLEMENT_RULES = [
  ...(['none', 'by-examples', 'by-rounds', 'by-marginal-value'] as const),
  'by-merges', // what the merges of others made of a party's updates
  'by-shares', // as agreed, whatever was done
] as const
/** What a pool is counted in; whole numbers of it are shared out. */
export const POOL_UNITS = ['parts', 'credits', 'hours', 'EUR-cents', 'CHF-rappen', 'GBP-pence', 'USD-cents'] as const

/** By what guards are evaluated: signed with them, so that an audit in ten years reads them by the same rules. */
const GUARD_ENGINE = 'cel@8.0.0 profile 1'

const B = AGREEMENT_BOUNDS
const CODE = /^[a-z][a-z0-9-]{0,39}$/
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z)?$/

/** A word of the agreement's own, as it stands in entries. */
const code = v.custom<string>(
  (value) => typeof value === 'string' && CODE.test(value),
  (issue) => `${given(issue.input)}, a word of small letters, digits and - is allowed, of at most 40 characters`,
)

const digits = v.custom<string>(
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  (issue) => `${given(issue.input)}, a whole digest, 64 small hexadecimal digits, is allowed`,
)

/** A date of YAML text, or milliseconds since 1970 of a document; the same number either way. */
const time = v.pipe(
  v.custom<string | number>(
    (value) => (typeof value === 'number' ? isTime(value) : typeof value === 'string' && isTime(msOf(value))),
    (issue) => `${given(issue.input)}, a date such as 2027-06-30 (its beginning, UTC) or 2027-06-30T12:00Z is allowed`,
  ),
  v.transform((value) => (typeof value === 'number' ? value : msOf(value))),
)

const isTime = (ms: number): boolean => Number.isSafeInteger(ms) && ms >= 0 && ms <= B.timeMsMax

function msOf(given: string): number {
  const ms = TIME.test(given) ? Date.parse(given) : Number.NaN
  // 2027-02-30 would become the second of March
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== given.slice(0, 10) ? Number.NaN : ms
}

const who = v.variant(
  'kind',
  [
    alternative({ kind: v.literal('party'), member: text(80) }),
    alternative({ kind: v.literal('role'), role: code }),
    alternative({ kind: v.literal('any'), of: whole(1, B.partiesMax) }),
  ],
  (issue) => `${given(issue.input)}, {kind: party, member: …}, {kind: role, role: …} or {kind: any, of: 2} is allowed`,
)

const workflow = section({
  start: code,
  states: list(section({ name: code, allows: list(choice(AGREEMENT_ACTIONS), 0, AGREEMENT_ACTIONS.length) }), 1, 32),
  transitions: list(section({ event: code, from: code, to: code, who }), 0, B.transitionsMax),
})

/** Members stand in it by name or key; `agreement.ts` resolves names. */
export const agreementSchema = section({
  name: text(STUDY_BOUNDS.nameCharactersMax),
  parties: list(
    section({
      member: text(80),
      role: v.optional(v.nullable(code), null),
      required: v.optional(flag(), true),
    }),
    1,
    B.partiesMax,
  ),
  purposes: list(choice(DUO_CODES), 1, DUO_CODES.length),
  studies: list(digits, 1, B.studiesMax),
  datasets: v.optional(
    list(
      section({
        party: text(80),
        name: v.optional(v.nullable(text(STUDY_BOUNDS.nameCharactersMax)), null),
        commitment: v.optional(v.nullable(digits), null),
      }),
      0,
      B.partiesMax,
    ),
    [],
  ),
  mergeRules: v.optional(v.nullable(list(choice(MERGE_RULES), 1, MERGE_RULES.length)), null),
  privacy: v.optional(v.nullable(section({ epsilonMax: number(STUDY_BOUNDS.epsilonMin, B.epsilonMax) })), null),
  minimumCohort: v.optional(
    whole(STUDY_BOUNDS.minimumCohortMin, STUDY_BOUNDS.minimumCohortMax),
    STUDY_BOUNDS.minimumCohortMin, // what every study keeps to anyway
  ),
  starts: v.optional(v.nullable(time), null),
  expires: time,
  duties: v.optional(list(section({ duty: choice(DUTIES), withinDays: whole(1, B.dueDaysMax) }), 0, B.dutiesMax), []),
  settlement: v.optional(
    section({
      rule: v.optional(choice(SETTLEMENT_RULES), 'none'),
      shares: v.optional(list(section({ party: text(80), share: whole(0, B.sharesMax) }), 0, B.partiesMax), []),
      // absent ones stay absent: agreements of before these were known keep their digests
      pool: v.optional(section({ amount: whole(1, B.poolMax), unit: choice(POOL_UNITS) })),
      minimum: v.optional(whole(1, B.poolMax)),
      periodDays: v.optional(whole(1, B.periodDaysMax)),
      measurers: v.optional(whole(1, B.partiesMax)),
      everyRounds: v.optional(whole(1, B.everyRoundsMax)),
    }),
    {},
  ),
  guards: v.optional(
    list(
      section({ name: code, on: list(choice(AGREEMENT_ACTIONS), 1, AGREEMENT_ACTIONS.length), cel: guardText() }),
      0,
      B.guardsMax,
    ),
    [],
  ),
  engine: v.optional(choice([GUARD_ENGINE]), GUARD_ENGINE),
  workflow: v.optional(v.nullable(workflow), null),
})

/** One line or several; what it means is checked where guards are compiled. */
function guardText() {
  const allowed = `an expression of 1 to ${B.guardCharactersMax} characters is allowed`
  return v.pipe(
    v.string((issue) => `${given(issue.input)}, ${allowed}`),
    v.transform((value) => value.trim().replaceAll(/\s*\n\s*/g, ' ')),
    v.check(
      (value) => value.length > 0 && value.length <= B.guardCharactersMax && /^[\x20-\x7e]+$/.test(value),
      (issue) => `${given(issue.input)}, ${allowed}, of ASCII`,
    ),
  )
}
