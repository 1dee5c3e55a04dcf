/** A crowd's updates over the model of gossipsub: one topic, or those of its cells, and a link wherever two neighbours are up and can reach each other. */
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Clock } from '../clock.ts'
import { Gossipsub } from '../pubsub/gossipsub.ts'
import type { Scenario } from '../scenario/schema.ts'
import { LOST, type Wires } from '../wires.ts'
import type { CrowdCells } from './cells.ts'
import type { Crowd } from './crowd.ts'
import type { Update } from './update.ts'

const FULL_NODES_MAX = 2_000 // two million links, with what gossipsub keeps of each: about a gigabyte
const ALL = [0] // the topic of all
const LATE_MS = 60_000 // what is still on its way a minute after it left gossipsub's history is heard no more

/** Links follow what is told of nodes and ways. Error: `scenario-gossip`, where everybody is linked to everybody and they are too many. */
export class CrowdMesh {
  readonly #gossipsub: Gossipsub<Update>
  readonly #wires: Wires
  readonly #crowd: () => Crowd
  readonly #keepMs: number
  readonly #cells: CrowdCells | null

  constructor(
    clock: Clock,
    wires: Wires,
    options: Scenario['gossip']['mesh'],
    rng: Rng,
    crowd: () => Crowd,
    cells: CrowdCells | null,
  ) {
    if (wires.topology.full && wires.nodes > FULL_NODES_MAX) {
      throw new ConsiliumError({
        code: 'scenario-gossip',
        message: `gossip.mode: mesh with a full topology of ${wires.nodes} nodes was given, up to ${FULL_NODES_MAX} are allowed: choose a topology with fewer links, such as k-regular, or mode: fanout`,
      })
    }
    this.#wires = wires
    this.#cells = cells
    this.#crowd = crowd
    this.#gossipsub = new Gossipsub(wires.nodes, options, {
      now: () => clock.elapsedMs,
      after: (delayMs, task) => clock.after(delayMs, task),
      send: (from, to, bytes, arrive, kind) => {
        const delayMs = wires.ordered(clock.elapsedMs, from, to, bytes, kind === 'control')
        if (delayMs !== LOST) clock.after(Math.max(1, delayMs), arrive)
      },
      deliver: (node, _from, _author, _topic, update, verdict) => {
        if (!update.kept) return verdict('ignore')
        verdict(crowd().receive(node, update) === null ? 'accept' : 'ignore')
      },
      rng,
    })
    this.#keepMs = LATE_MS + 10 * options.heartbeatMs
    cells?.onPeriod(() => this.#move())
  }

  /** A node came up: it links to all that it reaches. */
  up(node: number): void {
    for (const topic of this.#cells?.topicsOf(node) ?? ALL) this.#gossipsub.join(node, topic)
    for (const other of this.#neighbours(node)) this.#link(node, other)
  }

  /** A node went down without a word. */
  down(node: number): void {
    for (const other of this.#neighbours(node)) this.#gossipsub.linkDown(node, other)
    this.#gossipsub.stop(node)
  }

  /** The ways have changed: a partition began or ended. `before` says which were open. */
  relink(before: (a: number, b: number) => boolean): void {
    for (let node = 0; node < this.#wires.nodes; node++) {
      for (const other of this.#neighbours(node)) {
        if (other < node) continue
        const [was, is] = [before(node, other), this.#wires.open(node, other)]
        if (was && !is) this.#gossipsub.linkDown(node, other)
        else if (!was && is) this.#link(node, other)
      }
    }
  }

  /** Its weights are kept for as long as anybody may ask for them. */
  publish(update: Update): void {
    this.#crowd().flights.keep(update, this.#keepMs)
    this.#gossipsub.publish(update.sender, this.#cells?.topicOf(update.sender) ?? 0, update, update.bytes)
  }

  /** A period has begun: everybody joins its next cell, and leaves its last but one. */
  #move(): void {
    for (let node = 0; node < this.#wires.nodes; node++) {
      if (!this.#crowd().isUp(node)) continue
      const topics = this.#cells?.topicsOf(node) ?? ALL
      for (const topic of topics) this.#gossipsub.join(node, topic)
      const left = this.#cells?.leftBy(node) ?? null
      if (left !== null) this.#gossipsub.leave(node, left)
    }
  }

  #link(a: number, b: number): void {
    if (a !== b && this.#crowd().isUp(a) && this.#crowd().isUp(b) && this.#wires.open(a, b))
      this.#gossipsub.linkUp(a, b)
  }

  #neighbours(node: number): Iterable<number> {
    const { topology, nodes } = this.#wires
    return topology.full ? Array(nodes).keys() : topology.neighbours(node)
  }
}
