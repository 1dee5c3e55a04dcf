/** What a node does with what arrives, and whom it forwards to: the rules of gossipsub between two heartbeats. */
import { invariant } from '../../src/core/errors.ts'
import { addBackoff } from './mesh.ts'
import type { GossipsubOptions } from './options.ts'
import { type Inbox, type News, Outbox } from './outbox.ts'
import type { GossipsubPorts, Verdict } from './ports.ts'
import {
  draw,
  type Flood,
  type Home,
  type Message,
  type Place,
  removeLoose,
  removeOrdered,
  type Side,
  type Topic,
} from './state.ts'
import { Store } from './store.ts'

/** All nodes; each call is about one of them. */
export class Router<M> implements Inbox<M> {
  readonly options: GossipsubOptions
  readonly ports: GossipsubPorts<M>
  /** By node; null while it is down. */
  readonly homes: (Home<M> | null)[]
  readonly store: Store<M>
  readonly outbox: Outbox<M>

  constructor(nodes: number, options: GossipsubOptions, ports: GossipsubPorts<M>) {
    this.options = options
    this.ports = ports
    this.homes = new Array<Home<M> | null>(nodes).fill(null)
    this.store = new Store(options)
    this.outbox = new Outbox(ports.send, options, this)
  }

  onSubscriptions(side: Side, topics: readonly Topic[], subscribe: boolean): void {
    const home = this.homes[side.node] as Home<M>
    const grafted: Topic[] = []
    for (const topic of topics) {
      const place = this.store.place(home, topic)
      if (!subscribe) {
        removeLoose(place.peers, side) // it stays in the mesh until its PRUNE comes, as in the library
        this.store.dropIdle(home, place)
      } else if (!place.peers.includes(side)) {
        place.peers.push(side)
        if (!place.joined || place.mesh.length >= this.options.Dlo || place.mesh.includes(side)) continue
        if (place.backoff?.has(side.peer) === true) continue
        place.mesh.push(side)
        grafted.push(topic)
      }
    }
    if (grafted.length > 0) this.outbox.graft(side, grafted)
  }

  onMessage(side: Side, message: Message<M>): void {
    const { node, peer } = side
    const { counts } = this.outbox
    const home = this.homes[node] as Home<M>
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
    message.lastMs = this.ports.now()
    counts.delivered++
    if (message.bytes >= this.options.idontwantBytesMin) {
      for (const other of place.mesh) if (other !== side) this.outbox.idontwant(other, message)
    }
    let isJudged = false
    this.ports.deliver(node, peer, message.author, message.topic.id, message.payload, (verdict) => {
      invariant(!isJudged, 'a message is judged once')
      isJudged = true
      if (this.homes[node] === home) this.#judged(place, side, message, verdict)
    })
  }

  onIhave(side: Side, news: readonly News<M>[]): void {
    const { ihavesMax, idsMax } = this.options
    const flood = this.#floodOf(side)
    if (++flood.ihaves > ihavesMax || flood.asked >= idsMax) return
    const home = this.homes[side.node] as Home<M>
    const wanted: Message<M>[] = []
    for (const { topic, messages } of news) {
      const place = home.places.get(topic.id)
      if (place?.joined !== true) continue
      for (const message of messages) if (!message.seen.has(place.slot)) wanted.push(message)
    }
    if (wanted.length === 0) return
    const left = idsMax - flood.asked
    const asked = wanted.length > left ? draw(wanted, left, this.ports.rng, () => true) : wanted
    flood.asked += asked.length
    this.outbox.iwant(side, asked)
  }

  onIwant(side: Side, messages: readonly Message<M>[]): void {
    if (++this.#floodOf(side).iwants > this.options.iwantsMax) return
    const home = this.homes[side.node] as Home<M>
    const found = messages.filter((message) => {
      const slot = home.places.get(message.topic.id)?.slot ?? -1
      return slot >= 0 && message.held.has(slot)
    })
    if (found.length > 0) this.outbox.answer(side, found)
  }

  onIdontwant(side: Side, message: Message<M>): void {
    if (++this.#floodOf(side).idontwants > this.options.idontwantsMax) return
    const place = this.homes[side.node]?.places.get(message.topic.id)
    // once forwarded it no longer matters, for who has a message does not ask for it
    if (place === undefined || place.slot < 0 || message.held.has(place.slot)) return
    message.unwanted ??= new Map()
    const sides = message.unwanted.get(place.slot)
    if (sides === undefined) message.unwanted.set(place.slot, [side])
    else sides.push(side)
  }

  onGraft(side: Side, topics: readonly Topic[]): void {
    const home = this.homes[side.node] as Home<M>
    for (const topic of topics) {
      const place = home.places.get(topic.id)
      if (place?.joined !== true || place.mesh.includes(side)) continue
      const isEarly = (place.backoff?.get(side.peer) ?? 0) > this.ports.now()
      if (isEarly || (place.mesh.length >= this.options.Dhi && !side.outbound))
        this.prune(place, side, this.options.pruneBackoffMs)
      else place.mesh.push(side)
    }
  }

  onPrune(side: Side, topics: readonly Topic[], backoffMs: number): void {
    const home = this.homes[side.node] as Home<M>
    for (const topic of topics) {
      const place = home.places.get(topic.id)
      if (place?.joined !== true) continue
      removeOrdered(place.mesh, side)
      addBackoff(place, side.peer, this.ports.now() + backoffMs)
    }
  }

  #judged(place: Place<M>, from: Side, message: Message<M>, verdict: Verdict): void {
    const unwanted = message.unwanted?.get(place.slot)
    if (unwanted !== undefined) message.unwanted?.delete(place.slot)
    if (verdict !== 'accept' || place.slot < 0) return // or the node left so long ago that the message is forgotten
    this.store.keep(place, message)
    for (const side of place.mesh) {
      if (side === from) continue
      if (unwanted?.includes(side)) this.outbox.counts.declined++
      else this.outbox.message(side, message)
    }
  }

  /** The mesh, filled up to D; without a mesh the fanout, which is drawn when it is first used. */
  recipients(place: Place<M>): Side[] {
    const { D, floodPublish } = this.options
    const { mesh, peers } = place
    const { rng } = this.ports
    if (floodPublish) return [...peers]
    if (mesh.length > 0) return [...mesh, ...draw(peers, D - mesh.length, rng, (side) => !mesh.includes(side))]
    if (place.joined || peers.length === 0) return draw(peers, D, rng, () => true)
    place.fanoutMs = this.ports.now()
    if (place.fanout === null || place.fanout.length === 0) place.fanout = draw(peers, D, rng, () => true)
    return place.fanout.filter((side) => side.open)
  }

  /** Tells a peer that it is not, or no more, in the mesh; both keep off for so long. */
  prune(place: Place<M>, side: Side, backoffMs: number): void {
    addBackoff(place, side.peer, this.ports.now() + backoffMs)
    this.outbox.prune(side, [place.topic], backoffMs)
  }

  #floodOf(side: Side): Flood {
    const { tick } = this.homes[side.node] as Home<M>
    side.flood ??= { tick, ihaves: 0, asked: 0, iwants: 0, idontwants: 0 }
    if (side.flood.tick !== tick) Object.assign(side.flood, { tick, ihaves: 0, asked: 0, iwants: 0, idontwants: 0 })
    return side.flood
  }
}
