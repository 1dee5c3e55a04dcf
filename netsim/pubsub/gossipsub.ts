/**
 * A model of gossipsub v1.2 as @libp2p/gossipsub 17.1.1 does it (libp2p specs, pubsub/gossipsub v1.0, v1.1, v1.2; Vyzovitis et al.
 * 2020), for all nodes of a simulation at once. `test/netsim/gossipsubConformance.ts` holds the two to the same behaviour.
 * Not modelled: peer scores and what hangs on them (opportunistic grafts, graylists), peer exchange, direct peers, the 4 MiB after
 * which a stalled stream is reset, the bound of three answers to one peer for one message, and the time that a signature takes.
 */
import { invariant } from '../../src/core/errors.ts'
import { Heart } from './heart.ts'
import { completeOptions, type GossipsubOptions } from './options.ts'
import type { GossipsubCounts } from './outbox.ts'
import type { GossipsubPorts } from './ports.ts'
import { Router } from './router.ts'
import { draw, Home, removeLoose, removeOrdered, Side } from './state.ts'
import type { StoreSizes } from './store.ts'

/** Deterministic: the same calls at the same times with the same stream do the same. Nodes and topics are whole numbers from 0. */
export class Gossipsub<M> {
  readonly #router: Router<M>
  readonly #heart: Heart<M>

  /** Throws on options that contradict each other. Nodes are down until they link, join or publish. */
  constructor(nodes: number, options: Partial<GossipsubOptions>, ports: GossipsubPorts<M>) {
    this.#router = new Router(nodes, completeOptions(options), ports)
    this.#heart = new Heart(this.#router)
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
      this.#router.outbox.subscriptions(home.links.get(peer) as Side, joined, true)
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
    const place = this.#router.store.enter(home, topic)
    if (place.joined) return
    place.joined = true
    for (const side of home.links.values()) this.#router.outbox.subscriptions(side, [place.topic], true)
    const isFree = (side: Side): boolean => place.backoff?.has(side.peer) !== true
    const mesh = (place.fanout ?? []).filter((side) => side.open && isFree(side))
    place.fanout = null
    if (mesh.length < this.#router.options.D) {
      mesh.push(
        ...draw(
          place.peers,
          this.#router.options.D,
          this.#router.ports.rng,
          (side) => !mesh.includes(side) && isFree(side),
        ),
      )
    }
    place.mesh = mesh
    for (const side of mesh) this.#router.outbox.graft(side, [place.topic])
  }

  /** Unsubscribes; what the node has can still be asked for. */
  leave(node: number, topic: number): void {
    const home = this.#router.homes[node]
    const place = home?.places.get(topic)
    if (!home || place?.joined !== true) return
    place.joined = false
    for (const side of home.links.values()) this.#router.outbox.subscriptions(side, [place.topic], false)
    const backoffMs = this.#router.options.unsubscribeBackoffMs
    for (const side of place.mesh.splice(0)) this.#router.prune(place, side, backoffMs)
  }

  /** Sends a message of so many bytes of data to the mesh, or without one to the fanout; gives the number of recipients. */
  publish(node: number, topic: number, message: M, bytes: number): number {
    const home = this.#home(node)
    const place = this.#router.store.enter(home, topic)
    const recipients = this.#router.recipients(place)
    const record = this.#router.store.add(place, node, message, bytes, this.#router.ports.now())
    this.#router.outbox.counts.published++
    this.#router.store.keep(place, record)
    for (const side of recipients) this.#router.outbox.message(side, record)
    return recipients.length
  }

  /** A crash: the node forgets everything. Its peers notice when they are told so by `linkDown`. */
  stop(node: number): void {
    const home = this.#router.homes[node]
    if (!home) return
    for (const side of home.links.values()) side.open = false
    this.#router.store.forget(home)
    this.#router.homes[node] = null
  }

  /** The peers in the node's mesh of a topic, oldest first; none when it has not joined. */
  mesh(node: number, topic: number): number[] {
    return this.#router.homes[node]?.places.get(topic)?.mesh.map((side) => side.peer) ?? []
  }

  /** The linked peers of which the node knows that they have joined. */
  subscribers(node: number, topic: number): number[] {
    const peers = this.#router.homes[node]?.places.get(topic)?.peers.map((side) => side.peer) ?? []
    return peers.sort((a, b) => a - b)
  }

  get counts(): Readonly<GossipsubCounts> {
    return this.#router.outbox.counts
  }

  /** What is kept for all nodes together; counted anew each time. */
  get sizes(): StoreSizes {
    return this.#router.store.sizes(this.#router.homes)
  }

  #home(node: number): Home<M> {
    const found = this.#router.homes[node]
    if (found) return found
    invariant(found === null, `there is a node ${node}`)
    const home = new Home<M>(node)
    this.#router.homes[node] = home
    this.#heart.start(home)
    return home
  }

  #unlink(node: number, peer: number): void {
    const home = this.#router.homes[node]
    const side = home?.links.get(peer)
    if (!home || side === undefined) return
    side.open = false
    home.links.delete(peer)
    for (const place of home.places.values()) {
      removeLoose(place.peers, side)
      removeOrdered(place.mesh, side)
      if (place.fanout !== null) removeOrdered(place.fanout, side)
      this.#router.store.dropIdle(home, place)
    }
  }
}
