/** What config.yaml says of access to the hospital's datasets, and of the counts that its node answers by itself. */
import * as v from 'valibot'
import { MICRO_EPSILON, MILLION } from '../core/geometric.ts'
import { type Complaint, choice, number, section, whole } from './yaml.ts'

/** Whether tables are used in studies of other members without a grant. */
export interface AccessRules {
  readonly studies: 'free' | 'granted'
}

/** Who is answered, and how much is told: ε by question, by asker and in all, of each dataset and for good. */
export interface CountRules {
  readonly answer: 'granted' | 'any-member' | 'never'
  readonly epsilonPerQuery: number
  readonly epsilonPerAsker: number
  readonly epsilonInAll: number
  /** No noised count is told that is below it, before or after rounding. */
  readonly minimumCohort: number
  /** What is told is a multiple of it; at most the minimum cohort. */
  readonly step: number
  /** Whose word is asked for: nobody's; opt-in: no word means no; opt-out: no word means yes. */
  readonly consent: 'none' | 'opt-in' | 'opt-out'
}

export const ACCESS_DEFAULTS: AccessRules = { studies: 'free' }
export const COUNT_DEFAULTS: CountRules = {
  answer: 'granted',
  epsilonPerQuery: 0.2, // 95 % of answers within 15 of what is there, before rounding
  epsilonPerAsker: 2, // ten different questions
  epsilonInAll: 6, // all members read every answer: this is what bounds what is told of one patient
  minimumCohort: 10, // the usual floor of health statistics
  step: 5,
  consent: 'none',
}

const EPSILON_MIN = MICRO_EPSILON.min / MILLION
const EPSILON_MAX = MICRO_EPSILON.max / MILLION
const BUDGET_MAX = 1_000 // beyond it nothing is private
const COHORT = { min: 5, max: 100_000 } as const
const epsilon = (max: number, fallback: number) => v.optional(number(EPSILON_MIN, max), fallback)

/** The sections' schemas; strict, every key optional. */
export const accessSchema = section({ studies: v.optional(choice(['free', 'granted']), ACCESS_DEFAULTS.studies) })
export const countsSchema = section({
  answer: v.optional(choice(['granted', 'any-member', 'never']), COUNT_DEFAULTS.answer),
  epsilonPerQuery: epsilon(EPSILON_MAX, COUNT_DEFAULTS.epsilonPerQuery),
  epsilonPerAsker: epsilon(BUDGET_MAX, COUNT_DEFAULTS.epsilonPerAsker),
  epsilonInAll: epsilon(BUDGET_MAX, COUNT_DEFAULTS.epsilonInAll),
  minimumCohort: v.optional(whole(COHORT.min, COHORT.max), COUNT_DEFAULTS.minimumCohort),
  step: v.optional(whole(1, COHORT.max), COUNT_DEFAULTS.step),
  consent: v.optional(choice(['none', 'opt-in', 'opt-out']), COUNT_DEFAULTS.consent),
})

/** A budget below what one question costs answers nothing; a step above the cohort would tell of as few as half a step as of a whole one. */
export function countsComplaint(rules: CountRules): Complaint | null {
  const { epsilonPerQuery, epsilonPerAsker, epsilonInAll, minimumCohort, step } = rules
  if (step > minimumCohort) {
    const message = `${step} was given, at most minimumCohort, ${minimumCohort}, is allowed`
    return { path: ['counts', 'step'], message }
  }
  const below = (key: string, given: number, than: string, least: number): Complaint => {
    return { path: ['counts', key], message: `${given} was given, at least ${than}, ${least}, is allowed` }
  }
  if (epsilonPerAsker < epsilonPerQuery)
    return below('epsilonPerAsker', epsilonPerAsker, 'epsilonPerQuery', epsilonPerQuery)
  return epsilonInAll < epsilonPerAsker ? below('epsilonInAll', epsilonInAll, 'epsilonPerAsker', epsilonPerAsker) : null
}

/** The sections as `init` writes them, with their reasons. */
export function accessText(access: AccessRules, counts: CountRules): string {
  return `
access:
  # granted: a table is used in a study that another member proposed only while a grant for that holds ("consilium access"), asked anew before
  # each round; the table must be of an announced dataset then. free: binding it is enough.
  studies: ${access.studies}

counts:
  # Whose questions "how many match?" this node answers by itself about announced datasets: of members to whom access was granted, of
  # any-member, or never.
  answer: ${counts.answer}
  # Each answer is noised so that one patient more or less changes its chances by a factor of at most e^epsilonPerQuery. So much is spent by
  # one question, by all questions of one member, and by those of all, on each dataset and for good. All members can read every answer, so
  # epsilonInAll is what bounds what is told of one patient.
  epsilonPerQuery: ${counts.epsilonPerQuery}
  epsilonPerAsker: ${counts.epsilonPerAsker}
  epsilonInAll: ${counts.epsilonInAll}
  # What is told is rounded to a multiple of step, which is at most minimumCohort. No count is told that is, with its noise, below
  # minimumCohort, before or after rounding. Announced and registered numbers are rounded down to a multiple of minimumCohort.
  minimumCohort: ${counts.minimumCohort}
  step: ${counts.step}
  # opt-in: only patients are counted who agreed to the purposes of the question; opt-out: all but those who refused; none: all are. The
  # dataset must be registered with its column of record numbers (--key-column) then.
  consent: ${counts.consent}
`
}
