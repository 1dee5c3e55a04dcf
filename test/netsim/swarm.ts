/** What the conformance suite asks of a swarm of gossiping nodes, be they modelled or real, and what is measured of either. */

export type Verdict = 'accept' | 'ignore' | 'reject'
/** Who dials whom. */
export type Links = readonly (readonly [dialler: number, listener: number])[]

/** A message that came to a node's application, which may accept it or not. */
export interface Delivery {
  readonly node: number
  /** The peer that it came from. */
  readonly from: number
  readonly author: number
  readonly text: string
  /** Since it was published. */
  readonly ms: number
}

export interface SwarmOptions {
  readonly nodes: number
  readonly links: Links
  /** Who joins the topic at the start; all unless said. */
  readonly joined?: readonly number[]
  /** What a node thinks of a message; accepts unless said. */
  readonly judge?: (node: number, text: string) => Verdict
  /** How long a verdict takes; none unless said. */
  readonly verdictMs?: number
  /** Distinguishes otherwise equal runs of the model; the real one has chance of its own. */
  readonly seed?: number
}

/** One topic, and nodes by number. Everything resolves with a deadline, or throws what it waited for. */
export interface Swarm {
  readonly deliveries: readonly Delivery[]
  /** Texts are distinct. The number of recipients. `bytes`: filled up to so many. */
  publish(node: number, text: string, bytes?: number): Promise<number>
  join(node: number): Promise<void>
  leave(node: number): Promise<void>
  /** Ends the node's connections, which its peers notice. */
  cut(node: number): Promise<void>
  /** Dials again what was cut. */
  heal(node: number): Promise<void>
  /** So many heartbeats of every node. */
  beats(count: number): Promise<void>
  until(what: string, condition: () => boolean): Promise<void>
  /** Until nothing is under way. */
  quiet(): Promise<void>
  mesh(node: number): readonly number[]
  subscribers(node: number): readonly number[]
  readonly counts: SwarmCounts
  stop(): Promise<void>
}

/** Of the topic, since the start, over all nodes. */
export interface SwarmCounts {
  /** Copies of messages that came to a node that had joined. */
  readonly received: number
  /** Message ids in IHAVE, IWANT and IDONTWANT that came to a node. */
  readonly ihaveIds: number
  readonly iwantIds: number
  readonly idontwantIds: number
}

export type MakeSwarm = (options: SwarmOptions) => Promise<Swarm>

export function fullLinks(nodes: number): Links {
  return Array.from({ length: nodes }, (_, a) => a).flatMap((a) =>
    Array.from({ length: nodes - a - 1 }, (_, i) => [a, a + 1 + i] as const),
  )
}

export function ringLinks(nodes: number): Links {
  return Array.from({ length: nodes }, (_, a) => [a, (a + 1) % nodes] as const)
}

export function lineLinks(nodes: number): Links {
  return ringLinks(nodes).slice(0, -1)
}

/** Copies that were not the first, for each that was. */
export function duplicatesPerDelivery(swarm: Swarm): number {
  return (swarm.counts.received - swarm.deliveries.length) / swarm.deliveries.length
}

/** For each delivery, over how many links the message had come. */
export function hops(swarm: Swarm): number[] {
  const source = new Map(swarm.deliveries.map(({ node, from, text }) => [`${node} ${text}`, from]))
  return swarm.deliveries.map(({ node, author, text }) => {
    let count = 0
    for (let at: number | undefined = node; at !== undefined && at !== author; at = source.get(`${at} ${text}`)) count++
    return count
  })
}

export function meanDegree(swarm: Swarm, nodes: number): number {
  let sum = 0
  for (let node = 0; node < nodes; node++) sum += swarm.mesh(node).length
  return sum / nodes
}
