/** Judges gossip before it is relayed: author, size and place in the queue here, the content by the machine. */

import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { type Message, TopicValidatorResult } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import { equalBytes } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { Door } from './gater.ts'
import { memberOf } from './peerIds.ts'
import type { Refusal, Tally } from './tally.ts'
import type { TransportEvents, Verdict } from './transport.ts'

const { Accept, Ignore, Reject } = TopicValidatorResult
const ANNOUNCEMENT_BYTES_MAX = 4_096 // a key and some dozens of addresses
const PROTOBUF_KEY_FIELD = Uint8Array.of(0x0a, 0x24) // field 1, 36 bytes: how pubsub-peer-discovery's message begins

/** What the gate works with. `onHandlerFailed`: our own handler threw, which costs the sender nothing. */
export interface GateContext {
  readonly self: MemberId
  readonly door: Door
  readonly tally: Tally
  readonly verdictMs: number
  readonly onMessage: TransportEvents['onMessage']
  /** A message that `author` signed came by another member and was accepted. */
  onRelayed(author: MemberId): void
  onHandlerFailed(error: unknown): void
}

/** One gate for all topics: the bound on messages awaiting a verdict is the node's, not a topic's. */
export class GossipGate {
  readonly #context: GateContext
  #awaiting = 0
  constructor(context: GateContext) {
    this.#context = context
  }

  /** The verdict on a message whose signature gossipsub has verified. Never throws. */
  async judge(topic: string, relay: PeerId, message: Message): Promise<TopicValidatorResult> {
    const source = this.#sourceOf(relay, message)
    if (source === undefined) return Ignore
    const { author, from } = source
    if (this.#awaiting >= LIMITS.messagesAwaitingVerdictMax) return this.#refuse('verdicts-full')
    this.#context.tally.messageIn(message.data.length)
    this.#awaiting += 1
    try {
      const verdict = await this.#verdict({ topic, data: message.data, author, from })
      if (verdict === 'accept') this.#noteRelay(author, from)
      return this.#outcome(verdict)
    } finally {
      this.#awaiting -= 1
    }
  }

  /** An address announcement must come from the member whose addresses it tells. */
  judgeAnnouncement(relay: PeerId, message: Message): TopicValidatorResult {
    const source = this.#sourceOf(relay, message)
    if (source === undefined) return Ignore
    if (message.type === 'signed' && message.data.length <= ANNOUNCEMENT_BYTES_MAX) {
      const key = publicKeyToProtobuf(message.key)
      const claimed = message.data.subarray(0, 2 + key.length)
      if (equalBytes(claimed.subarray(0, 2), PROTOBUF_KEY_FIELD) && equalBytes(claimed.subarray(2), key)) {
        this.#noteRelay(source.author, source.from)
        return Accept
      }
    }
    this.#refuse('bad-announcement')
    return Reject
  }

  /**
   * Author and relay, if both may speak. An author that we don't know costs its relay nothing: member lists change at different
   * moments at different sites, and an honest relay may be ahead of us.
   */
  #sourceOf(relay: PeerId, message: Message): { author: MemberId; from: MemberId } | undefined {
    const { door, self } = this.#context
    const from = door.member(relay)
    const author = message.type === 'signed' ? door.member(message.from) : undefined
    if (message.type === 'signed' && memberOf(message.from) === self) this.#refuse('own-message')
    else if (author === undefined || from === undefined) this.#refuse('author-unknown')
    else if (door.isRefused(author)) this.#refuse('author-refused')
    else return { author, from }
    return undefined
  }

  #noteRelay(author: MemberId, from: MemberId): void {
    if (author !== from) this.#context.onRelayed(author)
  }

  async #verdict(message: Parameters<TransportEvents['onMessage']>[0]): Promise<Verdict | 'late' | 'failed'> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, this.#context.verdictMs, 'late')
    })
    try {
      return await Promise.race([this.#context.onMessage(message), late])
    } catch (error) {
      this.#context.onHandlerFailed(error)
      return 'failed'
    } finally {
      clearTimeout(timer)
    }
  }

  #outcome(verdict: Verdict | 'late' | 'failed'): TopicValidatorResult {
    switch (verdict) {
      case 'accept':
        return Accept
      case 'reject':
        this.#refuse('verdict-reject')
        return Reject
      case 'late':
        return this.#refuse('verdict-late')
      case 'failed':
        return this.#refuse('handler-failed')
      default:
        return this.#refuse('verdict-ignore')
    }
  }

  #refuse(reason: Refusal): TopicValidatorResult {
    this.#context.tally.refuse(reason)
    return Ignore
  }
}
