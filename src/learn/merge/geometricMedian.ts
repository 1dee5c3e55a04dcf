/** The geometric median of models: the point with the least sum of distances to them. */
import { distance } from './distances.ts'
import { type RuleInput, type RuleOutcome, vectorsOf } from './ruleInput.ts'

const STEPS = 8 // Pillutla et al. find three enough; eight bring models that lie 1e20 away out of it
const SMOOTHING = 1e-6 // their ν: a step that lands on a model does not divide by 0

/**
 * The smoothed Weiszfeld iteration z ← Σ βₘ models[m] ÷ Σ βₘ with βₘ = 1 ÷ max(ν, ‖models[m] − z‖), eight steps from the coordinate median.
 * Pillutla, Kakade and Harchaoui 2022, "Robust Aggregation for Federated Learning" (RFA), Alg. 2, which begins with the mean: from the median
 * it is as good after a step as from there after many. Attackers tolerated: f < n/2, whatever the study says; breakdown point 1/2. One
 * voice each: a weighted one tolerates half of the weight, which liars claim. Cost: a sorting network, then two passes for each step.
 */
export function geometricMedian(input: RuleInput): RuleOutcome {
  const { arithmetic } = input
  const vectors = vectorsOf(input)
  let point = arithmetic.trimmedMean(vectors, null, Math.floor((vectors.length - 1) / 2))
  let shares: number[] = []
  for (let step = 0; step < STEPS; step++) {
    const pulls = vectors.map((vector) => 1 / Math.max(SMOOTHING, distance(vector, point)))
    const sum = pulls.reduce((all, pull) => all + pull, 0)
    shares = pulls.map((pull) => pull / sum)
    point = arithmetic.weightedMean(vectors, shares)
  }
  return { shares, weights: point }
}
