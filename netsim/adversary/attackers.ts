/** Who attacks in a scenario, from when, and what comes out instead of an honest update. */
import { Rng } from '../../src/core/rng.ts'
import type { DesignMatrix } from '../../src/data/design.ts'
import { LIES, type Lie } from '../members/liar.ts'
import type { Attack, Scenario } from '../scenario/schema.ts'
import {
  alieZ,
  freeRider,
  gaussianNoise,
  innerProduct,
  littleIsEnough,
  modelReplacement,
  momentsOf,
  signFlip,
  staleReplay,
} from './attacks.ts'
import { withBackdoor, withFlippedLabels } from './poison.ts'

/** What an attacker knows when it publishes; all weights are shared ones, and stay as they are. */
export interface Situation {
  readonly round: number
  /** What its round started from. */
  readonly base: Float32Array
  /** What an honest node would publish. */
  readonly honest: Float32Array
  /** What it holds of others, and its own. */
  readonly seen: () => readonly Float32Array[]
}

/** Weights, a lie that no node may believe, the same round twice with different weights, or nothing. */
export type Published = Float32Array | Lie | { readonly twice: Float32Array } | null

interface Attacker {
  readonly attack: Attack
  readonly fromMs: number
  readonly strength: number | null
  first: Float32Array | null
  lies: number
  readonly rng: Rng
}

const GARBAGE = Object.keys(LIES).filter((lie) => lie !== 'update-author') as Lie[]
const EQUIVOCATION = 0.5 // how far the second update of a round is from the first: any difference contradicts

export class Attackers {
  readonly #attackers = new Map<number, Attacker>()
  readonly #nodes: number

  /** Of several adversaries that are drawn, each draws among those who are still honest. */
  constructor({ adversaries, nodes }: Scenario, seed: number) {
    this.#nodes = nodes.count
    adversaries.forEach(({ attack, share, nodes: named, fromSeconds, strength }, i) => {
      const rng = Rng.from('netsim', String(seed), 'adversary', i)
      const drawn = share === null ? [] : this.#draw(Math.round(share * nodes.count), rng)
      for (const node of [...named, ...drawn]) {
        const own = Rng.from('netsim', String(seed), 'attacker', i, node)
        this.#attackers.set(node, { attack, fromMs: fromSeconds * 1000, strength, first: null, lies: 0, rng: own })
      }
    })
  }

  /** Ascending. */
  get nodes(): number[] {
    return [...this.#attackers.keys()].sort((a, b) => a - b)
  }

  attackOf(node: number): Attack | null {
    return this.#attackers.get(node)?.attack ?? null
  }

  /** Who publishes anything but what it trained. */
  get publishers(): number[] {
    return this.nodes.filter((node) => this.attackOf(node) !== 'label-flip')
  }

  /** When it begins, virtual milliseconds since the start; never for the honest. */
  fromMs(node: number): number {
    return this.#attackers.get(node)?.fromMs ?? Number.POSITIVE_INFINITY
  }

  /** Whether its labels are to be flipped only when virtual time has come to `fromMs`. */
  flipsLater(node: number): boolean {
    return this.attackOf(node) === 'label-flip' && this.fromMs(node) > 0
  }

  /** The rows that it trains on once it attacks, in place of its own. */
  rows(node: number, train: DesignMatrix): DesignMatrix {
    const attacker = this.#attackers.get(node)
    if (attacker?.attack === 'label-flip') return withFlippedLabels(train)
    return attacker?.attack === 'backdoor' ? withBackdoor(train, attacker.rng) : train
  }

  /** What it publishes at `nowMs` since the start; `honest` itself where it does not attack (yet), or poisons rows alone. */
  publish(node: number, nowMs: number, situation: Situation): Published {
    const attacker = this.#attackers.get(node)
    const { honest, base } = situation
    if (attacker === undefined) return honest
    if (attacker.attack === 'stale-replay') attacker.first ??= honest.slice()
    if (nowMs < attacker.fromMs) return honest
    const { strength, rng } = attacker
    switch (attacker.attack) {
      case 'sign-flip':
        return signFlip(base, honest, strength ?? undefined)
      case 'gaussian':
        return gaussianNoise(honest.length, rng, strength ?? undefined)
      case 'alie':
        return littleIsEnough(momentsOf(situation.seen()), strength ?? alieZ(this.#nodes, this.#attackers.size))
      case 'ipm':
        return innerProduct(base, momentsOf(situation.seen()).mean, strength ?? undefined)
      case 'backdoor':
        return modelReplacement(base, honest, strength ?? situation.seen().length)
      case 'free-rider':
        return freeRider(base, rng, strength ?? undefined)
      case 'stale-replay':
        return staleReplay(attacker.first, honest)
      case 'garbage':
        return GARBAGE[attacker.lies++ % GARBAGE.length] as Lie
      case 'sybil':
        return 'update-author'
      case 'equivocate':
        return { twice: honest.map((weight) => weight + EQUIVOCATION) }
      case 'withhold':
        return null
      case 'label-flip':
        return honest
    }
  }

  #draw(count: number, rng: Rng): number[] {
    const honest: number[] = []
    for (let node = 0; node < this.#nodes; node++) if (!this.#attackers.has(node)) honest.push(node)
    const order = rng.shuffle(Uint32Array.from(honest))
    return [...order.subarray(0, count)].sort((a, b) => a - b)
  }
}
