/** A swarm of modelled nodes in virtual time; links as on loopback, a millisecond or three, in order. */

import { Clock } from '../../netsim/clock.ts'
import { Gossipsub } from '../../netsim/pubsub/gossipsub.ts'
import { DAEMON_GOSSIPSUB, type GossipsubOptions } from '../../netsim/pubsub/options.ts'
import type { RpcKind } from '../../netsim/pubsub/outbox.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Delivery, Swarm, SwarmCounts, SwarmOptions } from './swarm.ts'

export const TOPIC = 7
const FOREVER_MS = 1_000_000_000
const DIAL_MS = 25 // as real nodes take, one after the other: who comes first is grafted first
const DEADLINE_MS = 8_000 // as long as real nodes have

/** How the modelled links and applications behave beyond the options of any swarm. */
export interface ModelOptions extends SwarmOptions {
  readonly gossipsub?: Partial<GossipsubOptions>
  /** Uniform, one way. */
  readonly latencyMs?: readonly [min: number, max: number]
  /** Between two dials; 0: all at once. */
  readonly dialMs?: number
  /** Share of the RPCs that are lost, by kind; streams lose no control. */
  readonly lossShare?: Partial<Record<RpcKind, number>>
}

export async function modelSwarm(options: ModelOptions): Promise<ModelSwarm> {
  const swarm = new ModelSwarm(options)
  await swarm.open()
  return swarm
}

export class ModelSwarm implements Swarm {
  readonly deliveries: Delivery[] = []
  readonly clock = new Clock()
  readonly gossipsub: Gossipsub<string>
  readonly #options: ModelOptions
  readonly #rng: Rng
  readonly #publishedMs = new Map<string, number>()
  /** When the last RPC on each one-way link arrives: none overtakes it. */
  readonly #busyUntil = new Map<number, number>()
  #underWay = 0

  constructor(options: ModelOptions) {
    this.#options = options
    this.#rng = Rng.from('links', options.seed ?? 1)
    this.gossipsub = new Gossipsub<string>(options.nodes, options.gossipsub ?? {}, {
      now: () => this.clock.now,
      after: (delayMs, task) => this.clock.after(delayMs, task),
      send: (from, to, _bytes, arrive, kind) => this.#send(from, to, arrive, kind),
      deliver: (node, from, author, _topic, text, verdict) => {
        this.deliveries.push({ node, from, author, text, ms: this.clock.now - (this.#publishedMs.get(text) as number) })
        const found = options.judge?.(node, text) ?? 'accept'
        if (options.verdictMs === undefined) verdict(found)
        else this.#plan(options.verdictMs, () => verdict(found))
      },
      rng: Rng.from('gossipsub', options.seed ?? 1),
    })
  }

  async open(): Promise<void> {
    for (const node of this.#options.joined ?? Array.from({ length: this.#options.nodes }, (_, node) => node))
      this.gossipsub.join(node, TOPIC)
    await this.#dial(this.#options.links)
    await this.quiet()
  }

  get counts(): SwarmCounts {
    const { delivered, duplicates, ihaveIds, iwantIds, idontwantIds } = this.gossipsub.counts
    return { received: delivered + duplicates, ihaveIds, iwantIds, idontwantIds }
  }

  async publish(node: number, text: string, bytes = text.length): Promise<number> {
    this.#publishedMs.set(text, this.clock.now)
    return this.gossipsub.publish(node, TOPIC, text, Math.max(bytes, text.length))
  }

  async join(node: number): Promise<void> {
    this.gossipsub.join(node, TOPIC)
    await this.quiet()
  }

  async leave(node: number): Promise<void> {
    this.gossipsub.leave(node, TOPIC)
    await this.quiet()
  }

  async cut(node: number): Promise<void> {
    for (const [a, b] of this.#linksOf(node)) this.gossipsub.linkDown(a, b)
    await this.quiet()
  }

  async heal(node: number): Promise<void> {
    await this.#dial(this.#linksOf(node))
    await this.quiet()
  }

  async crash(node: number): Promise<void> {
    this.gossipsub.stop(node)
    await this.cut(node)
  }

  async beats(count: number): Promise<void> {
    await this.run(count * (this.#options.gossipsub?.heartbeatMs ?? DAEMON_GOSSIPSUB.heartbeatMs))
    await this.quiet()
  }

  /** So much virtual time. */
  async run(ms: number): Promise<void> {
    let isOver = false
    this.clock.after(ms, () => {
      isOver = true
    })
    await this.clock.run(FOREVER_MS, () => isOver)
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    await this.clock.run(this.clock.elapsedMs + DEADLINE_MS, condition)
    if (!condition()) throw new Error(`not within ${DEADLINE_MS} virtual ms: ${what}`)
  }

  async quiet(): Promise<void> {
    await this.clock.run(FOREVER_MS, () => this.#underWay === 0)
  }

  mesh(node: number): number[] {
    return this.gossipsub.mesh(node, TOPIC)
  }

  subscribers(node: number): number[] {
    return this.gossipsub.subscribers(node, TOPIC)
  }

  async stop(): Promise<void> {}

  async #dial(links: SwarmOptions['links']): Promise<void> {
    for (const [dialler, listener] of links) {
      this.gossipsub.linkUp(dialler, listener)
      const { dialMs = DIAL_MS } = this.#options
      if (dialMs > 0) await this.run(dialMs)
    }
  }

  #linksOf(node: number): SwarmOptions['links'] {
    return this.#options.links.filter((link) => link.includes(node))
  }

  #send(from: number, to: number, arrive: () => void, kind: RpcKind): void {
    const share = this.#options.lossShare?.[kind] ?? 0
    if (share > 0 && this.#rng.float() < share) return
    const [min, max] = this.#options.latencyMs ?? [1, 3]
    const link = from * this.#options.nodes + to
    const atMs = Math.max(this.#busyUntil.get(link) ?? 0, this.clock.now + min + this.#rng.below(max - min + 1))
    this.#busyUntil.set(link, atMs)
    this.#plan(atMs - this.clock.now, arrive)
  }

  #plan(delayMs: number, task: () => void): void {
    this.#underWay++
    this.clock.after(delayMs, () => {
      this.#underWay--
      task()
    })
  }
}
