/** How much each update counts before its weights are looked at: by its examples and its staleness. */
import { invariant } from '../../core/errors.ts'
import { compareIds, type MemberId } from '../../core/ids.ts'

/** How much an update's examples count before its staleness does. */
export type Weighting =
  | 'uniform' // where the number of examples is not attested
  | 'sqrt' // √min(examples, cap): large clinics count more, no liar dominates (DECISIONS, "Learning")
  | 'examples' // min(examples, cap): FedAvg's weights (McMahan et al. 2017)

/** What gives updates their weights. */
export interface Counting {
  readonly weighting: Weighting
  /** Examples claimed above this count no more. A positive integer. */
  readonly examplesCap: number
  /** The age, in rounds of the receiver, at which an update weighs half: discount 1 / (1 + age / ageHalfRounds). 1 where absent. */
  readonly ageHalfRounds?: number
}

/** What is known of one update before its weights are looked at. */
export interface MergeFacts<A extends string | number = MemberId> {
  readonly author: A
  /** Rows it was trained on, as claimed; a positive integer. */
  readonly examples: number
  /** Its staleness: how often the receiver has merged since it was heard; of the own one 0, but after an absence. */
  readonly ageRounds: number
}

/**
 * The share of each update: weighting(examples) × 1 / (1 + age / ageHalfRounds), over their sum. `inputs` must be sorted by author,
 * because the sum's rounding depends on the order. Only + − × ÷ √, which IEEE 754 rounds alike everywhere.
 */
export function coefficients<A extends string | number>(
  inputs: readonly MergeFacts<A>[],
  counting: Counting,
): number[] {
  const shares = new Array<number>(inputs.length)
  coefficientsInto(shares, inputs, counting)
  return shares
}

/** The same into the beginning of `out`, for who merges a million times a second. */
export function coefficientsInto<A extends string | number>(
  out: { [i: number]: number },
  inputs: readonly MergeFacts<A>[],
  counting: Counting,
): void {
  const ageHalfRounds = counting.ageHalfRounds ?? 1
  let sum = 0
  for (let i = 0; i < inputs.length; i++) {
    const { author, examples, ageRounds } = inputs[i] as MergeFacts<A>
    const sorted = i === 0 || compareIds((inputs[i - 1] as MergeFacts<A>).author, author) < 0
    if (!sorted) invariant(false, 'updates are sorted by author, one each')
    if (!(Number.isInteger(examples) && examples > 0)) invariant(false, `${examples} examples`)
    if (!(Number.isInteger(ageRounds) && ageRounds >= 0)) invariant(false, `an age of ${ageRounds} rounds`)
    const weight = weigh(counting, examples) / (1 + ageRounds / ageHalfRounds)
    out[i] = weight
    sum += weight
  }
  for (let i = 0; i < inputs.length; i++) out[i] = (out[i] as number) / sum
}

function weigh({ weighting, examplesCap }: Counting, examples: number): number {
  const counted = Math.min(examples, examplesCap)
  switch (weighting) {
    case 'uniform':
      return 1
    case 'sqrt':
      return Math.sqrt(counted)
    case 'examples':
      return counted
  }
}
