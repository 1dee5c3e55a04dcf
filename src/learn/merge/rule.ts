/** Merge rules: how the updates that a node holds become one model. Whoever holds the inputs recomputes the output to the byte. */
import { invariant } from '../../core/errors.ts'
import { compareIds, type MemberId } from '../../core/ids.ts'
import { weightedMean } from './mean.ts'

/** How much an update's examples count before its staleness does. */
export type Weighting =
  | 'uniform' // where the number of examples is not attested
  | 'sqrt' // √min(examples, cap): large clinics count more, no liar dominates (DECISIONS, "Learning")
  | 'examples' // min(examples, cap): FedAvg's weights (McMahan et al. 2017)

/** The weighted mean: `mean.ts` has its paper, its cost, and why one attacker can bend it. */
export interface MeanRule {
  readonly rule: 'mean'
  readonly weighting: Weighting
  /** Examples claimed above this count no more. A positive integer. */
  readonly examplesCap: number
  /** The age, in rounds of the receiver, at which an update weighs half: discount 1 / (1 + age / ageHalfRounds). 1 where absent. */
  readonly ageHalfRounds?: number
}

/** What a study agrees on. A robust rule is one more member of this union and one more row of `RULES`. */
export type MergeRule = MeanRule

export const DEFAULT_MERGE: MergeRule = {
  rule: 'mean',
  weighting: 'sqrt',
  examplesCap: 10_000, // beyond it a site's own sampling error no longer limits what it can teach the others
}

/** What is known of one update before its weights are looked at. */
export interface MergeFacts<A extends string | number = MemberId> {
  readonly author: A
  /** Rows it was trained on, as claimed; a positive integer. */
  readonly examples: number
  /** Its staleness: how often the receiver has merged since it was heard; 0 for the own one. */
  readonly ageRounds: number
}

/** An update with its decoded shared weights, which are read and not changed. */
export interface MergeInput extends MergeFacts {
  readonly weights: Float32Array
}

/** The result of a merge; `weights` is a new array, as long as those of the inputs. */
export interface Merged {
  /** In the order of `authors`; they sum to 1 but for rounding. */
  readonly coefficients: readonly number[]
  /** Ascending. */
  readonly authors: readonly MemberId[]
  readonly weights: Float32Array
}

/**
 * Merges `inputs`, at most one per author, by `rule`. The order of arrival can't matter: they are sorted by author first.
 * The weights must be of one length. Bounds and costs of each rule stand at its function.
 */
export function mergeUpdates(rule: MergeRule, inputs: readonly MergeInput[]): Merged {
  invariant(inputs.length > 0, 'a merge needs at least one update')
  const sorted = [...inputs].sort((a, b) => compareIds(a.author, b.author))
  return { authors: sorted.map((input) => input.author), ...RULES[rule.rule](sorted, rule) }
}

/**
 * The share of each update: weighting(examples) × 1 / (1 + age / ageHalfRounds), over their sum. `inputs` must be sorted by author,
 * because the sum's rounding depends on the order. Only + − × ÷ √, which IEEE 754 rounds alike everywhere.
 */
export function coefficients<A extends string | number>(inputs: readonly MergeFacts<A>[], rule: MergeRule): number[] {
  const shares = new Array<number>(inputs.length)
  coefficientsInto(shares, inputs, rule)
  return shares
}

/** The same into the beginning of `out`, for who merges a million times a second. */
export function coefficientsInto<A extends string | number>(
  out: { [i: number]: number },
  inputs: readonly MergeFacts<A>[],
  rule: MergeRule,
): void {
  const ageHalfRounds = rule.ageHalfRounds ?? 1
  let sum = 0
  for (let i = 0; i < inputs.length; i++) {
    const { author, examples, ageRounds } = inputs[i] as MergeFacts<A>
    const sorted = i === 0 || compareIds((inputs[i - 1] as MergeFacts<A>).author, author) < 0
    if (!sorted) invariant(false, 'updates are sorted by author, one each')
    if (!(Number.isInteger(examples) && examples > 0)) invariant(false, `${examples} examples`)
    if (!(Number.isInteger(ageRounds) && ageRounds >= 0)) invariant(false, `an age of ${ageRounds} rounds`)
    const weight = weigh(rule, examples) / (1 + ageRounds / ageHalfRounds)
    out[i] = weight
    sum += weight
  }
  for (let i = 0; i < inputs.length; i++) out[i] = (out[i] as number) / sum
}

type RuleFunction<R extends MergeRule> = (sorted: readonly MergeInput[], rule: R) => Omit<Merged, 'authors'>

/** One row per rule; a new member of `MergeRule` does not compile until it has one. */
const RULES: { readonly [K in MergeRule['rule']]: RuleFunction<Extract<MergeRule, { rule: K }>> } = {
  mean: (sorted, rule) => {
    const shares = coefficients(sorted, rule)
    return {
      coefficients: shares,
      weights: weightedMean(
        sorted.map((input) => input.weights),
        shares,
      ),
    }
  },
}

/** False for a rule that this version cannot recompute. */
export function isRule(rule: string): rule is MergeRule['rule'] {
  return Object.hasOwn(RULES, rule)
}

function weigh(rule: MeanRule, examples: number): number {
  const counted = Math.min(examples, rule.examplesCap)
  switch (rule.weighting) {
    case 'uniform':
      return 1
    case 'sqrt':
      return Math.sqrt(counted)
    case 'examples':
      return counted
  }
}
