/**
 * FedAvg: McMahan, Moore, Ramage, Hampson and Agüera y Arcas 2017, "Communication-Efficient Learning of Deep Networks from Decentralized
 * Data", Algorithm 1. A server sends its model to a share C of the clients; each trains E epochs in batches of B; the server takes the mean
 * of what comes back, weighted by rows.
 * Reproduces: the shape of Table 2, more local work takes fewer rounds to the same quality: E = 5 against FedSGD (E = 1, one batch), and
 * small batches; and of Table 1, what a small C costs. `npm run netsim -- experiment mcmahan2017`.
 */
import type { TrainingSpec } from '../../src/learn/learner.ts'
import { type Arm, completed, type ExperimentOptions, type ExperimentResult, resultOf, Trial } from './frame.ts'

/** The paper's letters. */
export interface FedAvgOptions {
  /** C: share of the clients that the server asks in a round; at least one of them. */
  readonly clientShare: number
  /** E. */
  readonly localEpochs: number
  /** B; null: all rows of a client in one batch. */
  readonly batchRows: number | null
}

const SMALL_BATCH = 10 // B of the paper's tables

/** Four arms: FedSGD, FedAvg with E = 5, the same in batches of 10, and the same with a tenth of the clients. */
export async function mcmahan2017(given: Partial<ExperimentOptions> = {}): Promise<ExperimentResult> {
  const options = await completed(given, { rounds: 40, nodes: 100, rowsEach: 40 })
  const arms: readonly [string, FedAvgOptions][] = [
    ['FedSGD', { clientShare: 1, localEpochs: 1, batchRows: null }],
    ['FedAvg, E 5', { clientShare: 1, localEpochs: 5, batchRows: null }],
    ['FedAvg, E 5, B 10', { clientShare: 1, localEpochs: 5, batchRows: SMALL_BATCH }],
    ['FedAvg, E 5, B 10, C 0.1', { clientShare: 0.1, localEpochs: 5, batchRows: SMALL_BATCH }],
  ]
  return resultOf(
    'mcmahan2017',
    options,
    arms.map(([name, fedAvgOptions]) => fedAvg(fedAvgTrial(name, options, fedAvgOptions), fedAvgOptions.clientShare)),
  )
}

/** The trial of one arm: SGD with the federation's learning rate, and the paper's E and B. */
export function fedAvgTrial(
  name: string,
  options: ExperimentOptions,
  given: Omit<FedAvgOptions, 'clientShare'>,
): Trial {
  const { localEpochs, batchRows } = given
  const { training } = options.federation
  const spec: TrainingSpec = { ...training, optimiser: 'sgd', localEpochs, batchRows: batchRows ?? ALL_ROWS }
  return new Trial(name, options, spec)
}

const ALL_ROWS = 2 ** 31 - 1

/**
 * Runs FedAvg: two messages for each client asked, there and back. Who is off is not asked; whose message is lost, there or back, has no
 * part in the round's mean. A client counts as often as `rowsOf` says. Measured is the server's model, with each client's own head where
 * heads are private.
 */
export function fedAvg(
  trial: Trial,
  clientShare: number,
  rowsOf = (node: number): number => trial.fleet.trainRows(node),
): Arm {
  const { fleet, nodes, options } = trial
  const clients = trial.start() // what each client would use: the server's shared weights, and its own head where that is private
  const trained = trial.start()
  const global = fleet.take()
  fleet.copy(clients[0] as number, global)
  const presence = trial.presence()
  const choice = trial.chance('clients')
  trial.measure(0, clients)
  for (let round = 1; round <= options.rounds; round++) {
    const up = [...presence.next().value]
    const asked = choice.shuffle(up).slice(0, Math.max(Math.round(clientShare * nodes), 1))
    const back: number[] = []
    for (const node of asked.sort((a, b) => a - b)) {
      if (!trial.send(trial.parameters)) continue
      trial.train(node, clients[node] as number, trained[node] as number, round)
      fleet.copy(trained[node] as number, clients[node] as number) // it keeps its head, whether or not the server hears of it
      if (trial.send(trial.parameters)) back.push(node)
    }
    average(trial, back, rowsOf, trained, global)
    for (const own of clients) fleet.merge(own, own, [global], [1], 1)
    trial.measure(round, clients)
  }
  return trial.end()
}

/** w = Σ nₖ/n · wₖ over who answered; without an answer it stays. */
function average(
  { fleet }: Trial,
  back: readonly number[],
  rowsOf: (node: number) => number,
  trained: readonly number[],
  global: number,
): void {
  if (back.length === 0) return
  const rows = back.reduce((sum, node) => sum + rowsOf(node), 0)
  const shares = back.map((node) => rowsOf(node) / rows)
  const slots = back.map((node) => trained[node] as number)
  fleet.merge(global, global, slots, shares, slots.length)
}
