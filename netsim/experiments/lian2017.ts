/**
 * D-PSGD: Lian, Zhang, Zhang, Hsieh, Zhang and Liu 2017, "Can Decentralized Algorithms Outperform Centralized Algorithms? A Case Study for
 * Decentralized Parallel Stochastic Gradient Descent", Algorithm 1. On a fixed graph with a symmetric, doubly stochastic W each node i does
 * x(k+1, i) = Σⱼ W(i, j) · x(k, j) − γ · ∇F(i; x(k, i)): the gradient is that of its model before mixing.
 * Reproduces: the shape of its figures of loss against iterations, D-PSGD on a ring follows C-PSGD (a parameter server), while its busiest
 * node sends two messages a step instead of one to everybody. `npm run netsim -- experiment lian2017`.
 */
import type { TrainingSpec } from '../../src/learn/learner.ts'
import { type Arm, completed, type ExperimentOptions, type ExperimentResult, resultOf, Trial } from './frame.ts'
import { fedAvg } from './mcmahan2017.ts'

/** Whom each node is linked to, mutually, ascending; itself left out. */
export type Neighbours = readonly (readonly number[])[]

/** Two arms: C-PSGD, and D-PSGD on a ring, as in the paper's experiments. */
export async function lian2017(given: Partial<ExperimentOptions> = {}): Promise<ExperimentResult> {
  const options = await completed(given, { rounds: 200, nodes: 20, rowsEach: 40 })
  const server = fedAvg(psgdTrial('C-PSGD', options), 1, () => 1) // the mean of one step of each is a step along the mean gradient
  const ring = dpsgd(psgdTrial('D-PSGD, ring', options), ringOf(options.federation.nodes))
  return resultOf('lian2017', options, [server, ring])
}

/** A trial whose local update is one gradient step. The paper's minibatch is all of a node's rows: ∇F(i) without sampling noise. */
export function psgdTrial(name: string, options: ExperimentOptions): Trial {
  const { training } = options.federation
  const step: TrainingSpec = { ...training, optimiser: 'sgd', localEpochs: 1, batchRows: ALL_ROWS }
  return new Trial(name, options, step)
}

const ALL_ROWS = 2 ** 31 - 1

/**
 * Each step every node that is up sends its model to its neighbours. The weight of a model that did not come, for loss or because its node
 * is off, goes to the own one, so that rows of W still sum to 1; a node that is off stays as it is.
 */
export function dpsgd(trial: Trial, neighbours: Neighbours): Arm {
  const { fleet, nodes, options } = trial
  const weights = metropolis(neighbours)
  const [models, stepped, next] = [trial.start(), trial.start(), trial.start()]
  const presence = trial.presence()
  trial.measure(0, models)
  for (let round = 1; round <= options.rounds; round++) {
    const up = presence.next().value
    const here = new Set(up)
    const arrived = models.map((): number[] => [])
    for (const node of up) {
      for (const to of neighbours[node] as readonly number[])
        if (trial.send(trial.parameters) && here.has(to)) (arrived[to] as number[]).push(node)
    }
    for (const node of up) trial.train(node, models[node] as number, stepped[node] as number, round)
    for (const node of up) {
      const heard = arrived[node] as readonly number[]
      const shares = heard.map((from) => weights[node * nodes + from] as number)
      const own = 1 - shares.reduce((sum, share) => sum + share, 0)
      const [before, after] = [models[node] as number, stepped[node] as number]
      // Σ W·x + (stepped − x): the head of `stepped` is kept where heads are private
      const from = [...heard.map((one) => models[one] as number), before, after]
      fleet.merge(next[node] as number, after, from, [...shares, own - 1, 1], from.length)
    }
    for (const node of up) fleet.copy(next[node] as number, models[node] as number)
    trial.measure(round, models)
  }
  return trial.end()
}

/**
 * W, row-major, by Metropolis and Hastings (Xiao and Boyd 2004): 1 / (1 + the larger degree) for linked nodes, what is left for oneself.
 * Symmetric and doubly stochastic; thirds on a ring.
 */
export function metropolis(neighbours: Neighbours): Float64Array {
  const nodes = neighbours.length
  const weights = new Float64Array(nodes * nodes)
  for (const [i, linked] of neighbours.entries()) {
    let own = 1
    for (const j of linked) {
      const share = 1 / (1 + Math.max(linked.length, neighbours[j]?.length ?? 0))
      weights[i * nodes + j] = share
      own -= share
    }
    weights[i * nodes + i] = own
  }
  return weights
}

/** Each node linked to the one before and the one after it. */
export function ringOf(nodes: number): Neighbours {
  return Array.from({ length: nodes }, (_, i) => {
    return [...new Set([(i + nodes - 1) % nodes, (i + 1) % nodes])].filter((j) => j !== i).sort((a, b) => a - b)
  })
}
