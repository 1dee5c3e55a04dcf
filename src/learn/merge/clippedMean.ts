/** The mean around the own model, of which every other model draws it no farther than a radius. */
import { distance } from './distances.ts'
import { type RuleInput, type RuleOutcome, vectorsOf } from './ruleInput.ts'

/**
 * own + Σ shares[m] · (models[m] − own) · min(1, radius ÷ ‖models[m] − own‖): self-centred clipping in one step.
 * He, Karimireddy and Jaggi 2022, "Byzantine-Robust Decentralized Learning via ClippedGossip", Eq. 5. The radius is the median of the
 * distances to the others (the lower one) unless the study sets it, so that it follows how far apart models are while fewer than half of the
 * others are attackers. One attacker moves the result by shares[m] · radius at most, and f of them by f times that: bounded for any f < n/2,
 * though never nothing, which is what few members can have. Breakdown point 1/2 with the median, 1 with a set radius.
 * Weighting and staleness count, for what they could gain is clipped. Cost: O(n · parameters), two passes over the models.
 */
export function clippedMean(input: RuleInput): RuleOutcome {
  const { own, shares, clipRadius, arithmetic } = input
  const vectors = vectorsOf(input)
  const clipped = clip(vectors, own, clipRadius)
  const drawn = shares.map((share, m) => share * (clipped.factors[m] as number))
  let others = 0
  for (const [m, share] of drawn.entries()) if (m !== own) others += share
  drawn[own] = 1 - others
  return { shares: drawn, weights: arithmetic.weightedMean(vectors, drawn), radius: clipped.radius }
}

/** By how much each model's difference to `models[centre]` is to be shortened, 1 where not, and the radius. */
function clip(models: readonly Float32Array[], centre: number, given: number | null) {
  const distances = models.map((model) => distance(model, models[centre] as Float32Array))
  const radius = given ?? medianDistance(distances, centre)
  return { radius, factors: distances.map((d) => shortening(d, radius)) }
}

/** min(1, radius ÷ distance). */
export function shortening(distance: number, radius: number): number {
  return distance <= radius ? 1 : radius / distance
}

/** The lower median of the distances to the others; 0 where there are none. */
export function medianDistance(distances: readonly number[], centre: number): number {
  const others = distances.filter((_, m) => m !== centre).sort((a, b) => a - b)
  return others[Math.floor((others.length - 1) / 2)] ?? 0
}
