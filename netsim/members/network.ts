/** The modelled network of nodes with a ledger: who is linked to whom, gossip, and requests over streams. */
import { invariant } from '../../src/core/errors.ts'
import type { Clock } from '../clock.ts'
import { LOST, ORDINARY_WIRES, type Wires, type WiresOptions } from '../wires.ts'
import type { Topology } from '../world/world.ts'
import { isCell, TOPICS } from './topics.ts'

/** How the modelled network behaves. */
export interface NetworkOptions extends WiresOptions {
  /** How long a dead link goes unnoticed, virtual milliseconds. */
  readonly detectMs: number
  /** Null: everybody is linked to everybody. */
  readonly topology: Topology | null
  /** 1 for each node that can only dial out; null: none. */
  readonly nat: Uint8Array | null
}

export const ORDINARY_NETWORK: NetworkOptions = {
  ...ORDINARY_WIRES,
  detectMs: 400, // a reset arrives in a round trip or two; a pulled cable would take longer
  topology: null,
  nat: null,
}

/** Everybody is linked to everybody, at whatever latency the wires have. */
export function fullTopology(nodes: number): Topology {
  return { nodes, full: true, neighbours: () => new Int32Array(0), latencyMs: () => null, regionOf: () => null }
}

/** What the network tells a node. */
export interface Port {
  connected(peer: number): void
  disconnected(peer: number): void
}

/** What a node says of a gossip message that it was given: only what is accepted goes on to others. */
export type Settle = (verdict: 'accept' | 'ignore' | 'reject') => void
/** Gives a message to a node; `via` relayed it. */
export type Deliver<P> = (port: P, via: number, settle: Settle) => void

/** How gossip spreads over links. */
export interface Pubsub<P> {
  linkUp(a: number, b: number): void
  linkDown(a: number, b: number): void
  join(node: number, topic: string): void
  leave(node: number, topic: string): void
  /** A node is gone, and forgets what it knew. */
  stop(node: number): void
  publish(from: number, topic: string, bytes: number, deliver: Deliver<P>): void
}

/** One pair of nodes. */
interface Link {
  up: boolean
  /** Counts its changes, so that what was sent over an earlier connection does not arrive over a later one. */
  generation: number
}

const GOSSIP_BYTES = 190 // gossipsub's envelope: topic, sequence number, the publisher's key and signature
const REQUEST_BYTES = 120 // a size, a key, and the framing of a stream

export class Network<P extends Port> {
  readonly #clock: Clock
  readonly #wires: Wires
  readonly #detectMs: number
  readonly #ports: (P | null)[]
  readonly #links = new Map<number, Link>()
  #pubsub: Pubsub<P>

  /** `detectMs`: how long a dead link goes unnoticed. */
  constructor(clock: Clock, wires: Wires, detectMs: number) {
    this.#clock = clock
    this.#wires = wires
    this.#detectMs = detectMs
    this.#ports = new Array<P | null>(wires.nodes).fill(null)
    this.#pubsub = new Flood(this)
  }

  get wires(): Wires {
    return this.#wires
  }

  /** Another way to spread gossip than to every linked node. */
  spreadBy(make: (network: Network<P>) => Pubsub<P>): void {
    this.#pubsub = make(this)
  }

  portOf(node: number): P | null {
    return this.#ports[node] ?? null
  }

  /** A node is there: it links to all whom it reaches. */
  attach(node: number, port: P): void {
    this.#ports[node] = port
    this.#relink(node)
  }

  /** A node is gone without a word. */
  detach(node: number): void {
    this.#ports[node] = null
    this.#pubsub.stop(node)
    this.#relink(node)
  }

  /** Splits the network: only nodes with equal sides reach each other. */
  divide(sides: readonly number[]): void {
    this.#wires.divide(sides.every((side) => side === sides[0]) ? null : [...sides])
    for (let node = 0; node < sides.length; node++) this.#relink(node)
  }

  join(node: number, topic: string): void {
    this.#pubsub.join(node, topic)
  }

  leave(node: number, topic: string): void {
    this.#pubsub.leave(node, topic)
  }

  publish(from: number, topic: string, bytes: number, deliver: Deliver<P>): void {
    this.#pubsub.publish(from, topic, bytes, deliver)
  }

  /** Nodes that `node` has a connection to, ascending. */
  peersOf(node: number): number[] {
    return this.#neighbours(node).filter((other) => this.#link(node, other).up)
  }

  /** To every linked node, whatever the way that gossip takes: evidence is passed on by each who hears it. */
  broadcast(from: number, bytes: number, deliver: Deliver<P>): void {
    for (const to of this.peersOf(from)) this.send(from, to, bytes, (port) => deliver(port, from, () => undefined))
  }

  /** One gossip message over one link; it may be lost. */
  send(from: number, to: number, bytes: number, arrive: (port: P) => void): void {
    const delayMs = this.#wires.send(this.#clock.elapsedMs, from, to, bytes)
    if (delayMs !== LOST) this.#carry(from, to, delayMs, (port) => port !== null && arrive(port))
  }

  /** One remote procedure call of gossipsub, in order with the others over that link. */
  call(from: number, to: number, bytes: number, control: boolean, arrive: () => void): void {
    const delayMs = this.#wires.ordered(this.#clock.elapsedMs, from, to, bytes, control)
    if (delayMs !== LOST) this.#carry(from, to, Math.max(1, delayMs), (port) => port !== null && arrive())
  }

  /** Asks one node; `done` gets its answer, of `bytesOf` bytes, or null where a link was down on the way. */
  request<T>(
    from: number,
    to: number,
    ask: (port: P) => T,
    bytesOf: (answer: T) => number,
    done: (answer: T | null) => void,
  ): void {
    if (!this.#link(from, to).up) return this.#clock.after(1, () => done(null))
    const now = () => this.#clock.elapsedMs
    this.#carry(from, to, this.#wires.stream(now(), from, to, REQUEST_BYTES), (port) => {
      if (port === null) return done(null)
      const answer = ask(port)
      this.#carry(to, from, this.#wires.stream(now(), to, from, bytesOf(answer)), (asker) =>
        done(asker === null ? null : answer),
      )
    })
  }

  #carry(from: number, to: number, delayMs: number, arrive: (port: P | null) => void): void {
    const link = this.#link(from, to)
    const { generation } = link
    this.#clock.after(delayMs, () =>
      arrive(link.up && link.generation === generation ? (this.#ports[to] ?? null) : null),
    )
  }

  #relink(node: number): void {
    for (const other of this.#neighbours(node)) {
      const link = this.#link(node, other)
      const reached = this.#reaches(node, other)
      if (link.up && !reached) this.#unlink(link, node, other)
      else if (!link.up && reached) this.#connect(link, node, other)
    }
  }

  /** Both ends hear of the end later; a new link waits until then, for a node knows one connection to a peer at a time. */
  #unlink(link: Link, a: number, b: number): void {
    link.up = false
    link.generation++
    this.#pubsub.linkDown(a, b)
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      const port = this.#ports[here] ?? null
      this.#clock.after(this.#detectMs, () => {
        if (port !== null && this.#ports[here] === port) port.disconnected(there)
      })
    }
  }

  #connect(link: Link, a: number, b: number): void {
    const generation = ++link.generation
    this.#clock.after(this.#detectMs + this.#wires.latency(a, b), () => {
      if (link.up || link.generation !== generation || !this.#reaches(a, b)) return
      link.up = true
      this.#pubsub.linkUp(a, b)
      this.#ports[a]?.connected(b)
      this.#ports[b]?.connected(a)
    })
  }

  #reaches(a: number, b: number): boolean {
    return this.#ports[a] !== null && this.#ports[b] !== null && this.#wires.open(a, b)
  }

  #neighbours(node: number): number[] {
    const { topology } = this.#wires
    if (!topology.full) return [...topology.neighbours(node)]
    return Array.from({ length: topology.nodes }, (_, other) => other).filter((other) => other !== node)
  }

  #link(a: number, b: number): Link {
    invariant(a !== b, 'a node is not linked to itself')
    const key = Math.min(a, b) * this.#ports.length + Math.max(a, b)
    let link = this.#links.get(key)
    if (link === undefined) {
      link = { up: false, generation: 0 }
      this.#links.set(key, link)
    }
    return link
  }
}

/**
 * To some of the linked nodes; on the topic of a cell, of those who have joined it. Where not everybody is linked to everybody, what others
 * accept they pass on, updates excepted.
 */
export class Flood<P extends Port> implements Pubsub<P> {
  readonly #network: Network<P>
  readonly #receivers: (from: number, topic: string, peers: readonly number[]) => readonly number[]
  /** By the topic of a cell. */
  readonly #joined = new Map<string, Set<number>>()

  /** `receivers` chooses among linked nodes that may hear of it. */
  constructor(
    network: Network<P>,
    receivers: (from: number, topic: string, peers: readonly number[]) => readonly number[] = (_, __, peers) => peers,
  ) {
    this.#network = network
    this.#receivers = receivers
  }

  linkUp(): void {}
  linkDown(): void {}

  join(node: number, topic: string): void {
    if (!isCell(topic)) return
    const joined = this.#joined.get(topic)
    if (joined === undefined) this.#joined.set(topic, new Set([node]))
    else joined.add(node)
  }

  leave(node: number, topic: string): void {
    const joined = this.#joined.get(topic)
    joined?.delete(node)
    if (joined?.size === 0) this.#joined.delete(topic)
  }

  stop(node: number): void {
    for (const topic of this.#joined.keys()) this.leave(node, topic)
  }

  publish(from: number, topic: string, bytes: number, deliver: Deliver<P>): void {
    const passedOn = !this.#network.wires.topology.full && topic !== TOPICS.updates && !isCell(topic)
    this.#send(from, topic, bytes, deliver, passedOn ? new Set([from]) : null)
  }

  /** `seen`: who has the message already, where it is passed on. */
  #send(from: number, topic: string, bytes: number, deliver: Deliver<P>, seen: Set<number> | null): void {
    const joined = isCell(topic) ? (this.#joined.get(topic) ?? new Set()) : null
    const linked = this.#network.peersOf(from)
    const peers = joined === null ? linked : linked.filter((peer) => joined.has(peer))
    for (const to of this.#receivers(from, topic, peers)) {
      this.#network.send(from, to, bytes + GOSSIP_BYTES, (port) => {
        if (seen?.has(to)) return
        seen?.add(to)
        deliver(port, from, (verdict) => {
          if (seen !== null && verdict === 'accept') this.#send(to, topic, bytes, deliver, seen)
        })
      })
    }
  }
}
