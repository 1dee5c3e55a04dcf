/**
 * A model of gossipsub v1.2 as @libp2p/gossipsub 17.1.1 does it (libp2p specs, pubsub/gossipsub v1.0, v1.1, v1.2; Vyzovitis et al.
 * 2020), for all nodes of a simulation at once. `test/netsim/gossipsubConformance.ts` holds the two to the same behaviour.
 * Not modelled: peer scores and what hangs on them (opportunistic grafts, graylists), peer exchange, direct peers, the 4 MiB after
 * which a stalled stream is reset, the bound of three answers to one peer for one message, and the time that a signature takes.
 */
import { invariant } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import { addBackoff, clearBackoff, lazyPeers, maintainFanout, maintainMesh, newsOf, shiftHistory } from './mesh.ts'
import { completeOptions, type GossipsubOptions } from './options.ts'
import { type GossipsubCounts, type Inbox, type News, Outbox, type Send } from './outbox.ts'
import {
  draw,
  type Flood,
  Home,
  type Message,
  type Place,
  removeLoose,
  removeOrdered,
  Side,
  type Topic,
} from './state.ts'
import { Store, type StoreSizes } from './store.ts'

export type Verdict = 'accept' | 'ignore' | 'reject'

/** What the model works with; `M` is what messages carry. */
export interface GossipsubPorts<M> {
  /** Virtual milliseconds. */
  now(): number
  /** Plans work in virtual time, whole milliseconds. */
  after(delayMs: number, task: () => void): void
  /** Takes an RPC along a link; never calls `arrive` before it returns. */
  readonly send: Send
  /**
   * A message came to a node that has joined its topic for the first time. `verdict` is called once, now or later; only then and only
   * if accepted is the message forwarded and kept for others to ask for. `from`: the peer that it came from.
   */
  deliver(
    node: number,
    from: number,
    author: number,
    topic: number,
    message: M,
    verdict: (verdict: Verdict) => void,
  ): void
  /** One stream for the whole model. */
  readonly rng: Rng
}

/** Deterministic: the same calls at the same times with the same stream do the same. Nodes and topics are whole numbers from 0. */
export class Gossipsub<M> implements Inbox<M> {
  readonly #options: GossipsubOptions
  readonly #ports: GossipsubPorts<M>
  readonly #homes: (Home<M> | null)[]
  readonly #store: Store<M>
  readonly #outbox: Outbox<M>

  /** Throws on options that contradict each other. Nodes are down until they link, join or publish. */
  constructor(nodes: number, options: Partial<GossipsubOptions>, ports: GossipsubPorts<M>) {
    this.#options = completeOptions(options)
    this.#ports = ports
    this.#homes = new Array<Home<M> | null>(nodes).fill(null)
    this.#store = new Store(this.#options)
    this.#outbox = new Outbox(ports.send, this.#options, this)
  }

  /** A connection stands. Both ends tell each other what they have joined. One that stood before is down first. */
  linkUp(dialler: number, listener: number): void {
    invariant(dialler !== listener, 'a node is not linked to itself')
    this.linkDown(dialler, listener)
    for (const side of Side.pair(dialler, listener)) this.#home(side.node).links.set(side.peer, side)
    for (const [node, peer] of [
      [dialler, listener],
      [listener, dialler],
    ] as const) {
      const home = this.#home(node)
      const joined = [...home.places.values()].filter((place) => place.joined).map((place) => place.topic)
      this.#outbox.subscriptions(home.links.get(peer) as Side, joined, true)
    }
  }

  /** Both ends know that their connection is gone. What is under way on it is lost. */
  linkDown(a: number, b: number): void {
    this.#unlink(a, b)
    this.#unlink(b, a)
  }

  /** Subscribes; once more is nothing. */
  join(node: number, topic: number): void {
    const home = this.#home(node)
    const place = this.#store.enter(home, topic)
    if (place.joined) return
    place.joined = true
    for (const side of home.links.values()) this.#outbox.subscriptions(side, [place.topic], true)
    const isFree = (side: Side): boolean => place.backoff?.has(side.peer) !== true
    const mesh = (place.fanout ?? []).filter((side) => side.open && isFree(side))
    place.fanout = null
    if (mesh.length < this.#options.D) {
      mesh.push(...draw(place.peers, this.#options.D, this.#ports.rng, (side) => !mesh.includes(side) && isFree(side)))
    }
    place.mesh = mesh
    for (const side of mesh) this.#outbox.graft(side, [place.topic])
  }

  /** Unsubscribes; what the node has can still be asked for. */
  leave(node: number, topic: number): void {
    const home = this.#homes[node]
    const place = home?.places.get(topic)
    if (!home || place?.joined !== true) return
    place.joined = false
    for (const side of home.links.values()) this.#outbox.subscriptions(side, [place.topic], false)
    const backoffMs = this.#options.unsubscribeBackoffMs
    for (const side of place.mesh.splice(0)) this.#prune(place, side, backoffMs)
  }

  /** Sends a message of so many bytes of data to the mesh, or without one to the fanout; gives the number of recipients. */
  publish(node: number, topic: number, message: M, bytes: number): number {
    const home = this.#home(node)
    const place = this.#store.enter(home, topic)
    const recipients = this.#recipients(place)
    const record = this.#store.add(place, node, message, bytes, this.#ports.now())
    this.#outbox.counts.published++
    this.#store.keep(place, record)
    for (const side of recipients) this.#outbox.message(side, record)
    return recipients.length
  }

  /** A crash: the node forgets everything. Its peers notice when they are told so by `linkDown`. */
  stop(node: number): void {
    const home = this.#homes[node]
    if (!home) return
    for (const side of home.links.values()) side.open = false
    this.#store.forget(home)
    this.#homes[node] = null
  }

  /** The peers in the node's mesh of a topic, oldest first; none when it has not joined. */
  mesh(node: number, topic: number): number[] {
    return this.#homes[node]?.places.get(topic)?.mesh.map((side) => side.peer) ?? []
  }

  /** The linked peers of which the node knows that they have joined. */
  subscribers(node: number, topic: number): number[] {
    const peers = this.#homes[node]?.places.get(topic)?.peers.map((side) => side.peer) ?? []
    return peers.sort((a, b) => a - b)
  }

  get counts(): Readonly<GossipsubCounts> {
    return this.#outbox.counts
  }

  /** What is kept for all nodes together; counted anew each time. */
  get sizes(): StoreSizes {
    return this.#store.sizes(this.#homes)
  }

  // ---- what arrives; called by the outbox

  onSubscriptions(side: Side, topics: readonly Topic[], subscribe: boolean): void {
    const home = this.#homes[side.node] as Home<M>
    const grafted: Topic[] = []
    for (const topic of topics) {
      const place = this.#store.place(home, topic)
      if (!subscribe) {
        removeLoose(place.peers, side) // it stays in the mesh until its PRUNE comes, as in the library
        this.#store.dropIdle(home, place)
      } else if (!place.peers.includes(side)) {
        place.peers.push(side)
        if (!place.joined || place.mesh.length >= this.#options.Dlo || place.mesh.includes(side)) continue
        if (place.backoff?.has(side.peer) === true) continue
        place.mesh.push(side)
        grafted.push(topic)
      }
    }
    if (grafted.length > 0) this.#outbox.graft(side, grafted)
  }

  onMessage(side: Side, message: Message<M>): void {
    const { node, peer } = side
    const { counts } = this.#outbox
    const home = this.#homes[node] as Home<M>
    const place = home.places.get(message.topic.id)
    if (place === undefined || !place.joined) {
      counts.unwanted++
      return
    }
    if (message.seen.has(place.slot)) {
      counts.duplicates++
      return
    }
    message.seen.add(place.slot)
    message.lastMs = this.#ports.now()
    counts.delivered++
    if (message.bytes >= this.#options.idontwantBytesMin) {
      for (const other of place.mesh) if (other !== side) this.#outbox.idontwant(other, message)
    }
    let isJudged = false
    this.#ports.deliver(node, peer, message.author, message.topic.id, message.payload, (verdict) => {
      invariant(!isJudged, 'a message is judged once')
      isJudged = true
      if (this.#homes[node] === home) this.#judged(place, side, message, verdict)
    })
  }

  onIhave(side: Side, news: readonly News<M>[]): void {
    const { ihavesMax, idsMax } = this.#options
    const flood = this.#floodOf(side)
    if (++flood.ihaves > ihavesMax || flood.asked >= idsMax) return
    const home = this.#homes[side.node] as Home<M>
    const wanted: Message<M>[] = []
    for (const { topic, messages } of news) {
      const place = home.places.get(topic.id)
      if (place?.joined !== true) continue
      for (const message of messages) if (!message.seen.has(place.slot)) wanted.push(message)
    }
    if (wanted.length === 0) return
    const left = idsMax - flood.asked
    const asked = wanted.length > left ? draw(wanted, left, this.#ports.rng, () => true) : wanted
    flood.asked += asked.length
    this.#outbox.iwant(side, asked)
  }

  onIwant(side: Side, messages: readonly Message<M>[]): void {
    if (++this.#floodOf(side).iwants > this.#options.iwantsMax) return
    const home = this.#homes[side.node] as Home<M>
    const found = messages.filter((message) => {
      const slot = home.places.get(message.topic.id)?.slot ?? -1
      return slot >= 0 && message.held.has(slot)
    })
    if (found.length > 0) this.#outbox.answer(side, found)
  }

  onIdontwant(side: Side, message: Message<M>): void {
    if (++this.#floodOf(side).idontwants > this.#options.idontwantsMax) return
    const place = this.#homes[side.node]?.places.get(message.topic.id)
    // once forwarded it no longer matters, for who has a message does not ask for it
    if (place === undefined || place.slot < 0 || message.held.has(place.slot)) return
    message.unwanted ??= new Map()
    const sides = message.unwanted.get(place.slot)
    if (sides === undefined) message.unwanted.set(place.slot, [side])
    else sides.push(side)
  }

  onGraft(side: Side, topics: readonly Topic[]): void {
    const home = this.#homes[side.node] as Home<M>
    for (const topic of topics) {
      const place = home.places.get(topic.id)
      if (place?.joined !== true || place.mesh.includes(side)) continue
      const isEarly = (place.backoff?.get(side.peer) ?? 0) > this.#ports.now()
      if (isEarly || (place.mesh.length >= this.#options.Dhi && !side.outbound))
        this.#prune(place, side, this.#options.pruneBackoffMs)
      else place.mesh.push(side)
    }
  }

  onPrune(side: Side, topics: readonly Topic[], backoffMs: number): void {
    const home = this.#homes[side.node] as Home<M>
    for (const topic of topics) {
      const place = home.places.get(topic.id)
      if (place?.joined !== true) continue
      removeOrdered(place.mesh, side)
      addBackoff(place, side.peer, this.#ports.now() + backoffMs)
    }
  }

  // ---- messages

  #judged(place: Place<M>, from: Side, message: Message<M>, verdict: Verdict): void {
    const unwanted = message.unwanted?.get(place.slot)
    if (unwanted !== undefined) message.unwanted?.delete(place.slot)
    if (verdict !== 'accept') return
    this.#store.keep(place, message)
    for (const side of place.mesh) {
      if (side === from) continue
      if (unwanted?.includes(side)) this.#outbox.counts.declined++
      else this.#outbox.message(side, message)
    }
  }

  /** The mesh, filled up to D; without a mesh the fanout, which is drawn when it is first used. */
  #recipients(place: Place<M>): Side[] {
    const { D, floodPublish } = this.#options
    const { mesh, peers } = place
    const { rng } = this.#ports
    if (floodPublish) return [...peers]
    if (mesh.length > 0) return [...mesh, ...draw(peers, D - mesh.length, rng, (side) => !mesh.includes(side))]
    if (place.joined || peers.length === 0) return draw(peers, D, rng, () => true)
    place.fanoutMs = this.#ports.now()
    if (place.fanout === null || place.fanout.length === 0) place.fanout = draw(peers, D, rng, () => true)
    return place.fanout.filter((side) => side.open)
  }

  // ---- the heartbeat

  #home(node: number): Home<M> {
    const found = this.#homes[node]
    if (found) return found
    invariant(found === null, `there is a node ${node}`)
    const home = new Home<M>(node)
    this.#homes[node] = home
    const { heartbeatMs } = this.#options
    const beat = (): void => {
      if (this.#homes[node] !== home) return // it crashed, and may have come back with another heart
      this.#beat(home)
      this.#ports.after(heartbeatMs, beat)
    }
    this.#ports.after(1 + this.#ports.rng.below(heartbeatMs), beat)
    return home
  }

  #beat(home: Home<M>): void {
    const now = this.#ports.now()
    home.tick++
    this.#store.expire(now)
    const told = new Map<Side, News<M>[]>()
    const [grafts, prunes] = [new Map<Side, Topic[]>(), new Map<Side, Topic[]>()]
    for (const place of home.active) {
      clearBackoff(place, home.tick, now, this.#options.heartbeatMs)
      if (place.joined) this.#maintain(place, grafts, prunes)
      else if (place.fanout !== null) this.#maintainFanout(place, place.fanout)
      this.#tell(place, told)
      shiftHistory(place)
    }
    for (const [side, topics] of grafts) this.#outbox.graft(side, topics)
    for (const [side, topics] of prunes) this.#outbox.prune(side, topics, this.#options.pruneBackoffMs)
    for (const [side, news] of told) this.#outbox.ihave(side, news)
    this.#store.rest(home)
  }

  #maintain(place: Place<M>, grafts: Map<Side, Topic[]>, prunes: Map<Side, Topic[]>): void {
    const { grafted, pruned } = maintainMesh(place, this.#options, this.#ports.rng)
    for (const side of grafted) append(grafts, side, place.topic)
    for (const side of pruned) {
      addBackoff(place, side.peer, this.#ports.now() + this.#options.pruneBackoffMs)
      append(prunes, side, place.topic)
    }
  }

  #maintainFanout(place: Place<M>, fanout: Side[]): void {
    const isOver = place.fanoutMs + this.#options.fanoutTtlMs < this.#ports.now()
    if (isOver) place.fanout = null
    else maintainFanout(place, fanout, this.#options, this.#ports.rng)
  }

  #tell(place: Place<M>, told: Map<Side, News<M>[]>): void {
    if (!place.joined && place.fanout === null) return
    const news = newsOf(place, this.#options)
    if (news.length === 0) return
    const { idsMax } = this.#options
    for (const side of lazyPeers(place, this.#options, this.#ports.rng)) {
      const messages = news.length > idsMax ? draw(news, idsMax, this.#ports.rng, () => true) : news
      append(told, side, { topic: place.topic, messages })
    }
  }

  // ---- small parts

  #prune(place: Place<M>, side: Side, backoffMs: number): void {
    addBackoff(place, side.peer, this.#ports.now() + backoffMs)
    this.#outbox.prune(side, [place.topic], backoffMs)
  }

  #unlink(node: number, peer: number): void {
    const home = this.#homes[node]
    const side = home?.links.get(peer)
    if (!home || side === undefined) return
    side.open = false
    home.links.delete(peer)
    for (const place of home.places.values()) {
      removeLoose(place.peers, side)
      removeOrdered(place.mesh, side)
      if (place.fanout !== null) removeOrdered(place.fanout, side)
      this.#store.dropIdle(home, place)
    }
  }

  #floodOf(side: Side): Flood {
    const { tick } = this.#homes[side.node] as Home<M>
    side.flood ??= { tick, ihaves: 0, asked: 0, iwants: 0, idontwants: 0 }
    if (side.flood.tick !== tick) Object.assign(side.flood, { tick, ihaves: 0, asked: 0, iwants: 0, idontwants: 0 })
    return side.flood
  }
}

function append<T>(lists: Map<Side, T[]>, side: Side, item: T): void {
  const list = lists.get(side)
  if (list === undefined) lists.set(side, [item])
  else list.push(item)
}
