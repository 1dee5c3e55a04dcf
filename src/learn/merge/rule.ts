/** Merge rules: how the updates that a node holds become one model. Whoever holds the inputs recomputes the output to the byte. */
import { invariant } from '../../core/errors.ts'
import { compareIds, type MemberId } from '../../core/ids.ts'
import type { MergeArithmetic } from './arithmetic.ts'
import { centredClipping } from './centredClipping.ts'
import { clippedMean } from './clippedMean.ts'
import { geometricMedian } from './geometricMedian.ts'
import { mergeArithmetic } from './kernelArithmetic.ts'
import { krum, multiKrum } from './krum.ts'
import { coordinateMedian } from './median.ts'
import { leaveUnmixed, type Mixing, nearestMixing, unmixed } from './nearest.ts'
import { type RuleInput, type RuleOutcome, vectorsOf } from './ruleInput.ts'
import { trimmedMean } from './trimmedMean.ts'
import { type Counting, coefficients, type MergeFacts } from './weighting.ts'

/** A rule by its name; each has its paper, what it tolerates and what it costs at its function. */
export type RuleName = keyof typeof RULES

/** What a study agrees on. */
export interface MergeRule extends Counting {
  /** `auto`: nearest-neighbour mixing and the trimmed mean from six inputs up, the clipped mean below. */
  readonly rule: RuleName | 'auto'
  /** Nearest-neighbour mixing before the rule. `auto` decides that by itself. */
  readonly nearest: boolean
  /** How many of a merge's inputs may be anything: a share of them below 0.5, rounded down, or a whole number. */
  readonly faulty: number
  /** Of rules that clip, l2; null: the median of the distances to the own update. */
  readonly clipRadius: number | null
}

export const MEAN: MergeRule = {
  rule: 'mean',
  nearest: false,
  faulty: 0,
  clipRadius: null,
  weighting: 'sqrt',
  examplesCap: 10_000, // beyond it a site's own sampling error no longer limits what it can teach the others
}

/** An update with its decoded shared weights, which are read and not changed. */
export interface MergeInput extends MergeFacts {
  readonly weights: Float32Array
}

/** The rule that a merge went by, with what it was given. */
export interface AppliedRule {
  readonly rule: RuleName
  readonly nearest: boolean
  /** How many of these inputs may be anything: what the study says, or as many as the rule bears with so few inputs. */
  readonly faulty: number
  /** What the differences to the own update were clipped to; null for rules that don't. */
  readonly radius: number | null
}

/** The result of a merge; `weights` is a new array, as long as those of the inputs. */
export interface Merged {
  readonly applied: AppliedRule
  /** The part of each update in the result, in the order of `authors`; they sum to 1 but for rounding. */
  readonly coefficients: readonly number[]
  /** Ascending. */
  readonly authors: readonly MemberId[]
  readonly weights: Float32Array
  /** Whom the rule sets aside: whose part is below half of what it would have in the mean. Ascending. */
  readonly outlying: readonly MemberId[]
}

/**
 * Merges `inputs`, at most one per author, by `rule`, at the member `own`, whose update is one of them. The order of arrival can't matter:
 * they are sorted by author first. The weights must be finite and of one length. Bounds and costs of each rule stand at its function.
 */
export function mergeUpdates(
  rule: MergeRule,
  inputs: readonly MergeInput[],
  own: MemberId,
  arithmetic: MergeArithmetic = mergeArithmetic(),
): Merged {
  invariant(inputs.length > 0, 'a merge needs at least one update')
  const sorted = [...inputs].sort((a, b) => compareIds(a.author, b.author))
  const authors = sorted.map((input) => input.author)
  const models = sorted.map((input) => input.weights)
  const shares = coefficients(sorted, rule)
  const at = authors.indexOf(own)
  invariant(at >= 0, 'the own update is one of the inputs')
  const outcome = apply(rule, models, shares, at, arithmetic)
  return { ...outcome, authors, outlying: outcome.outlying.map((m) => authors[m] as MemberId) }
}

/** The same over models by number, for simulators: sorted, with the weights that `coefficients` gives. */
export function apply(
  rule: MergeRule,
  models: readonly Float32Array[],
  shares: readonly number[],
  own: number,
  arithmetic: MergeArithmetic,
): Omit<Merged, 'authors' | 'outlying'> & { readonly outlying: readonly number[] } {
  const { rule: name, nearest, faulty } = resolve(rule, models.length)
  const mixing: Mixing | null =
    nearest && faulty > 0 ? nearestMixing(arithmetic.squaredDistances(models), models.length, faulty) : null
  const row: RuleRow = RULES[name]
  if (row.centres === true && mixing !== null) leaveUnmixed(mixing, own)
  const { clipRadius } = rule
  const input: RuleInput = { models, own, shares, faulty, clipRadius, mixing, arithmetic }
  const outcome = RULES[name].merge(input)
  const parts = mixing === null ? outcome.shares : unmixed(outcome.shares, mixing)
  const fair = RULES[name].weighs ? shares : shares.map(() => 1 / shares.length)
  const below = parts.flatMap((part, m) => (m !== own && 2 * part < (fair[m] as number) ? [m] : []))
  return {
    applied: { rule: name, nearest, faulty, radius: outcome.radius ?? null },
    coefficients: parts,
    weights: outcome.weights,
    outlying: outcome.outlying?.filter((m) => m !== own).sort((a, b) => a - b) ?? below,
  }
}

const ROBUST_INPUTS_MIN = 6 // five with one attacker: trimming and mixing leave three voices, and clipping keeps all (DECISIONS)

/** The rule for so many inputs, and how many of these may be anything: with too few, as many as the rule bears. */
export function resolve(rule: MergeRule, inputs: number): Omit<AppliedRule, 'radius'> {
  const auto = rule.rule === 'auto'
  const name = rule.rule !== 'auto' ? rule.rule : inputs < ROBUST_INPUTS_MIN ? 'clipped-mean' : 'trimmed-mean'
  const nearest = auto ? name === 'trimmed-mean' : rule.nearest
  const wanted = rule.faulty < 1 ? Math.floor(rule.faulty * inputs) : rule.faulty
  const most = Math.min(RULES[name].faultyMax(inputs), nearest ? minority(inputs) : inputs)
  return { rule: name, nearest, faulty: Math.max(0, Math.min(wanted, most)) }
}

const minority = (inputs: number): number => Math.floor((inputs - 1) / 2)

interface RuleRow {
  readonly merge: (input: RuleInput) => RuleOutcome
  /** Whether claimed examples and staleness count. */
  readonly weighs: boolean
  readonly faultyMax: (inputs: number) => number
  /** Whether the own model is its centre: then it stays itself, so that nobody else has a hand in it. */
  readonly centres?: true
}

const RULES = {
  mean: { merge: mean, weighs: true, faultyMax: minority },
  'clipped-mean': { merge: clippedMean, weighs: true, faultyMax: minority, centres: true },
  'trimmed-mean': { merge: trimmedMean, weighs: false, faultyMax: minority },
  median: { merge: coordinateMedian, weighs: false, faultyMax: minority },
  'geometric-median': { merge: geometricMedian, weighs: false, faultyMax: minority },
  krum: { merge: krum, weighs: false, faultyMax: (inputs) => Math.floor((inputs - 3) / 2) },
  'multi-krum': { merge: multiKrum, weighs: false, faultyMax: (inputs) => Math.floor((inputs - 3) / 2) },
  'centred-clipping': { merge: centredClipping, weighs: false, faultyMax: minority, centres: true },
} as const satisfies Record<string, RuleRow>

/** False for a rule that this version cannot recompute. */
export function isRule(rule: string): rule is RuleName {
  return Object.hasOwn(RULES, rule)
}

/** `mean.ts`; over mixed models too. */
function mean(input: RuleInput): RuleOutcome {
  const { shares, arithmetic } = input
  return { shares, weights: arithmetic.weightedMean(vectorsOf(input), shares) }
}
