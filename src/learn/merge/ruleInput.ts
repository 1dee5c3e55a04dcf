/** What a robust rule is given, and what it gives: one function per rule, each in its file. */
import type { MergeArithmetic } from './arithmetic.ts'
import { type Mixing, mixed, type Vectors } from './nearest.ts'

/** All of one merge, sorted by author. */
export interface RuleInput {
  readonly models: Vectors
  /** Which of them is the merging node's. */
  readonly own: number
  /** Weights of the updates by examples and staleness, which sum to 1. */
  readonly shares: readonly number[]
  /** How many of the models may be anything. */
  readonly faulty: number
  /** How far a model may draw, l2; null: the median of the distances to the own model. */
  readonly clipRadius: number | null
  /** Nearest neighbours, where the rule works on mixed models; they are not mixed yet. */
  readonly mixing: Mixing | null
  readonly arithmetic: MergeArithmetic
}

/** `shares`: the part of each model (mixed, where there was mixing) in the result. They sum to 1 but for rounding. */
export interface RuleOutcome {
  readonly shares: readonly number[]
  readonly weights: Float32Array
  /** The radius that was clipped to. */
  readonly radius?: number
  /** Models that the rule leaves out although others with the same share are not outlying. */
  readonly outlying?: readonly number[]
}

/** What the rule works on. */
export function vectorsOf({ models, mixing }: RuleInput): Vectors {
  return mixing === null ? models : mixed(models, mixing)
}
