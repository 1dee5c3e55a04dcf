/** Krum: the model that lies nearest to most others; multi-Krum: the mean of several such. */
import { invariant } from '../../core/errors.ts'
import { type RuleInput, type RuleOutcome, vectorsOf } from './ruleInput.ts'

/**
 * The model with the smallest score: the sum of its squared distances to the n − f − 2 others that are nearest to it; of equal scores the
 * earlier. Blanchard, El Mhamdi, Guerraoui and Stainer 2017, "Machine Learning with Adversaries", §4. Attackers tolerated:
 * 2f + 2 < n; breakdown point (f + 1)/n. One hospital's model is taken as it is, so that where hospitals differ this learns the least of all
 * rules. One voice each. Cost: O(n² · parameters) for the distances.
 */
export function krum(input: RuleInput): RuleOutcome {
  return mostCentral(input, 1)
}

/** The mean of the n − f models with the smallest scores (ibid., §5: m = n − f). Tolerates and costs what Krum does. */
export function multiKrum(input: RuleInput): RuleOutcome {
  return mostCentral(input, input.models.length - input.faulty)
}

function mostCentral(input: RuleInput, taken: number): RuleOutcome {
  const { arithmetic, faulty } = input
  const vectors = vectorsOf(input)
  const n = vectors.length
  invariant(faulty === 0 || n > 2 * faulty + 2, `Krum of ${n} models of which ${faulty} may be faulty`)
  const squared = arithmetic.squaredDistances(vectors)
  const scores = vectors.map((_, m) => scoreOf(squared.subarray(m * n, (m + 1) * n), m, n - faulty - 2))
  const order = scores.map((_, m) => m).sort((a, b) => compare(scores[a] as number, scores[b] as number) || a - b)
  const chosen = new Set(order.slice(0, taken))
  const shares = vectors.map((_, m) => (chosen.has(m) ? 1 / chosen.size : 0))
  return { shares, weights: arithmetic.weightedMean(vectors, shares), outlying: order.slice(n - faulty) }
}

function scoreOf(row: Float64Array, own: number, nearest: number): number {
  const others = row.filter((_, m) => m !== own).sort()
  let score = 0
  for (let k = 0; k < Math.max(1, nearest) && k < others.length; k++) score += others[k] as number
  return score
}

/** Infinities are equal, which a difference would not say. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0)
