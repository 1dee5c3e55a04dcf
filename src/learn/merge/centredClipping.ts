/** Centred clipping: a clipped mean around a centre that follows it. */
import { medianDistance, shortening } from './clippedMean.ts'
import { distance } from './distances.ts'
import { type RuleInput, type RuleOutcome, vectorsOf } from './ruleInput.ts'

const STEPS = 3 // Karimireddy et al. take one to five; from an own model that has not drifted far, three have come to rest

/**
 * v ← v + 1/n Σ (models[m] − v) · min(1, radius ÷ ‖models[m] − v‖), three times, from the own model.
 * Karimireddy, He and Jaggi 2021, "Learning from History for Byzantine Robust Optimization", Eq. 15, self-centred where they begin with the
 * last aggregate. The radius is the median of the distances to the own model unless the study sets it, and stays for all steps. Attackers
 * tolerated: f < n/2, at best about n/10 by their theory; f of them move the result by 3 · f/n · radius at most. Breakdown point as
 * for the clipped mean. One voice each: a radius bounds how far each may draw, and weights would undo that. Cost: O(n · parameters) for each
 * step, and the centre as float64.
 */
export function centredClipping(input: RuleInput): RuleOutcome {
  const { own, clipRadius } = input
  const vectors = vectorsOf(input)
  const n = vectors.length
  let centre: Float32Array = (vectors[own] as Float32Array).slice()
  const distances = vectors.map((vector) => distance(vector, centre))
  const radius = clipRadius ?? medianDistance(distances, own)
  let shares = vectors.map((_, m): number => (m === own ? 1 : 0))
  for (let step = 0; step < STEPS; step++) {
    const drawn = vectors.map((vector) => shortening(distance(vector, centre), radius) / n)
    const rest = 1 - drawn.reduce((sum, one) => sum + one, 0)
    centre = moved(vectors, drawn, centre, rest)
    shares = shares.map((share, m) => share * rest + (drawn[m] as number))
  }
  return { shares, weights: centre, radius }
}

/** Σ drawn[m] · vectors[m] + rest · centre, in this order, in float64. */
function moved(
  vectors: readonly Float32Array[],
  drawn: readonly number[],
  centre: Float32Array,
  rest: number,
): Float32Array {
  const sums = new Float64Array(centre.length)
  const parts = [...vectors.map((vector, m) => [vector, drawn[m] as number] as const), [centre, rest] as const]
  for (const [vector, share] of parts)
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + share * (vector[i] as number)
  return Float32Array.from(sums)
}
