/** The messages that are under way or remembered, the topics that they are on, and the nodes' places in these. */
import { invariant } from '../../src/core/errors.ts'
import type { GossipsubOptions } from './options.ts'
import { type Home, Message, Place, Topic } from './state.ts'
import { frameBytes, messageBytes } from './wire.ts'

const COMPACT_AT = 1_024 // expired messages at the front of the list before it is cut: a cut costs what is left

/** What is kept: messages, what can be asked for, IDONTWANTs, topics, nodes' places in them, and bits of a message. */
export interface StoreSizes {
  readonly messages: number
  readonly held: number
  readonly unwanted: number
  readonly topics: number
  readonly places: number
  readonly slots: number
}

/** Everything here ends: a message `seenTtlMs` after it was last new to somebody, a place and a topic when nothing needs them. */
export class Store<M> {
  readonly #options: GossipsubOptions
  readonly #topics = new Map<number, Topic>()
  /** In the order of publishing; those before `#first` are over. */
  #messages: Message<M>[] = []
  #first = 0

  constructor(options: GossipsubOptions) {
    this.#options = options
  }

  /** The node's place in a topic that it has heard of. */
  place(home: Home<M>, heardOf: Topic): Place<M> {
    const found = home.places.get(heardOf.id)
    if (found !== undefined) return found
    const topic = this.#topics.get(heardOf.id) ?? heardOf // what was under way may speak of one that has been dropped since
    this.#topics.set(topic.id, topic)
    const place = new Place<M>(topic, this.#options.historyLength)
    topic.places++
    home.places.set(topic.id, place)
    return place
  }

  /** The node's place in a topic that it takes part in. */
  enter(home: Home<M>, id: number): Place<M> {
    invariant(Number.isSafeInteger(id) && id >= 0, 'a topic is a whole number')
    const place = this.place(home, this.#topics.get(id) ?? new Topic(id))
    if (place.slot < 0) place.slot = place.topic.takeSlot()
    this.#activate(home, place)
    return place
  }

  /** A new message, which its author has seen. */
  add(place: Place<M>, author: number, payload: M, bytes: number, now: number): Message<M> {
    invariant(bytes >= 0, 'a message has a size')
    const fieldBytes = messageBytes(bytes, this.#options.topicBytes)
    const sizes = { bytes, fieldBytes, frameBytes: frameBytes(fieldBytes) }
    const message = new Message<M>(place.topic, author, payload, sizes, now)
    message.seen.add(place.slot)
    this.#messages.push(message)
    place.topic.live++
    return message
  }

  /** The node can give the message to those who ask, for the heartbeats of its history. */
  keep(place: Place<M>, message: Message<M>): void {
    message.held.add(place.slot)
    place.history[0]?.push(message)
    place.cached++
  }

  /** Forgets messages that nobody has seen for the first time for long. */
  expire(now: number): void {
    const messages = this.#messages
    for (; this.#first < messages.length; this.#first++) {
      const message = messages[this.#first] as Message<M>
      if (message.lastMs + this.#options.seenTtlMs > now) break
      message.topic.live--
      this.#dropTopic(message.topic)
    }
    if (this.#first < COMPACT_AT && this.#first < messages.length) return
    this.#messages = messages.slice(this.#first)
    this.#first = 0
  }

  /** After a heartbeat: places with nothing left to do are looked at no more. */
  rest(home: Home<M>): void {
    let kept = 0
    for (const place of home.active) {
      if (place.joined || place.cached > 0 || place.fanout !== null || place.backoff !== null || place.topic.live > 0) {
        home.active[kept++] = place
      } else this.#rest(home, place)
    }
    home.active.length = kept
  }

  /** Drops a place that neither the node nor its peers use. */
  dropIdle(home: Home<M>, place: Place<M>): void {
    if (place.active || place.peers.length > 0) return
    home.places.delete(place.topic.id)
    place.topic.places--
    this.#dropTopic(place.topic)
  }

  /** A crash: no message bears a trace of the node. */
  forget(home: Home<M>): void {
    for (let at = this.#first; at < this.#messages.length; at++) {
      const message = this.#messages[at] as Message<M>
      const slot = home.places.get(message.topic.id)?.slot ?? -1
      if (slot < 0) continue
      message.seen.delete(slot)
      message.held.delete(slot)
      message.unwanted?.delete(slot)
    }
    for (const { topic, slot } of home.places.values()) {
      if (slot >= 0) topic.giveSlot(slot)
      topic.places--
      this.#dropTopic(topic)
    }
  }

  sizes(homes: readonly (Home<M> | null)[]): StoreSizes {
    let [held, unwanted, places, slots] = [0, 0, 0, 0]
    for (const home of homes) {
      for (const place of home?.places.values() ?? []) {
        held += place.cached
        places++
      }
    }
    const live = this.#messages.slice(this.#first)
    for (const message of live) for (const sides of message.unwanted?.values() ?? []) unwanted += sides.length
    for (const topic of this.#topics.values()) slots += topic.slots
    return { messages: live.length, held, unwanted, topics: this.#topics.size, places, slots }
  }

  #activate(home: Home<M>, place: Place<M>): void {
    if (place.active) return
    place.active = true
    home.active.push(place)
  }

  #rest(home: Home<M>, place: Place<M>): void {
    place.active = false
    place.topic.giveSlot(place.slot) // no message of the topic lives that could bear it
    place.slot = -1
    this.dropIdle(home, place)
  }

  #dropTopic(topic: Topic): void {
    if (topic.places === 0 && topic.live === 0) this.#topics.delete(topic.id)
  }
}
