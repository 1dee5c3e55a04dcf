/** What a message meets on its way: latency, loss, a queue before the sender's uplink, partitions, and doors that open only outwards. */
import { invariant } from '../src/core/errors.ts'
import type { Rng } from '../src/core/rng.ts'
import type { Topology } from './world/world.ts'

/** Times in virtual milliseconds. */
export interface WiresOptions {
  /** One way, uniform between the two for each message; so messages overtake each other. */
  readonly latencyMs: readonly [min: number, max: number]
  /** Share of gossip messages that never arrive. */
  readonly loss: number
  /** Of each node, megabits per second; null: without bound. */
  readonly uplinkMbit: number | null
  /** What may wait before an uplink; more is dropped. */
  readonly uplinkQueueBytes: number
}

/** A hospital network's ordinary day. */
export const ORDINARY_WIRES: WiresOptions = {
  latencyMs: [5, 60], // one way within a continent
  loss: 0, // gossipsub runs over TCP: what is lost there is lost by full queues, which is rare
  uplinkMbit: null, // updates of a table's model are small
  uplinkQueueBytes: 16_777_216,
}

/** Instead of a delay. */
export const LOST = -1
const RETRANSMIT_MS = 200 // TCP's least retransmission timeout

/** Every draw comes from one seeded stream, in the order in which messages are sent. */
export class Wires {
  readonly nodes: number
  readonly #topology: Topology
  readonly #rng: Rng
  readonly #options: WiresOptions
  /** 1: can only dial out. */
  readonly #nat: Uint8Array | null
  /** The side of the partition that each node is on; null while there is none. */
  #sides: ArrayLike<number> | null = null
  #calm = false
  /** When each uplink has sent all that waits, milliseconds with fractions. */
  readonly #freeAtMs: Float64Array | null
  readonly #bytes: Float64Array
  /** When what was sent last over each ordered way arrives. */
  readonly #lastMs = new Map<number, number>()
  #sent = 0
  #lost = 0
  #dropped = 0
  #bytesSent = 0

  constructor(topology: Topology, nat: Uint8Array | null, rng: Rng, options: WiresOptions) {
    const [min, max] = options.latencyMs
    invariant(min >= 1 && max >= min && options.loss >= 0 && options.loss < 1, 'wires have sound options')
    this.nodes = topology.nodes
    this.#topology = topology
    this.#nat = nat
    this.#rng = rng
    this.#options = options
    this.#freeAtMs = options.uplinkMbit === null ? null : new Float64Array(topology.nodes)
    this.#bytes = new Float64Array(topology.nodes)
  }

  get topology(): Topology {
    return this.#topology
  }

  /** Messages and bytes since the start; `dropped` for want of room before an uplink. */
  get counts() {
    return { sent: this.#sent, lost: this.#lost, dropped: this.#dropped, bytes: this.#bytesSent }
  }

  bytesOf(node: number): number {
    return this.#bytes[node] as number
  }

  /** Splits the network: only nodes with equal sides reach each other. Null heals it. */
  divide(sides: ArrayLike<number> | null): void {
    invariant(sides === null || sides.length === this.nodes, 'every node is on a side')
    if (!this.#calm) this.#sides = sides
  }

  /** From now on nothing is lost, and nobody is cut off. */
  calm(): void {
    this.#sides = null
    this.#calm = true
  }

  /** Whether the way between two linked nodes is open. That they are linked is for the topology to say. */
  open(a: number, b: number): boolean {
    if (this.#sides !== null && this.#sides[a] !== this.#sides[b]) return false
    return !this.closed(a, b)
  }

  /** Whether neither can dial the other, whatever the partition. */
  closed(a: number, b: number): boolean {
    return this.#nat !== null && this.#nat[a] === 1 && this.#nat[b] === 1
  }

  get sides(): ArrayLike<number> | null {
    return this.#sides
  }

  /** A gossip message of `bytes` starts: milliseconds until it arrives, or LOST. `now` in virtual milliseconds. */
  send(now: number, from: number, to: number, bytes: number): number {
    this.#sent++
    const waitMs = this.#uplink(now, from, bytes)
    if (waitMs < 0) {
      this.#dropped++
      return LOST
    }
    if (this.#loses && this.#rng.float() < this.#options.loss) {
      this.#lost++
      return LOST
    }
    return waitMs + this.latency(from, to)
  }

  /** The same over a stream: what is lost is sent again, and only takes longer. */
  stream(now: number, from: number, to: number, bytes: number): number {
    this.#sent++
    const waitMs = Math.max(0, this.#uplink(now, from, bytes))
    const again = this.#loses && this.#rng.float() < this.#options.loss
    return waitMs + this.latency(from, to) + (again ? RETRANSMIT_MS : 0)
  }

  /**
   * A remote procedure call of gossipsub, over the one stream that a link has for it: what is sent later arrives no earlier, and control
   * messages are never lost, for nobody repeats them.
   */
  ordered(now: number, from: number, to: number, bytes: number, control: boolean): number {
    const delayMs = control ? this.stream(now, from, to, bytes) : this.send(now, from, to, bytes)
    if (delayMs === LOST) return LOST
    const key = from * this.nodes + to
    const atMs = Math.max(now + delayMs, this.#lastMs.get(key) ?? 0)
    this.#lastMs.set(key, atMs)
    return atMs - now
  }

  get #loses(): boolean {
    return this.#options.loss > 0 && !this.#calm
  }

  /** One way, whole milliseconds. */
  latency(from: number, to: number): number {
    const [min, max] = this.#options.latencyMs
    const own = min + (max > min ? this.#rng.below(Math.floor(max - min) + 1) : 0)
    const more = this.#topology.latencyMs(from, to)
    return Math.ceil(more === null ? own : own + more)
  }

  /** Whole milliseconds until the last byte has left; −1 where there is no room to wait. */
  #uplink(now: number, from: number, bytes: number): number {
    const { uplinkMbit, uplinkQueueBytes } = this.#options
    if (this.#freeAtMs !== null && uplinkMbit !== null) {
      const freeAtMs = Math.max(now, this.#freeAtMs[from] as number)
      const bytesPerMs = uplinkMbit * 125
      if ((freeAtMs - now) * bytesPerMs + bytes > uplinkQueueBytes) return -1
      this.#freeAtMs[from] = freeAtMs + bytes / bytesPerMs
      this.#count(from, bytes)
      return Math.ceil(freeAtMs + bytes / bytesPerMs - now)
    }
    this.#count(from, bytes)
    return 0
  }

  #count(from: number, bytes: number): void {
    this.#bytesSent += bytes
    this.#bytes[from] = (this.#bytes[from] as number) + bytes
  }
}
