/** Whether a hospital's node answers a count, and at which cost: pure, and the same at every look, so that budgets hold in whatever order questions come. */
import { type Below, geometricNoise } from '../../core/geometric.ts'
import type { CountCode } from '../kinds/access.ts'

/** What a hospital tells by counts; ε in millionths. */
export interface CountPolicy {
  readonly answer: 'granted' | 'any-member' | 'never'
  readonly microPerQuery: number
  readonly microPerAsker: number
  readonly microInAll: number
  /** No noised count is told that is below it, before or after rounding. */
  readonly cohort: number
  /** What is told is a multiple of it. */
  readonly step: number
}

/** What is known of one question for one dataset. */
export interface CountCase {
  readonly isMember: boolean
  /** The hospital asks itself. */
  readonly isOwn: boolean
  readonly isAnnounced: boolean
  readonly leave: 'granted' | 'pending' | 'none'
  readonly fits: boolean
  /** The dataset was announced for what the question is for; and the question says so, where patients are asked. */
  readonly isForPurpose: boolean
  /** What this question was answered before: null where it never was. */
  readonly before: { readonly count: number | null } | null
  readonly spentByAsker: number
  readonly spentInAll: number
}

/** What is to be done: a repeated answer costs nothing and draws no new noise, that somebody could average away. */
export type CountDecision =
  | { readonly do: 'wait' }
  | { readonly do: 'refuse'; readonly code: CountCode }
  | { readonly do: 'repeat'; readonly code: CountCode; readonly count: number | null }
  | { readonly do: 'count'; readonly microEpsilon: number }

/** The first reason against an answer, in the order in which a person would mend them. */
export function decide(policy: CountPolicy, one: CountCase): CountDecision {
  if (!one.isMember) return refuse('not-a-member')
  if (policy.answer === 'never') return refuse('never')
  if (!one.isAnnounced) return refuse('dataset-unknown')
  const needsLeave = policy.answer === 'granted' && !one.isOwn
  if (needsLeave && one.leave === 'pending') return { do: 'wait' } // the grant is there, and counts in a moment
  if (needsLeave && one.leave === 'none') return refuse('not-granted')
  if (!one.fits) return refuse('question')
  if (!one.isForPurpose) return refuse('purpose')
  if (one.before !== null)
    return { do: 'repeat', code: one.before.count === null ? 'cohort' : 'repeated', count: one.before.count }
  const microEpsilon = policy.microPerQuery
  if (one.spentByAsker + microEpsilon > policy.microPerAsker) return refuse('budget-asker')
  if (one.spentInAll + microEpsilon > policy.microInAll) return refuse('budget-all')
  return { do: 'count', microEpsilon }
}

/** What remains for an asker: of its own budget, and of that of all. */
export function left(policy: CountPolicy, spentByAsker: number, spentInAll: number): number {
  return Math.max(0, Math.min(policy.microPerAsker - spentByAsker, policy.microInAll - spentInAll))
}

/**
 * What is told of a count, null where it is too small: noise comes first, and everything after it looks at the noised number alone, so that a
 * refusal tells no more than an answer does (post-processing: Dwork and Roth 2014, Prop. 2.1).
 */
export function told({ cohort, step }: CountPolicy, count: number, microEpsilon: number, below: Below): number | null {
  const noised = count + geometricNoise(microEpsilon, below)
  const rounded = Math.round(noised / step) * step
  return noised < cohort || rounded < cohort ? null : rounded
}

function refuse(code: CountCode): CountDecision {
  return { do: 'refuse', code }
}
