/**
 * What attackers publish in place of an honest update: pure functions on flat parameters, in the order of the published weights.
 * The papers attack gradients; here weights are published, and the step from a common base stands for the gradient: a base of zeros
 * gives the papers' formulas to the letter.
 */
import { invariant } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import { normal } from '../world/draws.ts'
import { normalQuantile } from '../world/elementary.ts'

/** How strong each attack is where a scenario does not say. */
export const ATTACK_STRENGTHS = {
  signFlip: 1, // −g in place of g: Karimireddy et al. 2022
  gaussianDeviation: 10, // Blanchard et al. 2017 have 200, which every node refuses by its norm (LIMITS.updateNormMax, 100); 10 passes
  ipm: 0.1, // Xie et al. 2020's small ε: it hides within the spread of honest updates, where large ones are filtered
  freeRiderDeviation: 0.01, // as far as a step of Adam at the default learning rate moves a weight, so that nothing stands out
} as const

/** Publishes base − strength × (update − base): what was learned, the other way (Karimireddy et al. 2022, "bit flipping"). */
export function signFlip(
  base: Float32Array,
  update: Float32Array,
  strength: number = ATTACK_STRENGTHS.signFlip,
): Float32Array {
  sameLength(base, update)
  return base.map((from, i) => from - strength * ((update[i] as number) - from))
}

/** Publishes noise: independent normal draws with mean 0 and this deviation (Blanchard et al. 2017). */
export function gaussianNoise(
  parameters: number,
  rng: Rng,
  deviation: number = ATTACK_STRENGTHS.gaussianDeviation,
): Float32Array {
  return Float32Array.from({ length: parameters }, () => deviation * normal(rng))
}

/** Mean and population deviation of each parameter over updates that an attacker sees, in the order given. */
export interface Moments {
  readonly mean: Float32Array
  readonly deviation: Float32Array
}

/** Moments of one update or more; sums in double precision. */
export function momentsOf(updates: readonly Float32Array[]): Moments {
  const parameters = updates[0]?.length ?? -1
  invariant(parameters >= 0, 'moments are of one update or more')
  const mean = new Float32Array(parameters)
  const deviation = new Float32Array(parameters)
  for (const update of updates) invariant(update.length === parameters, 'updates of one study have one length')
  for (let i = 0; i < parameters; i++) {
    let sum = 0
    for (const update of updates) sum += update[i] as number
    const average = sum / updates.length
    let squares = 0
    for (const update of updates) squares += ((update[i] as number) - average) * ((update[i] as number) - average)
    mean[i] = average
    deviation[i] = Math.sqrt(squares / updates.length)
  }
  return { mean, deviation }
}

/**
 * The z of "A Little Is Enough" (Baruch et al. 2019, Alg. 3) for `attackers` of `members`: s = ⌊members ÷ 2 + 1⌋ − attackers honest ones
 * must lie farther out than the attackers for these to be the majority, so z is the normal's quantile of (honest − s) ÷ honest. 0 where
 * the attackers are too few to hide; attackers that are the majority by themselves count as if one honest member were missing.
 */
export function alieZ(members: number, attackers: number): number {
  const honest = members - attackers
  invariant(attackers >= 1 && honest >= 1, 'there are attackers and honest members')
  const supporters = Math.max(Math.floor(members / 2 + 1) - attackers, 1)
  const share = (honest - supporters) / honest
  return share <= 0.5 ? 0 : normalQuantile(share)
}

/** Publishes mean − z × deviation of the honest updates: within their spread, so that no filter sees it (Baruch et al. 2019). */
export function littleIsEnough({ mean, deviation }: Moments, z: number): Float32Array {
  return mean.map((average, i) => average - z * (deviation[i] as number))
}

/**
 * Inner product manipulation (Xie et al. 2020): publishes base − ε × (mean − base), so that the merged step points away from the honest
 * one. `mean` is of the honest updates.
 */
export function innerProduct(
  base: Float32Array,
  mean: Float32Array,
  epsilon: number = ATTACK_STRENGTHS.ipm,
): Float32Array {
  return signFlip(base, mean, epsilon)
}

/**
 * A disguised free rider (Fraboni et al. 2021): publishes its base, which others trained, with a little noise in place of work of its own.
 */
export function freeRider(
  base: Float32Array,
  rng: Rng,
  deviation: number = ATTACK_STRENGTHS.freeRiderDeviation,
): Float32Array {
  return base.map((weight) => weight + deviation * normal(rng))
}

/** Publishes its first update again and again, each time as if it were new: `first` is null before there is one. A copy. */
export function staleReplay(first: Float32Array | null, update: Float32Array): Float32Array {
  return (first ?? update).slice()
}

/**
 * Model replacement (Bagdasaryan et al. 2020): publishes base + boost × (update − base). With a boost of the number of inputs that a merge
 * has (their n ÷ η), a mean of it and of others that hardly move is the attacker's own model.
 */
export function modelReplacement(base: Float32Array, update: Float32Array, boost: number): Float32Array {
  return signFlip(base, update, -boost)
}

function sameLength(a: Float32Array, b: Float32Array): void {
  invariant(a.length === b.length, 'base and update are of one study')
}
