/** How gossip spreads among nodes with a ledger, as a scenario says. */

import type { Clock } from '../clock.ts'
import { Gossipsub } from '../pubsub/gossipsub.ts'
import { streamOf, type World } from '../world/make.ts'
import { type Deliver, Flood, type Network, type Port, type Pubsub } from './network.ts'
import { isCell, TOPICS } from './topics.ts'

type Make<P extends Port> = (clock: Clock) => (network: Network<P>) => Pubsub<P>

/** Undefined: to every linked node. In the mode `fanout` heads and cosignatures go to every linked node all the same. */
export function spreadingOf<P extends Port>({ scenario, seed }: World): Make<P> | undefined {
  const { mode, fanout, mesh } = scenario.gossip
  const rng = streamOf(seed, 'receivers')
  switch (mode) {
    case 'flood':
      return undefined
    case 'fanout':
      return () => (network) =>
        new Flood(network, (_, topic, peers) =>
          topic === TOPICS.updates || isCell(topic)
            ? [...rng.shuffle(Uint32Array.from(peers)).subarray(0, fanout)]
            : peers,
        )
    case 'mesh':
      return (clock) => (network) => new Meshed(clock, network, mesh, rng)
  }
}

/** The model of gossipsub over the links of a network. */
class Meshed<P extends Port> implements Pubsub<P> {
  readonly #gossipsub: Gossipsub<Deliver<P>>
  /** The number of each topic that there was. */
  readonly #topics = new Map<string, number>(Object.values(TOPICS).map((topic, i) => [topic, i]))

  constructor(
    clock: Clock,
    network: Network<P>,
    options: World['scenario']['gossip']['mesh'],
    rng: ReturnType<typeof streamOf>,
  ) {
    this.#gossipsub = new Gossipsub(network.wires.nodes, options, {
      now: () => clock.elapsedMs,
      after: (delayMs, task) => clock.after(delayMs, task),
      send: (from, to, bytes, arrive, kind) => network.call(from, to, bytes, kind === 'control', arrive),
      deliver: (node, from, _author, _topic, message, verdict) => {
        const port = network.portOf(node)
        if (port === null) verdict('ignore')
        else message(port, from, verdict)
      },
      rng,
    })
  }

  linkUp(a: number, b: number): void {
    this.#gossipsub.linkUp(a, b)
  }

  linkDown(a: number, b: number): void {
    this.#gossipsub.linkDown(a, b)
  }

  join(node: number, topic: string): void {
    this.#gossipsub.join(node, this.#numberOf(topic))
  }

  leave(node: number, topic: string): void {
    this.#gossipsub.leave(node, this.#numberOf(topic))
  }

  stop(node: number): void {
    this.#gossipsub.stop(node)
  }

  publish(from: number, topic: string, bytes: number, deliver: Deliver<P>): void {
    this.#gossipsub.publish(from, this.#numberOf(topic), deliver, bytes)
  }

  #numberOf(topic: string): number {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    this.#topics.set(topic, this.#topics.size)
    return this.#topics.size - 1
  }
}
