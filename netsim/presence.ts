/** Who is up: the nodes' own availability, crashes that a scenario plans, and the calm in which all are up at last. */
import type { Clock } from './clock.ts'
import type { Scenario } from './scenario/schema.ts'
import type { Availability } from './world/world.ts'

/** A crash as a scenario plans it; `lost`: the disk is gone with it. */
export interface Crash {
  readonly node: number
  readonly atMs: number
  readonly downMs: number
  readonly lost: boolean
}

/** The crashes of a scenario. */
export function crashesOf({ crashes }: Scenario): Crash[] {
  return crashes.map(({ node, atSeconds, downSeconds, disk }) => {
    return { node, atMs: atSeconds * 1000, downMs: downSeconds * 1000, lost: disk === 'lost' }
  })
}

/** Times in virtual milliseconds since the start. */
export interface PresenceOptions {
  readonly nodes: number
  readonly availability: Availability
  readonly crashes: readonly Crash[]
  /** Whether a node whose availability ended finds an empty disk. */
  readonly lost: boolean
  /** From then on all are up; null: never. */
  readonly calmMs: number | null
  /** When a node that is up at the start begins. */
  readonly firstMs: (node: number) => number
}

/** What happens to a node. */
export interface Presented {
  up(node: number, lost: boolean): void
  down(node: number): void
}

/** A node is up while nothing keeps it down: neither its availability, nor a crash. */
export class Presence {
  readonly #clock: Clock
  readonly #options: PresenceOptions
  readonly #nodes: Presented
  /** How many things keep a node down. */
  readonly #against: Uint8Array
  readonly #lost: Uint8Array
  readonly #turnKind: number
  #calm = false
  #changes = 0

  constructor(clock: Clock, options: PresenceOptions, nodes: Presented) {
    this.#clock = clock
    this.#options = options
    this.#nodes = nodes
    this.#against = new Uint8Array(options.nodes)
    this.#lost = new Uint8Array(options.nodes)
    this.#turnKind = clock.handler((node, up) => this.#turn(node, up === 1))
  }

  /** How often a node went down. */
  get changes(): number {
    return this.#changes
  }

  /** Plans all of it. */
  begin(): void {
    const { nodes, availability, crashes, calmMs, firstMs } = this.#options
    for (let node = 0; node < nodes; node++) {
      const up = availability.initially(node)
      this.#against[node] = up ? 1 : 2 // a node that has not begun yet is down
      this.#clock.after(firstMs(node), () => this.#free(node))
      this.#next(node, up)
    }
    for (const { node, atMs, downMs, lost } of crashes) {
      this.#clock.after(atMs, () => (this.#calm ? undefined : this.#strike(node, lost)))
      this.#clock.after(atMs + downMs, () => (this.#calm ? undefined : this.#free(node)))
    }
    if (calmMs !== null) this.#clock.after(calmMs, () => this.#becomeCalm())
  }

  #next(node: number, up: boolean): void {
    const now = this.#clock.elapsedMs
    const atMs = this.#options.availability.nextChangeMs(node, now, up)
    if (atMs !== null) this.#clock.plan(atMs - now, this.#turnKind, node, up ? 0 : 1)
  }

  #turn(node: number, up: boolean): void {
    if (this.#calm) return
    if (up) this.#free(node)
    else this.#strike(node, this.#options.lost)
    this.#next(node, up)
  }

  #strike(node: number, lost: boolean): void {
    if (lost) this.#lost[node] = 1
    const against = this.#against[node] as number
    this.#against[node] = against + 1
    if (against > 0) return
    this.#changes++
    this.#nodes.down(node)
  }

  #free(node: number): void {
    const against = this.#against[node] as number
    if (against === 0) return // freed by the calm
    this.#against[node] = against - 1
    if (against > 1) return
    const lost = this.#lost[node] === 1
    this.#lost[node] = 0
    this.#nodes.up(node, lost)
  }

  #becomeCalm(): void {
    this.#calm = true
    for (let node = 0; node < this.#options.nodes; node++) {
      if (this.#against[node] === 0) continue
      this.#against[node] = 1
      this.#free(node)
    }
  }
}
