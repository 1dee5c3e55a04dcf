/**
 * Merges of models some of which are here in part: each stretch of weights is merged by the study's rule from the models that have it, as if it
 * were a model of its own (Hegedűs et al. 2021, partitioned models). A robust rule is no weaker so: what bounds its error by the spread of the
 * honest models (Allouah et al. 2023, Def. 2) adds up over stretches, and in each of them every author has one voice. Distances are those
 * within a stretch, for rules that go by distances; where all of an update is here there is one stretch, and the bytes are those of `mergeUpdates`.
 */
import { invariant } from '../../core/errors.ts'
import { compareIds, type MemberId } from '../../core/ids.ts'
import type { Range } from '../../core/ranges.ts'
import type { MergeArithmetic } from './arithmetic.ts'
import { mergeArithmetic } from './kernelArithmetic.ts'
import { type AppliedRule, apply, type Merged, type MergeInput, type MergeRule, mergeUpdates, resolve } from './rule.ts'
import { coefficients } from './weighting.ts'

/** An update of which some weights are here: in `ranges`, ascending and apart. There it stands in for an older one of its author. */
export interface PartialInput extends MergeInput {
  readonly ranges: readonly Range[]
}

/** What so many inputs were merged by, of so many weights of the model. */
export interface RuleInParts extends Omit<AppliedRule, 'radius'> {
  readonly inputs: number
  readonly weights: number
}

/**
 * As `Merged`. Coefficients are means over all weights of the model, and who is outlying is so at more than half of its weights. `applied` is
 * the rule for the whole inputs alone; its radius bounds over all stretches together what an input can draw.
 */
export interface PartlyMerged extends Merged {
  /** Of the partial inputs, ascending by author. */
  readonly partial: readonly { readonly author: MemberId; readonly coefficient: number }[]
  /** By number of inputs, ascending; none where nothing is partial. */
  readonly rules: readonly RuleInParts[]
}

/** As `mergeUpdates`, with at most one partial update per author, none of `own`. Cost: one merge, and n² more for each stretch. */
export function mergeInParts(
  rule: MergeRule,
  inputs: readonly MergeInput[],
  partial: readonly PartialInput[],
  own: MemberId,
  arithmetic: MergeArithmetic = mergeArithmetic(),
): PartlyMerged {
  if (partial.length === 0) return { ...mergeUpdates(rule, inputs, own, arithmetic), partial: [], rules: [] }
  const [whole, parts] = [sorted(inputs), sorted(partial)]
  invariant(whole.some(({ author }) => author === own) && parts.every(({ author }) => author !== own), 'own is whole')
  const weights = new Float32Array((whole[0] as MergeInput).weights.length)
  const tally = new Tally(rule)
  for (const { from, to, inputs: here } of stretchesOf(whole, parts, weights.length)) {
    const models = here.map((input) => input.weights.subarray(from, to))
    const at = here.findIndex(({ author }) => author === own)
    const outcome = apply(ruleOf(rule, (to - from) / weights.length), models, coefficients(here, rule), at, arithmetic)
    weights.set(outcome.weights, from)
    tally.add(here, outcome, to - from)
  }
  const share = (input: MergeInput): number => tally.shareOf(input) / weights.length
  return {
    applied: { ...resolve(rule, whole.length), radius: tally.radius },
    coefficients: whole.map(share),
    authors: whole.map(({ author }) => author),
    weights,
    outlying: tally.outlying,
    partial: parts.map((input) => ({ author: input.author, coefficient: share(input) })),
    rules: tally.rules,
  }
}

/** For so large a share of the model: a radius that the study sets is for all stretches together, by the root of the sum of squares. */
function ruleOf(rule: MergeRule, share: number): MergeRule {
  return rule.clipRadius === null ? rule : { ...rule, clipRadius: rule.clipRadius * Math.sqrt(share) }
}

/** Weights that the same inputs have, sorted by author. */
interface Stretch {
  readonly from: number
  to: number
  readonly inputs: readonly MergeInput[]
}

/** All of the model, ascending; neighbours differ in who has them. */
function* stretchesOf(
  whole: readonly MergeInput[],
  parts: readonly PartialInput[],
  parameters: number,
): Generator<Stretch> {
  const edges = new Set([0, parameters, ...parts.flatMap(({ ranges }) => ranges.flat())])
  const ends = [...edges].sort((a, b) => a - b)
  const cursors = parts.map(() => 0)
  let [open, has] = [null as Stretch | null, '']
  for (const [i, from] of ends.slice(0, -1).entries()) {
    const here = parts.filter(({ ranges }, p) => {
      while ((ranges[cursors[p] as number]?.[1] ?? Number.POSITIVE_INFINITY) <= from)
        cursors[p] = (cursors[p] as number) + 1
      return (ranges[cursors[p] as number]?.[0] ?? Number.POSITIVE_INFINITY) <= from
    })
    const to = ends[i + 1] as number
    const who = here.map(({ author }) => author).join()
    if (open !== null && who === has) open.to = to
    else {
      if (open !== null) yield open
      const newer = new Set(here.map(({ author }) => author))
      open = { from, to, inputs: sorted([...whole.filter(({ author }) => !newer.has(author)), ...here]) }
      has = who
    }
  }
  if (open !== null) yield open
}

/** What comes together from the stretches, weighed by how many weights each has. */
class Tally {
  readonly #rule: MergeRule
  readonly #shares = new Map<MergeInput, number>()
  readonly #inputs = new Map<number, number>()
  /** Of each author: weights at which it is outlying, less those at which it is not. */
  readonly #outlying = new Map<MemberId, number>()
  #squares: number | null = null

  constructor(rule: MergeRule) {
    this.#rule = rule
  }

  add(inputs: readonly MergeInput[], outcome: ReturnType<typeof apply>, length: number): void {
    const { coefficients, outlying, applied } = outcome
    for (const [i, input] of inputs.entries()) {
      this.#shares.set(input, (this.#shares.get(input) ?? 0) + (coefficients[i] as number) * length)
      const sign = outlying.includes(i) ? 1 : -1
      this.#outlying.set(input.author, (this.#outlying.get(input.author) ?? 0) + sign * length)
    }
    this.#inputs.set(inputs.length, (this.#inputs.get(inputs.length) ?? 0) + length)
    if (applied.radius !== null) this.#squares = (this.#squares ?? 0) + applied.radius * applied.radius
  }

  /** Its coefficients, each times the weights that it is for. */
  shareOf(input: MergeInput): number {
    return this.#shares.get(input) ?? 0
  }

  get outlying(): MemberId[] {
    return [...this.#outlying].flatMap(([author, more]) => (more > 0 ? [author] : [])).sort(compareIds)
  }

  get radius(): number | null {
    return this.#squares === null ? null : Math.sqrt(this.#squares)
  }

  get rules(): RuleInParts[] {
    const counts = [...this.#inputs].sort(([a], [b]) => a - b)
    return counts.map(([inputs, weights]) => ({ inputs, weights, ...resolve(this.#rule, inputs) }))
  }
}

function sorted<Input extends MergeInput>(inputs: readonly Input[]): Input[] {
  return [...inputs].sort((a, b) => compareIds(a.author, b.author))
}
