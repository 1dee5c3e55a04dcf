/** The trimmed mean of models, coordinate by coordinate, and the coordinate median, which is the most trimmed of them. */
import { invariant } from '../../core/errors.ts'
import { mix } from './nearest.ts'
import type { RuleInput, RuleOutcome } from './ruleInput.ts'

/**
 * At each coordinate the f lowest and the f highest values are left out, and the mean of the others is taken.
 * Yin, Chen, Kannan and Bartlett 2018, "Byzantine-Robust Distributed Learning", Def. 2, with β = f/n. Attackers tolerated: f < n/2;
 * breakdown point (f + 1)/n. Each update has one voice at each coordinate: claimed examples, and ages below the limit, do not weigh, for
 * a count of heads is what f bounds. Cost: a sorting network, O(n log² n · parameters); one pass over the models.
 */
export function trimmedMean(input: RuleInput): RuleOutcome {
  const { models, mixing, faulty, arithmetic } = input
  invariant(2 * faulty < models.length, `${models.length} models of which ${faulty} may be faulty`)
  return { shares: sharesKept(input, faulty), weights: arithmetic.trimmedMean(models, mixing, faulty) }
}

const SAMPLED = 1_024 // coordinates at which shares are counted: ± 3 % of a share, for a fiftieth of the cost of a large merge

/**
 * The part of each (mixed) model in the result: at how many coordinates its value is within the values kept, both bounds included, over the
 * sum of these counts. Counted at all coordinates up to 1,024, of larger models at as many that are evenly spaced.
 */
export function sharesKept({ models, mixing }: RuleInput, trimmed: number): number[] {
  const n = models.length
  const parameters = models[0]?.length ?? 0
  const step = Math.ceil(parameters / SAMPLED)
  const kept = new Array<number>(n).fill(0)
  const sampled = models.map((model) => {
    const values = new Float32Array(step === 0 ? 0 : Math.ceil(parameters / step))
    for (let i = 0; i < values.length; i++) values[i] = model[i * step] as number
    return values
  })
  const length = sampled[0]?.length ?? 0
  let rows = sampled
  if (mixing !== null) {
    rows = sampled.map(() => new Float32Array(length))
    mix(sampled, mixing, 0, length, rows)
  }
  const column = new Float32Array(n)
  let sum = 0
  for (let i = 0; i < length; i++) {
    for (let m = 0; m < n; m++) column[m] = (rows[m] as Float32Array)[i] as number
    column.sort()
    const [low, high] = [column[trimmed] as number, column[n - 1 - trimmed] as number]
    for (let m = 0; m < n; m++) {
      const value = (rows[m] as Float32Array)[i] as number
      if (value < low || value > high) continue
      kept[m] = (kept[m] as number) + 1
      sum++
    }
  }
  return kept.map((count) => (sum === 0 ? 1 / n : count / sum))
}
