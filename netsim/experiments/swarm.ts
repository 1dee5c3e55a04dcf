/** Gossip that keeps no step, in virtual time: every node acts once a cycle, from a phase of its own, and messages take their time. */
import type { Rng } from '../../src/core/rng.ts'
import { Clock } from '../clock.ts'
import { Presence } from '../presence.ts'
import { availabilityOf } from '../world/availability.ts'
import type { Trial } from './frame.ts'

/** Virtual milliseconds. */
export interface SwarmTimes {
  /** Δ: from one act of a node to the next. */
  readonly cycleMs: number
  /** Of each message, uniform between the two, whole milliseconds. */
  readonly delayMs: readonly [min: number, max: number]
}

/** What a method does at a node; messages hold whatever they need of their sender, who may change meanwhile. */
export interface Protocol<M> {
  /** Once a cycle, where the node is up. */
  act(node: number): void
  /** A message has come to a node that is up. */
  hear(node: number, message: M): void
  /** The message will be heard by nobody. */
  lost(message: M): void
}

const TRIES = 16 // draws for one receiver: with half of the nodes off, one in 65,000 finds nobody
const STATE_CYCLES = 20 // how long a node stays up and off, on and on: much longer than a message takes, much shorter than a run

/** The nodes of one trial, their clock and the messages between them. */
export class Swarm<M> {
  readonly #trial: Trial
  readonly #times: SwarmTimes
  readonly #protocol: Protocol<M>
  readonly #clock = new Clock()
  readonly #up: Uint8Array
  readonly #peers: Rng
  readonly #delays: Rng

  constructor(trial: Trial, times: SwarmTimes, protocol: (swarm: Swarm<M>) => Protocol<M>) {
    this.#trial = trial
    this.#times = times
    this.#up = new Uint8Array(trial.nodes)
    this.#peers = trial.chance('peers')
    this.#delays = trial.chance('delays')
    this.#protocol = protocol(this)
  }

  /** A node that is up, drawn uniformly from the others as a peer sampling service would; null where none is found. */
  peerOf(node: number): number | null {
    for (let tries = 0; tries < TRIES; tries++) {
      const drawn = this.#peers.below(this.#trial.nodes - 1)
      const to = drawn < node ? drawn : drawn + 1
      if (this.#up[to] === 1) return to
    }
    return null
  }

  /** Sends `numbers` float32; either `hear` or `lost` follows, once. */
  send(to: number, message: M, numbers: number): void {
    if (!this.#trial.send(numbers)) return this.#protocol.lost(message)
    const [min, max] = this.#times.delayMs
    this.#clock.after(min + this.#delays.below(max - min + 1), () => {
      if (this.#up[to] === 1) this.#protocol.hear(to, message)
      else this.#protocol.lost(message)
    })
  }

  /** Runs for the trial's cycles; `modelsOf` gives what to measure after each, and before the first. */
  async run(cyclesEach: number, modelsOf: () => readonly number[]): Promise<void> {
    const { nodes, options } = this.#trial
    const { cycleMs } = this.#times
    this.#attend()
    const phases = this.#trial.chance('phases')
    const act = this.#clock.handler((node) => {
      if (this.#up[node] === 1) this.#protocol.act(node)
      this.#clock.plan(cycleMs, act, node)
    })
    for (let node = 0; node < nodes; node++) this.#clock.plan(1 + phases.below(cycleMs), act, node)
    for (let round = 0; round <= options.rounds; round++)
      this.#clock.after(round * cyclesEach * cycleMs, () => this.#trial.measure(round, modelsOf()))
    await this.#clock.run(options.rounds * cyclesEach * cycleMs)
  }

  /** Times up and off are exponential, with a share of `offlineShare` off. */
  #attend(): void {
    const { offlineShare } = this.#trial.options
    if (offlineShare === 0) {
      this.#up.fill(1)
      return
    }
    const seconds = (this.#times.cycleMs * STATE_CYCLES) / 1000
    const churn = {
      kind: 'churn',
      meanUpSeconds: seconds * (1 - offlineShare),
      meanDownSeconds: seconds * offlineShare,
    } as const
    const { nodes } = this.#trial
    const noFiles = { folder: '.', readFile: () => new Uint8Array() }
    const availability = availabilityOf(churn, nodes, this.#trial.chance('presence'), noFiles)
    const options = { nodes, availability, crashes: [], lost: false, calmMs: null, firstMs: () => 0 }
    new Presence(this.#clock, options, {
      up: (node) => {
        this.#up[node] = 1
      },
      down: (node) => {
        this.#up[node] = 0
      },
    }).begin()
  }
}
