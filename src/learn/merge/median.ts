/** The coordinate median of models. */
import type { RuleInput, RuleOutcome } from './ruleInput.ts'
import { sharesKept } from './trimmedMean.ts'

/**
 * At each coordinate the middle value, or the mean of the two middle ones: the trimmed mean with the largest f that leaves anything.
 * Yin, Chen, Kannan and Bartlett 2018, Def. 1. Attackers tolerated: f = ⌊(n − 1)/2⌋ whatever the study says; breakdown point 1/2. Where honest
 * models differ its error stays, however few attackers there are: NNM before it mends that. One voice each, as for the trimmed mean.
 * Cost: that of the trimmed mean.
 */
export function coordinateMedian(input: RuleInput): RuleOutcome {
  const { models, mixing, arithmetic } = input
  const trimmed = Math.floor((models.length - 1) / 2)
  return { shares: sharesKept(input, trimmed), weights: arithmetic.trimmedMean(models, mixing, trimmed) }
}
