/** The frame of all experiments: what they are told, one run of one method, its curve, and what they give. */
import { utf8 } from '../../src/core/bytes.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import { KernelFleet } from '../../src/learn/kernels/kernelFleet.ts'
import type { TrainingSpec } from '../../src/learn/learner.ts'
import { parameterCount } from '../../src/learn/model.ts'
import { type Judged, judgedTogether, sampled } from '../sampling.ts'
import { type MadeUp, madeUp } from './data.ts'
import type { Federation } from './federation.ts'

/** What every experiment is told. Equal options give equal results, to the bit. */
export interface ExperimentOptions {
  readonly federation: Federation
  readonly seed: number
  /** Rounds, or cycles of gossip: each node's local updates where it does one a round. */
  readonly rounds: number
  /** Share of messages that never arrive, 0 to 1. */
  readonly loss: number
  /** Share of nodes that are off at any time, 0 to 1; a node that is off neither trains nor sends nor hears, and keeps its model. */
  readonly offlineShare: number
  /** The output bias: each node's own, or sent and averaged like all other weights. */
  readonly head: 'private' | 'shared'
  /** Rounds from one point of the curve to the next; the last round is measured in any case. Positive. */
  readonly measureEvery: number
}

/** One measurement of a run; messages and bytes since its start, lost ones included. */
export interface CurvePoint {
  readonly round: number
  readonly messages: number
  readonly bytes: number
  /** Each node's own model on its own held-out rows, all rows together; null where a class is absent, or a model has diverged. */
  readonly auc: number | null
  /** Nats; null where a model has diverged. */
  readonly logLoss: number | null
  /** The same of some nodes' models on everybody's held-out rows, the mean over these models: as papers measure that have one test set. */
  readonly aucEverywhere: number | null
  readonly logLossEverywhere: number | null
}

/** One method's run. */
export interface Arm {
  readonly name: string
  readonly curve: readonly CurvePoint[]
  /** At the end of the curve, each node's own model on its own rows; null where a model has diverged. */
  readonly final: Metrics | null
  readonly messages: number
  readonly bytes: number
}

/** The result of an experiment: its methods on the same rows, from the same seed. */
export interface ExperimentResult {
  readonly experiment: string
  readonly seed: number
  readonly nodes: number
  /** Numbers that a message with a whole model has. */
  readonly parameters: number
  readonly arms: readonly Arm[]
}

const SAMPLE_NODES = 12 // models that are tried on everybody's rows: the deviation of their mean is a third of one model's

/** One run of one method: a fleet, chance by purpose, what was sent, and the curve so far. */
export class Trial {
  readonly fleet: Fleet
  readonly nodes: number
  readonly options: ExperimentOptions
  /** What one local update does. */
  readonly training: TrainingSpec
  readonly #name: string
  readonly #losses: Rng
  readonly #curve: CurvePoint[] = []
  /** Nodes whose models are tried everywhere. */
  readonly #sample: readonly number[]
  #final: Metrics | null = null
  #messages = 0
  #bytes = 0

  /** `training` replaces the federation's where the paper asks for another. */
  constructor(name: string, options: ExperimentOptions, training: TrainingSpec = options.federation.training) {
    const { nodes, columns, model, rowsOf } = options.federation
    const privateHeads = options.head === 'private'
    this.fleet = KernelFleet.build({ nodes, columns, model, rowsOf, training, privateHeads })
    this.nodes = nodes
    this.options = options
    this.training = training
    this.#name = name
    this.#losses = this.chance('loss')
    this.#sample = sampled(nodes, SAMPLE_NODES, options.seed)
  }

  /** Numbers that travel with a model: all but a private head. */
  get parameters(): number {
    return this.fleet.parameters + (this.options.head === 'shared' ? 1 : 0)
  }

  /** A stream of chance for one purpose: the same for every method of an experiment, so that they meet the same luck. */
  chance(purpose: string): Rng {
    return Rng.from('netsim', 'experiment', this.options.seed, purpose)
  }

  /** A slot with the weights that all start from, for each node. */
  start(): number[] {
    const seedDigest = taggedDigest('seed', utf8(`netsim experiment ${this.options.seed}`))
    return Array.from({ length: this.nodes }, () => this.fleet.initial(seedDigest))
  }

  /** One local update of `node` from `base` into `into`, which may be the same; `round` makes the order of rows another one. */
  train(node: number, base: number, into: number, round: number): void {
    const { seed } = this.options
    this.fleet.train(node, base, into, (Math.imul(seed, 0x9e3779b1) ^ node) >>> 0, round)
  }

  /** Who is up in each round in turn: every node is off with the chance of `offlineShare`, whatever it was before. */
  *presence(): Generator<readonly number[], never> {
    const rng = this.chance('presence')
    const { offlineShare } = this.options
    for (;;) {
      const up: number[] = []
      for (let node = 0; node < this.nodes; node++) if (offlineShare === 0 || rng.float() >= offlineShare) up.push(node)
      yield up
    }
  }

  /** Sends a message of `numbers` float32, headers not counted: whether it arrives. */
  send(numbers: number): boolean {
    this.#messages++
    this.#bytes += 4 * numbers
    const { loss } = this.options
    return loss === 0 || this.#losses.float() >= loss
  }

  /** Moves `bytes` of something else than models, without loss. */
  move(messages: number, bytes: number): void {
    this.#messages += messages
    this.#bytes += bytes
  }

  /**
   * Adds a point to the curve where one is due: node i with the model in `slots[i]`, which may be another trial's fleet's of the same rows.
   */
  measure(round: number, slots: readonly number[], fleet = this.fleet): void {
    const { measureEvery, rounds } = this.options
    if (round % measureEvery > 0 && round !== rounds) return
    this.add(round, judge(fleet, slots), judgeEverywhere(fleet, slots, this.#sample))
  }

  /** The same, where something else than one model of each node was measured. */
  add(round: number, own: Metrics | null, everywhere: Everywhere): void {
    const { auc = null, logLoss = null } = own ?? {}
    const [aucEverywhere, logLossEverywhere] = [everywhere.auc, everywhere.logLoss]
    const [messages, bytes] = [this.#messages, this.#bytes]
    this.#curve.push({ round, messages, bytes, auc, logLoss, aucEverywhere, logLossEverywhere })
    this.#final = own
  }

  end(): Arm {
    return {
      name: this.#name,
      curve: this.#curve,
      final: this.#final,
      messages: this.#messages,
      bytes: this.#bytes,
    }
  }
}

/** Mean over models; null where one has diverged, or there are no rows of both classes. */
export interface Everywhere {
  readonly auc: number | null
  readonly logLoss: number | null
}

/** Each node's model, in `slots[node]`, on its own held-out rows, all rows together; null without rows, or where a logit is not finite. */
export function judge(fleet: Fleet, slots: readonly number[]): Metrics | null {
  const all: Judged[] = []
  for (let node = 0; node < fleet.nodes; node++) {
    const logits = new Float32Array(fleet.testRows(node))
    fleet.logits(node, slots[node] as number, logits)
    if (!logits.every(Number.isFinite)) return null
    all.push({ logits, labels: fleet.testLabels(node) })
  }
  return judgedTogether(all)
}

/** The models of `sample` on all nodes' held-out rows, each with its own head. */
export function judgeEverywhere(fleet: Fleet, slots: readonly number[], sample: readonly number[]): Everywhere {
  let [auc, logLoss] = [0, 0]
  for (const node of sample) {
    const metrics = judge(
      fleet,
      slots.map(() => slots[node] as number),
    )
    if (metrics === null || metrics.auc === null) return { auc: null, logLoss: null }
    auc += metrics.auc / sample.length
    logLoss += metrics.logLoss / sample.length
  }
  return { auc, logLoss }
}

/** The result of `arms`, which ran with `options`. */
export function resultOf(experiment: string, options: ExperimentOptions, arms: readonly Arm[]): ExperimentResult {
  const { federation, seed, head } = options
  const { shared } = parameterCount(federation.model, federation.columns)
  const parameters = head === 'shared' ? shared + 1 : shared
  return { experiment, seed, nodes: federation.nodes, parameters, arms }
}

/** Options that are not given are the experiment's own; without a federation it has made-up rows. */
export async function completed(given: Partial<ExperimentOptions>, usual: OwnOptions): Promise<ExperimentOptions> {
  const seed = given.seed ?? 1
  const federation = given.federation ?? (await madeUp(seed, usual))
  const { rounds = usual.rounds, loss = 0, offlineShare = 0, head = 'shared', measureEvery = 1 } = given
  return { federation, seed, rounds, loss, offlineShare, head, measureEvery }
}

/** What an experiment does where it is not told otherwise. */
export interface OwnOptions extends MadeUp {
  readonly rounds: number
}
