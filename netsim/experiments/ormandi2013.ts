/**
 * Gossip learning: Ormándi, Hegedűs and Jelasity 2013, "Gossip learning with linear models on fully distributed data", Algorithms 1 and 2.
 * Once a cycle Δ a node sends its model to a random other; on hearing m1, with m2 the model heard before it, a node's new model is
 * RW: update(m1); MU: update(merge(m1, m2)); UM: merge(update(m1), update(m2)); then m1 takes the place of m2. Merging averages two models.
 * Reproduces: the shape of its figures of error against cycles, without failures and with all of them: models that merge learn much faster
 * than random walks alone, and half of the messages lost, delays of one to ten cycles and a tenth of the nodes off only slow them down.
 * Here a node has a few rows instead of one, and an update is one local update of the federation's SGD instead of a step of Pegasos.
 * `npm run netsim -- experiment ormandi2013`.
 */
import { type Arm, completed, type ExperimentOptions, type ExperimentResult, resultOf, Trial } from './frame.ts'
import { Swarm, type SwarmTimes } from './swarm.ts'

/** How a node makes its model of the one it hears and the one it heard before (Alg. 2). */
export type Variant = 'RW' | 'MU' | 'UM'

const CYCLE_MS = 1_000
const PROMPT: SwarmTimes = { cycleMs: CYCLE_MS, delayMs: [1, 100] } // well within a cycle
const LATE: SwarmTimes = { cycleMs: CYCLE_MS, delayMs: [CYCLE_MS, 10 * CYCLE_MS] } // the paper's
const FAILURES = { loss: 0.5, offlineShare: 0.1 } // the paper's

/** Five arms: the three variants, and RW and MU with all of the paper's failures. */
export async function ormandi2013(given: Partial<ExperimentOptions> = {}): Promise<ExperimentResult> {
  const options = await completed(given, { rounds: 100, nodes: 200, rowsEach: 4, features: 30, learningRate: 0.5 })
  const failing = { ...options, ...FAILURES }
  const arms: Arm[] = []
  for (const variant of ['RW', 'MU', 'UM'] as const)
    arms.push(await gossipLearning(new Trial(variant, options), variant, PROMPT))
  for (const variant of ['RW', 'MU'] as const)
    arms.push(await gossipLearning(new Trial(`${variant}, all failures`, failing), variant, LATE))
  return resultOf('ormandi2013', options, arms)
}

/** Runs one variant; measured is each node's current model. */
export async function gossipLearning(trial: Trial, variant: Variant, times: SwarmTimes): Promise<Arm> {
  const { fleet } = trial
  const walkers = new Walkers(trial, variant)
  const swarm = new Swarm<number>(trial, times, (own) => ({
    act: (node) => {
      const to = own.peerOf(node)
      if (to !== null) own.send(to, fleet.retain(walkers.current[node] as number), trial.parameters)
    },
    hear: (node, model) => walkers.hear(node, model),
    lost: (model) => fleet.release(model),
  }))
  await swarm.run(1, () => walkers.current)
  return trial.end()
}

/** Each node's two models: slots that are never written again, so that messages may hold them too. */
export class Walkers {
  /** What it sends and predicts with. */
  readonly current: number[]
  /** What it heard last; the first weights before that. */
  readonly last: number[]
  readonly #trial: Trial
  readonly #variant: Variant
  readonly #updates: Uint32Array

  constructor(trial: Trial, variant: Variant) {
    this.current = trial.start()
    this.last = trial.start()
    this.#trial = trial
    this.#variant = variant
    this.#updates = new Uint32Array(trial.nodes)
  }

  /** Takes a model in, and over: the slot is the node's to release. */
  hear(node: number, model: number): void {
    const { fleet } = this.#trial
    const made = this.#made(node, model, this.last[node] as number)
    fleet.release(this.current[node] as number)
    fleet.release(this.last[node] as number)
    this.current[node] = made
    this.last[node] = model
  }

  #made(node: number, heard: number, before: number): number {
    const own = this.current[node] as number
    switch (this.#variant) {
      case 'RW':
        return this.#updated(node, this.#mean(own, [heard]))
      case 'MU':
        return this.#updated(node, this.#mean(own, [heard, before]))
      case 'UM': {
        const both = [this.#updated(node, this.#mean(own, [heard])), this.#updated(node, this.#mean(own, [before]))]
        const mean = this.#mean(both[0] as number, both)
        for (const slot of both) this.#trial.fleet.release(slot)
        return mean
      }
    }
  }

  /** In a new slot; a private head is that of `own`. */
  #mean(own: number, slots: readonly number[]): number {
    const { fleet } = this.#trial
    const into = fleet.take()
    const shares = slots.map(() => 1 / slots.length)
    fleet.merge(into, own, slots, shares, slots.length)
    return into
  }

  #updated(node: number, slot: number): number {
    const updates = (this.#updates[node] as number) + 1
    this.#updates[node] = updates
    this.#trial.train(node, slot, slot, updates)
    return slot
  }
}
