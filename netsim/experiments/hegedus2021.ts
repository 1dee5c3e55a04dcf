/**
 * Partitioned token gossip: Hegedűs, Danner and Jelasity 2021, "Decentralized learning works: An empirical comparison of gossip learning and
 * federated learning". A model is cut into S parts (parameter i belongs to part i mod S), each with its own age at every node and its own
 * token account; a message carries one part. On hearing a part, a node takes the mean of it and its own, weighted by age, does one local
 * update of its whole model, and answers with as many messages of that part, to random others, as the account gives.
 * Reproduces: the shape of its figures of error against communication: with token accounts models hop on as soon as they have learned
 * something, so that for the same bytes gossip learns faster than with one message a cycle, and partitioned at least as fast; FedAvg beside.
 * Every model heard counts as useful, and an update adds 1 to the age of all parts, however many rows it has.
 * `npm run netsim -- experiment hegedus2021`.
 */
import type { Weights } from '../../src/learn/learner.ts'
import { type Arm, completed, type ExperimentOptions, type ExperimentResult, resultOf, Trial } from './frame.ts'
import { fedAvg } from './mcmahan2017.ts'
import { Swarm, type SwarmTimes } from './swarm.ts'
import { TokenAccount, type TokenAccountOptions } from './tokenAccount.ts'

/** How parts and messages are managed. */
export interface PartitionedOptions {
  /** S: parts of a model; 1 is the whole of it. */
  readonly parts: number
  /** Null: one message a cycle, whatever comes. */
  readonly tokens: TokenAccountOptions | null
}

const CYCLE_MS = 10_000
const TRANSFER: readonly [number, number] = [100, 100] // a hundredth of a cycle: tokens are worth having where a message is quick
const TOKENS: TokenAccountOptions = { reactivity: 10, capacity: 20 } // A and C
const PARTS = 4 // of some ten parameters

/** Four arms, which send about as many bytes: plain gossip, with token accounts, with a partitioned model too, and FedAvg. */
export async function hegedus2021(given: Partial<ExperimentOptions> = {}): Promise<ExperimentResult> {
  const options = await completed(given, { rounds: 100, nodes: 100, rowsEach: 12, learningRate: 0.02 })
  const arms: Arm[] = []
  for (const [name, partitioned] of [
    ['gossip', { parts: 1, tokens: null }],
    ['token account', { parts: 1, tokens: TOKENS }],
    ['partitioned token account', { parts: PARTS, tokens: TOKENS }],
  ] as const)
    arms.push(await partitionedGossip(new Trial(name, options), partitioned))
  // there and back are two models a client, so that half of the rounds cost as much
  const half = new Trial('FedAvg', { ...options, rounds: Math.ceil(options.rounds / 2) })
  return resultOf('hegedus2021', options, [...arms, fedAvg(half, 1)])
}

/** One part of a model on its way: a slot that holds the whole of it, of which only the part was sent. */
interface PartMessage {
  readonly slot: number
  readonly part: number
  readonly age: number
}

/** Cycles are S times shorter than those of whole models, for messages are S times smaller: the bytes a second are the same. */
export async function partitionedGossip(trial: Trial, { parts, tokens }: PartitionedOptions): Promise<Arm> {
  const { fleet, nodes } = trial
  const state = new PartitionedModels(trial, parts)
  const rng = trial.chance('tokens')
  const accounts = Array.from({ length: tokens === null ? 0 : nodes * parts }, () => {
    return new TokenAccount(tokens as TokenAccountOptions, rng)
  })
  const drawn = trial.chance('parts')
  const times: SwarmTimes = { cycleMs: Math.round(CYCLE_MS / parts), delayMs: TRANSFER }
  const swarm = new Swarm<PartMessage>(trial, times, (own) => {
    const sendPart = (node: number, part: number): void => {
      const to = own.peerOf(node)
      if (to === null) return
      const message = { slot: fleet.retain(state.slots[node] as number), part, age: state.ageOf(node, part) }
      own.send(to, message, partLength(trial.parameters, parts, part))
    }
    return {
      act: (node) => {
        const part = drawn.below(parts)
        if (accounts[node * parts + part]?.onPeriod() ?? true) sendPart(node, part)
      },
      hear: (node, { slot, part, age }) => {
        state.hear(node, part, age, fleet.read(slot))
        fleet.release(slot)
        const answers = accounts[node * parts + part]?.onMessage() ?? 0
        for (let i = 0; i < answers; i++) sendPart(node, part)
      },
      lost: ({ slot }) => fleet.release(slot),
    }
  })
  await swarm.run(parts, () => state.slots)
  return trial.end()
}

/** Each node's model with the ages of its parts. */
export class PartitionedModels {
  /** Never written again once they are here, so that messages may hold them too. */
  readonly slots: number[]
  readonly #trial: Trial
  readonly #parts: number
  readonly #ages: Float64Array
  readonly #updates: Uint32Array

  constructor(trial: Trial, parts: number) {
    this.slots = trial.start()
    this.#trial = trial
    this.#parts = parts
    this.#ages = new Float64Array(trial.nodes * parts)
    this.#updates = new Uint32Array(trial.nodes)
  }

  /** How many updates a part has behind it: of a merge, those of the older one. */
  ageOf(node: number, part: number): number {
    return this.#ages[node * this.#parts + part] as number
  }

  /** Merges one part, weighted by age, and updates the whole model. */
  hear(node: number, part: number, age: number, heard: Weights): void {
    const { fleet, options } = this.#trial
    const own = fleet.read(this.slots[node] as number)
    const ownAge = this.ageOf(node, part)
    const share = age + ownAge === 0 ? 0.5 : age / (age + ownAge)
    mix(own.shared, heard.shared, part, this.#parts, share)
    // a shared head is the parameter after the last one
    if (options.head === 'shared' && own.shared.length % this.#parts === part) mix(own.head, heard.head, 0, 1, share)
    this.#ages[node * this.#parts + part] = Math.max(age, ownAge)
    this.#update(node, own)
  }

  #update(node: number, weights: Weights): void {
    const { fleet } = this.#trial
    const updates = (this.#updates[node] as number) + 1
    this.#updates[node] = updates
    const slot = fleet.take()
    fleet.write(slot, weights)
    this.#trial.train(node, slot, slot, updates)
    fleet.release(this.slots[node] as number)
    this.slots[node] = slot
    for (let part = 0; part < this.#parts; part++) {
      const at = node * this.#parts + part
      this.#ages[at] = (this.#ages[at] as number) + 1
    }
  }
}

function mix(own: Float32Array, heard: Float32Array, part: number, parts: number, share: number): void {
  for (let i = part; i < own.length; i += parts)
    own[i] = (1 - share) * (own[i] as number) + share * (heard[i] as number)
}

/** How many of `parameters` numbers belong to `part`. */
export function partLength(parameters: number, parts: number, part: number): number {
  return Math.ceil((parameters - part) / parts)
}
