/**
 * Epidemic Learning: De Vos, Farhadkhani, Guerraoui, Kermarrec, Pires and Sharma 2023, "Epidemic Learning: Boosting Decentralized Learning
 * with Randomized Communication", Algorithm 1. Each round a node trains, sends its model to s others drawn anew, and takes the uniform mean
 * of its own and those that came. EL-Oracle draws one s-regular graph for all, EL-Local lets each node draw for itself.
 * Reproduces: the shape of its figures of accuracy against rounds and against bytes, on label skew: EL above a fixed s-regular graph with as
 * many messages. Its s is ⌈log₂ n⌉; a linear model shows the gap better with fewer, so s = 3 runs beside it.
 * `npm run netsim -- experiment deVos2023`.
 */
import { type Arm, completed, type ExperimentOptions, type ExperimentResult, resultOf, Trial } from './frame.ts'
import { toRandom, toRegular, trainAndMix } from './mixing.ts'

const SKEWED = { rowsEach: 12, features: 30, split: { kind: 'dirichlet', alpha: 0.05 } } as const // most nodes have one class only

/** For s = 3 and s = ⌈log₂ n⌉ three arms each, with s messages a node and round: a fixed random s-regular graph, EL-Oracle, EL-Local. */
export async function deVos2023(given: Partial<ExperimentOptions> = {}): Promise<ExperimentResult> {
  const options = await completed(given, { rounds: 40, nodes: 96, ...SKEWED, learningRate: 0.5, localEpochs: 5 })
  const { nodes } = options.federation
  const arms = [3, Math.ceil(Math.log2(nodes))].flatMap((s) => {
    const trialOf = (name: string) => new Trial(`${name}, s ${s}`, options)
    return [onFixedGraph(trialOf('fixed graph'), s), elOracle(trialOf('EL-Oracle'), s), elLocal(trialOf('EL-Local'), s)]
  })
  return resultOf('deVos2023', options, arms)
}

/** The baseline: the same random s-regular graph in every round. */
export function onFixedGraph(trial: Trial, s: number): Arm {
  const graph = toRegular(trial.nodes, s, trial.chance('graph'))
  return trainAndMix(trial, () => graph)
}

/** Every round one random s-regular graph: everybody sends and hears s models. */
export function elOracle(trial: Trial, s: number): Arm {
  const rng = trial.chance('graphs')
  return trainAndMix(trial, () => toRegular(trial.nodes, s, rng))
}

/** Every round each node sends to s others; how many it hears is left to chance. */
export function elLocal(trial: Trial, s: number): Arm {
  const rng = trial.chance('receivers')
  return trainAndMix(trial, () => toRandom(trial.nodes, s, rng))
}
