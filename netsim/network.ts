/** The modelled network: who is linked to whom, how long a message takes, which are lost. Every choice comes from one seeded stream. */
import { invariant } from '../src/core/errors.ts'
import type { Rng } from '../src/core/rng.ts'
import type { Clock } from './clock.ts'

/** How the modelled network behaves; times in virtual milliseconds. */
export interface NetworkOptions {
  /** One way, uniform between the two for each message; so messages overtake each other. */
  readonly latencyMs: readonly [min: number, max: number]
  /** Share of gossip messages that never arrive; requests are repeated by TCP and only take longer. */
  readonly lossShare: number
  /** How long a dead link goes unnoticed. */
  readonly detectMs: number
}

/** A hospital network's ordinary day. */
export const ORDINARY_NETWORK: NetworkOptions = {
  latencyMs: [5, 60], // one way within a continent
  lossShare: 0, // gossipsub runs over TCP: what is lost there is lost by full queues, which is rare
  detectMs: 400, // a reset arrives in a round trip or two; a pulled cable would take longer
}

/** What the network tells a node. */
export interface Port {
  connected(peer: number): void
  disconnected(peer: number): void
}

/** One pair of nodes. */
interface Link {
  up: boolean
  /** Counts its changes, so that what was sent over an earlier connection does not arrive over a later one. */
  generation: number
}

const RETRANSMIT_MS = 200 // TCP's least retransmission timeout

export class Network<P extends Port> {
  readonly #clock: Clock
  readonly #rng: Rng
  readonly #options: NetworkOptions
  readonly #ports: (P | null)[]
  readonly #links = new Map<number, Link>()
  /** The side of the partition that each node is on. */
  #sides: number[]
  #sent = 0
  #lost = 0

  constructor(clock: Clock, rng: Rng, nodes: number, options: NetworkOptions) {
    const [min, max] = options.latencyMs
    invariant(min >= 1 && max >= min && options.lossShare >= 0 && options.lossShare < 1, 'a network has sound options')
    this.#clock = clock
    this.#rng = rng
    this.#options = options
    this.#ports = new Array<P | null>(nodes).fill(null)
    this.#sides = new Array<number>(nodes).fill(0)
  }

  get counts(): { readonly sent: number; readonly lost: number } {
    return { sent: this.#sent, lost: this.#lost }
  }

  /** A node is there: it links to all whom it reaches. */
  attach(node: number, port: P): void {
    this.#ports[node] = port
    this.#relink(node)
  }

  /** A node is gone without a word. */
  detach(node: number): void {
    this.#ports[node] = null
    this.#relink(node)
  }

  /** Splits the network: only nodes with equal sides reach each other. */
  divide(sides: readonly number[]): void {
    invariant(sides.length === this.#ports.length, 'every node is on a side')
    this.#sides = [...sides]
    for (let node = 0; node < sides.length; node++) this.#relink(node)
  }

  /** Sends to every linked node; each copy takes its own time or is lost. */
  broadcast(from: number, deliver: (port: P) => void): void {
    for (let to = 0; to < this.#ports.length; to++) {
      if (to === from || !this.#link(from, to).up) continue
      this.#sent++
      if (this.#isLost()) this.#lost++
      else this.#carry(from, to, this.#latency(), (port) => port !== null && deliver(port))
    }
  }

  /** Asks one node; `done` gets its answer, or null where a link was down on the way. */
  request<T>(from: number, to: number, ask: (port: P) => T, done: (answer: T | null) => void): void {
    if (!this.#link(from, to).up) return this.#clock.after(1, () => done(null))
    this.#sent++
    this.#carry(from, to, this.#streamLatency(), (port) => {
      if (port === null) return done(null)
      const answer = ask(port)
      this.#carry(to, from, this.#streamLatency(), (asker) => done(asker === null ? null : answer))
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
    for (let other = 0; other < this.#ports.length; other++) {
      if (other === node) continue
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
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      const port = this.#ports[here] ?? null
      this.#clock.after(this.#options.detectMs, () => {
        if (port !== null && this.#ports[here] === port) port.disconnected(there)
      })
    }
  }

  #connect(link: Link, a: number, b: number): void {
    const generation = ++link.generation
    this.#clock.after(this.#options.detectMs + this.#latency(), () => {
      if (link.up || link.generation !== generation || !this.#reaches(a, b)) return
      link.up = true
      this.#ports[a]?.connected(b)
      this.#ports[b]?.connected(a)
    })
  }

  #reaches(a: number, b: number): boolean {
    return this.#ports[a] !== null && this.#ports[b] !== null && this.#sides[a] === this.#sides[b]
  }

  #link(a: number, b: number): Link {
    const key = Math.min(a, b) * this.#ports.length + Math.max(a, b)
    let link = this.#links.get(key)
    if (link === undefined) {
      link = { up: false, generation: 0 }
      this.#links.set(key, link)
    }
    return link
  }

  #isLost(): boolean {
    return this.#options.lossShare > 0 && this.#rng.float() < this.#options.lossShare
  }

  #latency(): number {
    const [min, max] = this.#options.latencyMs
    return min + this.#rng.below(Math.floor(max - min) + 1)
  }

  #streamLatency(): number {
    return this.#latency() + (this.#isLost() ? RETRANSMIT_MS : 0)
  }
}
