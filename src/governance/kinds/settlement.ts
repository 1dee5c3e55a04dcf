/** Kinds about settlement: what updates are worth on a hospital's own patients, and the words by which a period is closed. */
import * as v from 'valibot'
import { AGREEMENT_BOUNDS } from '../../config/agreementSchema.ts'
import { LIMITS } from '../../core/limits.ts'
import { TIME_MS_MAX } from '../../ledger/entry.ts'
import { bytes32, count } from './fields.ts'

/** Of one entry. */
export const SETTLEMENT_BOUNDS = {
  microMax: 1_000_000, // a nat of log-loss: one update that makes more of a difference is a fault
  permutationsMax: 10_000, // beyond a few hundred the truncated estimate moves less than the choice of patients
  periodMax: 100_000, // a period a day for 270 years
  attemptMax: 1_000, // proposals of one period that the parties turned down
} as const

/** By leaving one out, or by truncated Monte-Carlo Shapley values. */
export const MEASURE_METHODS = ['loo', 'tmc'] as const
export type MeasureMethod = (typeof MEASURE_METHODS)[number]
/** On which of its own patients a hospital measured. */
export const MEASURE_PARTS = ['validation', 'test'] as const

/** Why a party does not confirm a close. */
export const OBJECTIONS = [
  'differs', // it computes another statement from the same cut
  'bodies-missing', // entries that count have no body at its node any more
  'chain', // the proposal does not follow on the period that was closed last
  'cut-behind', // the cut leaves out entries of before the time that the proposal names
  'cut-ahead', // the cut takes in entries that were not final at its node a day later
  'early', // the period is not over by then
  'future', // that time has not come
  'unsigned', // not all who must sign had by that cut
  'operator', // its people say no
] as const
export type Objection = (typeof OBJECTIONS)[number]

const within = (min: number, max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max))
const period = within(0, SETTLEMENT_BOUNDS.periodMax)
const attempt = within(0, SETTLEMENT_BOUNDS.attemptMax)
const micro = within(-SETTLEMENT_BOUNDS.microMax, SETTLEMENT_BOUNDS.microMax)
const perParty = <S extends v.GenericSchema>(row: S) =>
  v.pipe(v.array(row), v.minLength(1), v.maxLength(AGREEMENT_BOUNDS.partiesMax))
/** Party, rounds, examples, what merges made of its updates and what they were worth, both in millionths; what it gets. */
const lines = perParty(v.strictTuple([bytes32, count, count, count, count, count]))
/** A vote is about one attempt at closing one period of one agreement. */
const vote = { agreement: bytes32, period, attempt, proposal: bytes32 }

export const SETTLEMENT_KINDS = {
  /**
   * What the updates in its author's merge of `round` are worth to the merged model, in millionths of a nat of log-loss on so many of its own
   * patients, rounded down to the minimum cohort: member and value, in steps of a nat divided by those patients. `seed` orders the permutations
   * and is the digest of the merge's result; `refs` cite the merge.
   */
  'value.measured': v.strictObject({
    round: count,
    method: v.picklist(MEASURE_METHODS),
    permutations: within(0, SETTLEMENT_BOUNDS.permutationsMax),
    seed: bytes32,
    part: v.picklist(MEASURE_PARTS),
    patients: count,
    values: v.pipe(v.array(v.strictTuple([bytes32, micro])), v.minLength(1), v.maxLength(LIMITS.updateParentsMax)),
  }),
  /**
   * Its author, a party, would close a period of an agreement so: what of each party's log counts, sorted by key, of before `until`; what each
   * party did and gets; the digest of it all. `previous` is the entry that closed the period before.
   */
  'settlement.proposed': v.strictObject({
    agreement: bytes32,
    period,
    attempt,
    previous: v.nullable(bytes32),
    until: within(0, TIME_MS_MAX),
    cut: perParty(v.strictTuple([bytes32, count])),
    lines,
    result: bytes32,
  }),
  /** Its author's node computed the same; `proposal` is that entry's hash. Of each attempt a party's first vote counts, and no other. */
  'settlement.confirmed': v.strictObject({ ...vote, result: bytes32 }),
  /** Its author does not confirm, and why; what it computed, where it did. */
  'settlement.refused': v.strictObject({ ...vote, reason: v.picklist(OBJECTIONS), lines: v.nullable(lines) }),
} as const
