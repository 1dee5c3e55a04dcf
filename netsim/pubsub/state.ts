/** What the model keeps: per link end, per node, per node and topic, and, once for all nodes, per topic and per message. */
import type { Rng } from '../../src/core/rng.ts'

/** A growing set of small whole numbers, one bit each. */
export class Bits {
  words = new Uint32Array(1)

  has(index: number): boolean {
    const word = this.words[index >>> 5]
    return word !== undefined && ((word >>> (index & 31)) & 1) === 1
  }

  add(index: number): void {
    const at = index >>> 5
    if (at >= this.words.length) {
      const grown = new Uint32Array(Math.max(at + 1, 2 * this.words.length))
      grown.set(this.words)
      this.words = grown
    }
    this.words[at] = (this.words[at] as number) | (1 << (index & 31))
  }

  delete(index: number): void {
    const at = index >>> 5
    const word = this.words[at]
    if (word !== undefined) this.words[at] = word & ~(1 << (index & 31))
  }
}

/** A topic, shared by all nodes. Each node that takes part has a slot, so that a message's bits are as many as those nodes. */
export class Topic {
  readonly id: number
  /** Messages that somebody may still have seen. */
  live = 0
  /** Nodes that know of it. */
  places = 0
  /** Ever in use at once. */
  slots = 0
  readonly #free: number[] = []
  constructor(id: number) {
    this.id = id
  }

  takeSlot(): number {
    return this.#free.pop() ?? this.slots++
  }

  /** No live message may hold a bit of the slot. */
  giveSlot(slot: number): void {
    this.#free.push(slot)
  }
}

/** One message, shared by all nodes and never copied. Bits are by slot. */
export class Message<M> {
  readonly topic: Topic
  readonly author: number
  readonly payload: M
  /** Of the data. */
  readonly bytes: number
  /** Of an RPC that carries it alone, and what it takes in one. */
  readonly frameBytes: number
  readonly fieldBytes: number
  /** Who takes it for a duplicate. */
  readonly seen = new Bits()
  /** Who can give it to one that asks. */
  readonly held = new Bits()
  /** By slot: ends of links to peers who said that they have it, before the node there forwarded it. */
  unwanted: Map<number, Side[]> | null = null
  /** When it was last new to a node. */
  lastMs: number

  constructor(topic: Topic, author: number, payload: M, sizes: MessageSizes, now: number) {
    this.topic = topic
    this.author = author
    this.payload = payload
    this.bytes = sizes.bytes
    this.frameBytes = sizes.frameBytes
    this.fieldBytes = sizes.fieldBytes
    this.lastMs = now
  }
}

interface MessageSizes {
  readonly bytes: number
  readonly frameBytes: number
  readonly fieldBytes: number
}

/** One end of a link, as the node there sees it. */
export class Side {
  readonly node: number
  readonly peer: number
  /** The node dialled the peer. */
  readonly outbound: boolean
  /** The node still knows the link. */
  open = true
  /** What the peer has asked for in one heartbeat; null until it asks. */
  flood: Flood | null = null
  #opposite: Side | null = null
  constructor(node: number, peer: number, outbound: boolean) {
    this.node = node
    this.peer = peer
    this.outbound = outbound
  }

  /** The peer's end. */
  get opposite(): Side {
    return this.#opposite as Side
  }

  static pair(dialler: number, listener: number): readonly [Side, Side] {
    const near = new Side(dialler, listener, true)
    const far = new Side(listener, dialler, false)
    near.#opposite = far
    far.#opposite = near
    return [near, far]
  }
}

/** Counts of one peer's control messages in the heartbeat `tick` of the node. */
export interface Flood {
  tick: number
  ihaves: number
  asked: number
  iwants: number
  idontwants: number
}

/** A node's part in a topic. `M` is what messages carry. */
export class Place<M> {
  readonly topic: Topic
  /** −1 until the node subscribes or publishes. */
  slot = -1
  joined = false
  /** Looked at by the node's heartbeat. */
  active = false
  /** Ends of links to subscribed peers, in no order. */
  readonly peers: Side[] = []
  /** Oldest first. */
  mesh: Side[] = []
  /** Whom to publish to without being subscribed. */
  fanout: Side[] | null = null
  fanoutMs = 0
  /** Peers that may not be grafted, and until when. */
  backoff: Map<number, number> | null = null
  /** Messages that can be asked for, by heartbeat, newest first. */
  readonly history: Message<M>[][]
  cached = 0
  constructor(topic: Topic, historyLength: number) {
    this.topic = topic
    this.history = Array.from({ length: historyLength }, () => [])
  }
}

/** A node while it is up. */
export class Home<M> {
  readonly node: number
  readonly links = new Map<number, Side>()
  readonly places = new Map<number, Place<M>>()
  /** Places with something to do at a heartbeat. */
  active: Place<M>[] = []
  tick = 0
  constructor(node: number) {
    this.node = node
  }
}

/** Removes an item from an array whose order means nothing; false when it is not there. */
export function removeLoose<T>(items: T[], item: T): boolean {
  const at = items.indexOf(item)
  if (at < 0) return false
  const last = items.pop() as T
  if (at < items.length) items[at] = last
  return true
}

/** Removes an item and keeps the order; false when it is not there. */
export function removeOrdered<T>(items: T[], item: T): boolean {
  const at = items.indexOf(item)
  if (at >= 0) items.splice(at, 1)
  return at >= 0
}

/** Up to `count` of the items that pass, each set of them as likely as any other; reorders `items`, and looks at no more than it must. */
export function draw<T>(items: T[], count: number, rng: Rng, passes: (item: T) => boolean): T[] {
  const drawn: T[] = []
  for (let i = 0; i < items.length && drawn.length < count; i++) {
    const j = i + rng.below(items.length - i)
    const item = items[j] as T
    items[j] = items[i] as T
    items[i] = item
    if (passes(item)) drawn.push(item)
  }
  return drawn
}
