/**
 * Consensus without rounds of exchange: everybody trains alone, and only at the end models or predictions are averaged, each node counting
 * alike. Averaged models: Zinkevich et al. 2010, Alg. 3 (SimuParallelSGD). Averaged predictions: Breiman 1996 (bagging), with sites for
 * bootstrap samples.
 * Reproduces: the shape of Zinkevich et al.'s figures, an average of many above its single members. `npm run netsim -- experiment consensus`.
 */
import { probability } from '../../src/learn/model.ts'
import { type Judged, judgedTogether } from '../sampling.ts'
import { completed, type ExperimentOptions, type ExperimentResult, resultOf, Trial } from './frame.ts'
import { trainAlone } from './localOnly.ts'

/**
 * Three arms: alone, averaged models, averaged predictions. A point at round r says what averaging once after r local rounds gives, so its
 * messages are those of one exchange: each node's model to everybody else. Loss and absence are not modelled: once is often enough to repeat.
 */
export async function consensus(given: Partial<ExperimentOptions> = {}): Promise<ExperimentResult> {
  const options = await completed({ ...given, loss: 0, offlineShare: 0 }, { rounds: 40, nodes: 100, rowsEach: 12 })
  const alone = new Trial('local only', options)
  const seldom = { ...options, measureEvery: 1 } // for they have rounds of their own
  const [models, predictions] = [new Trial('averaged models', seldom), new Trial('averaged predictions', seldom)]
  const { nodes } = alone
  const exchange = nodes * (nodes - 1)
  for (const trial of [models, predictions]) trial.move(exchange, 4 * exchange * trial.parameters)
  trainAlone(alone, (round, slots) => {
    alone.measure(round, slots)
    if (!isMeasured(round, options.rounds)) return
    withMean(alone, slots, (means) => models.measure(round, means, alone.fleet))
    const metrics = judgedTogether(meanPredictions(alone, slots))
    predictions.add(round, metrics, { auc: metrics?.auc ?? null, logLoss: metrics?.logLoss ?? null }) // everybody asks everybody
  })
  return resultOf('consensus', options, [alone.end(), models.end(), predictions.end()])
}

/** Powers of two and the last round: predicting everywhere with everybody's model costs nodes × rows. */
const isMeasured = (round: number, last: number): boolean => round === last || (round & (round - 1)) === 0

/** Calls `use` with the uniform mean of all models, at each node with its own head where heads are private. */
function withMean({ fleet, nodes }: Trial, slots: readonly number[], use: (means: readonly number[]) => void): void {
  const shares = slots.map(() => 1 / nodes)
  const means = slots.map((own) => {
    const into = fleet.take()
    fleet.merge(into, own, slots, shares, nodes)
    return into
  })
  use(means)
  for (const slot of means) fleet.release(slot)
}

const LOGIT_MAX = 40 // beyond it the probability is 1 in float64

/** Of every node's held-out rows the mean probability over all nodes' models, as a logit. */
export function meanPredictions({ fleet, nodes }: Pick<Trial, 'fleet' | 'nodes'>, slots: readonly number[]): Judged[] {
  return Array.from({ length: nodes }, (_, node) => {
    const logits = new Float32Array(fleet.testRows(node))
    const sums = new Float64Array(logits.length)
    for (const slot of slots) {
      fleet.logits(node, slot, logits)
      for (const [row, logit] of logits.entries()) sums[row] = (sums[row] as number) + probability(logit)
    }
    return { logits: sums.map((sum) => logitOf(sum / slots.length)), labels: fleet.testLabels(node) }
  })
}

function logitOf(share: number): number {
  return Math.min(Math.max(Math.log(share / (1 - share)), -LOGIT_MAX), LOGIT_MAX)
}
