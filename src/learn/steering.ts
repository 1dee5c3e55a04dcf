/**
 * What a hospital adds to its gradients so that its steps follow the consortium and not its own patients alone: quasi-global momentum and a
 * correction in the manner of gradient tracking. Both are private, come from what a round has anyway, and need nothing new to travel.
 */
import { invariant } from '../core/errors.ts'

/** As a study says; 0 is off. Both need SGD: Adam would rescale, parameter by parameter, what they add. */
export interface SteeringSpec {
  /** β of quasi-global momentum (Lin et al. 2021, Alg. 1, with μ = β). */
  readonly momentum: number
  /** How much of the correction lasts from one round to the next: 1 all of it. */
  readonly tracking: number
  readonly learningRate: number
}

/** One hospital's state in one study, as long as the shared weights; null before the first merge, and where the study wants none. */
export interface Steering {
  readonly momentum: Float32Array | null
  readonly correction: Float32Array | null
}

/** What a round was: it went from `base` by `steps` steps to `update`, which was merged with others' into `merged`. */
export interface RoundMade {
  /** Null where momentum is off. */
  readonly base: Float32Array | null
  readonly update: Float32Array
  readonly merged: Float32Array
  readonly steps: number
}

export const UNSTEERED: Steering = { momentum: null, correction: null }

/** What is added to each gradient of the next round: β·momentum + correction; undefined where there is nothing yet. */
export function driftOf(
  { momentum: beta }: SteeringSpec,
  { momentum, correction }: Steering,
): Float32Array | undefined {
  if (momentum === null) return correction ?? undefined
  return momentum.map((value, i) => beta * value + (correction?.[i] ?? 0))
}

/**
 * The state after a merge. Momentum takes in the step that consortium and hospital made together, (base − merged) ÷ (η · steps), and so
 * keeps out what a hospital's patients alone would add (Lin et al. 2021).
 *
 * The correction grows by (update − merged) ÷ (η · steps), what merging took back of each step: that is Scaffnew's control variate
 * (Mishchenko et al. 2022, Alg. 1, h = −correction), and of K-GT (Liu et al. 2023) the case in which all began from one base. Where merging is
 * doubly stochastic the corrections of all add up to 0, always, and the hospitals meet where the mean of their gradients is 0, whatever their
 * skew. Gossip without a barrier mixes by rows alone (each merges what it holds, weighted as it likes), and the sum drifts: exact asynchronous
 * tracking (R-FAST, Zhu et al. 2023) would send two vectors more with each update and keep one for each neighbour. Instead `tracking` below 1
 * lets old drift fade: what is wrong by e in each round stays below e ÷ (1 − tracking).
 */
export function steered(spec: SteeringSpec, before: Steering, { base, update, merged, steps }: RoundMade): Steering {
  invariant(update.length === merged.length && steps > 0, 'a round that was made, of one model')
  const step = spec.learningRate * steps
  const { momentum, tracking } = spec
  return {
    momentum:
      momentum === 0 || base === null
        ? null
        : merged.map((value, i) => {
            const moved = ((base[i] as number) - value) / step
            return momentum * (before.momentum?.[i] ?? 0) + (1 - momentum) * moved
          }),
    correction:
      tracking === 0
        ? null
        : merged.map((value, i) => {
            const taken = ((update[i] as number) - value) / step
            return tracking * ((before.correction?.[i] ?? 0) + taken)
          }),
  }
}
