/** Puts RPCs on links, with the bytes that they take, and hands them to the other end if they arrive. */
import type { GossipsubOptions } from './options.ts'
import type { Message, Side, Topic } from './state.ts'
import {
  controlBytes,
  frameBytes,
  graftBytes,
  idontwantBytes,
  ihaveBytes,
  iwantBytes,
  pruneBytes,
  subscriptionsBytes,
} from './wire.ts'

/** What an RPC is for. Streams lose nothing while they live: a network that loses should spare `control`, or delay it instead. */
export type RpcKind =
  | 'message' // messages, forwarded or asked for
  | 'gossip' // IHAVE, IWANT, IDONTWANT: what is lost is made up for
  | 'control' // subscriptions, GRAFT, PRUNE: nobody repeats them while the link is up

/** The network: takes `bytes` from one end of a link to the other; calls `arrive` once, later, if they arrive. In order, as a stream. */
export type Send = (from: number, to: number, bytes: number, arrive: () => void, kind: RpcKind) => void

/** What arrives at a node, by the end of the link that it came on. */
export interface Inbox<M> {
  onSubscriptions(side: Side, topics: readonly Topic[], subscribe: boolean): void
  onMessage(side: Side, message: Message<M>): void
  onIhave(side: Side, news: readonly News<M>[]): void
  onIwant(side: Side, messages: readonly Message<M>[]): void
  onIdontwant(side: Side, message: Message<M>): void
  onGraft(side: Side, topics: readonly Topic[]): void
  onPrune(side: Side, topics: readonly Topic[], backoffMs: number): void
}

/** What one IHAVE tells of one topic. */
export interface News<M> {
  readonly topic: Topic
  readonly messages: readonly Message<M>[]
}

/** Totals of all nodes since the start. An id told, asked for or declined counts each time. */
export interface GossipsubCounts {
  /** Messages that came to a node for the first time. */
  delivered: number
  /** Messages that came to a node again. */
  duplicates: number
  /** Messages that came to a node that has not joined their topic. */
  unwanted: number
  published: number
  /** Copies of messages put on links; of these in answer to IWANT. */
  sent: number
  answered: number
  /** Copies not sent because of IDONTWANT. */
  declined: number
  messageBytes: number
  /** Of all that is not messages. */
  controlBytes: number
  rpcs: number
  ihaveIds: number
  iwantIds: number
  idontwantIds: number
  grafts: number
  prunes: number
}

export function noCounts(): GossipsubCounts {
  return {
    ...{ delivered: 0, duplicates: 0, unwanted: 0, published: 0, sent: 0, answered: 0, declined: 0 },
    ...{ messageBytes: 0, controlBytes: 0, rpcs: 0, ihaveIds: 0, iwantIds: 0, idontwantIds: 0, grafts: 0, prunes: 0 },
  }
}

/** One closure for each RPC and no name for it: there are millions, and tsx would pay for each name. */
export class Outbox<M> {
  readonly counts = noCounts()
  readonly #send: Send
  readonly #options: GossipsubOptions
  readonly #inbox: Inbox<M>
  readonly #idontwantFrame = frameBytes(controlBytes(idontwantBytes(1)))

  constructor(send: Send, options: GossipsubOptions, inbox: Inbox<M>) {
    this.#send = send
    this.#options = options
    this.#inbox = inbox
  }

  subscriptions(side: Side, topics: readonly Topic[], subscribe: boolean): void {
    if (topics.length === 0) return
    const bytes = this.#control(frameBytes(subscriptionsBytes(topics.length, this.#options.topicBytes)))
    const [there, inbox] = [side.opposite, this.#inbox]
    this.#send(
      side.node,
      side.peer,
      bytes,
      () => {
        if (there.open) inbox.onSubscriptions(there, topics, subscribe)
      },
      'control',
    )
  }

  message(side: Side, message: Message<M>): void {
    const { counts } = this
    counts.sent++
    counts.rpcs++
    counts.messageBytes += message.frameBytes
    const there = side.opposite
    const inbox = this.#inbox
    this.#send(
      side.node,
      side.peer,
      message.frameBytes,
      () => {
        if (there.open) inbox.onMessage(there, message)
      },
      'message',
    )
  }

  answer(side: Side, messages: readonly Message<M>[]): void {
    const { counts } = this
    counts.sent += messages.length
    counts.answered += messages.length
    counts.rpcs++
    let fields = 0
    for (const message of messages) fields += message.fieldBytes
    const bytes = frameBytes(fields)
    counts.messageBytes += bytes
    const [there, inbox] = [side.opposite, this.#inbox]
    this.#send(
      side.node,
      side.peer,
      bytes,
      () => {
        for (const message of messages) if (there.open) inbox.onMessage(there, message)
      },
      'message',
    )
  }

  ihave(side: Side, news: readonly News<M>[]): void {
    let fields = 0
    for (const { messages } of news) {
      this.counts.ihaveIds += messages.length
      fields += ihaveBytes(messages.length, this.#options.topicBytes)
    }
    const bytes = this.#control(frameBytes(controlBytes(fields)))
    const [there, inbox] = [side.opposite, this.#inbox]
    this.#send(
      side.node,
      side.peer,
      bytes,
      () => {
        if (there.open) inbox.onIhave(there, news)
      },
      'gossip',
    )
  }

  iwant(side: Side, messages: readonly Message<M>[]): void {
    this.counts.iwantIds += messages.length
    const bytes = this.#control(frameBytes(controlBytes(iwantBytes(messages.length))))
    const [there, inbox] = [side.opposite, this.#inbox]
    this.#send(
      side.node,
      side.peer,
      bytes,
      () => {
        if (there.open) inbox.onIwant(there, messages)
      },
      'gossip',
    )
  }

  idontwant(side: Side, message: Message<M>): void {
    this.counts.idontwantIds++
    const there = side.opposite
    const inbox = this.#inbox
    this.#send(
      side.node,
      side.peer,
      this.#control(this.#idontwantFrame),
      () => {
        if (there.open) inbox.onIdontwant(there, message)
      },
      'gossip',
    )
  }

  graft(side: Side, topics: readonly Topic[]): void {
    this.counts.grafts += topics.length
    const bytes = this.#control(frameBytes(controlBytes(topics.length * graftBytes(this.#options.topicBytes))))
    const [there, inbox] = [side.opposite, this.#inbox]
    this.#send(
      side.node,
      side.peer,
      bytes,
      () => {
        if (there.open) inbox.onGraft(there, topics)
      },
      'control',
    )
  }

  prune(side: Side, topics: readonly Topic[], backoffMs: number): void {
    this.counts.prunes += topics.length
    const fields = topics.length * pruneBytes(this.#options.topicBytes, backoffMs)
    const bytes = this.#control(frameBytes(controlBytes(fields)))
    const [there, inbox] = [side.opposite, this.#inbox]
    this.#send(
      side.node,
      side.peer,
      bytes,
      () => {
        if (there.open) inbox.onPrune(there, topics, backoffMs)
      },
      'control',
    )
  }

  #control(bytes: number): number {
    this.counts.controlBytes += bytes
    this.counts.rpcs++
    return bytes
  }
}
