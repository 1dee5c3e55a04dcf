/** What a node does at its heartbeat: sees to its meshes, and tells peers outside them what there is. */
import { addBackoff, clearBackoff, lazyPeers, maintainFanout, maintainMesh, newsOf, shiftHistory } from './mesh.ts'
import type { News } from './outbox.ts'
import type { Router } from './router.ts'
import { draw, type Home, type Place, type Side, type Topic } from './state.ts'

/** One heart for all nodes, which beats for one at a time. */
export class Heart<M> {
  readonly #router: Router<M>
  constructor(router: Router<M>) {
    this.#router = router
  }

  /** Lets a node's heart beat until it crashes; the first beat comes within one period, so that nodes beat at different times. */
  start(home: Home<M>): void {
    const { ports, homes, options } = this.#router
    const beat = (): void => {
      if (homes[home.node] !== home) return // it crashed, and may have come back with another heart
      this.#beat(home)
      ports.after(options.heartbeatMs, beat)
    }
    ports.after(1 + ports.rng.below(options.heartbeatMs), beat)
  }

  #beat(home: Home<M>): void {
    const now = this.#router.ports.now()
    home.tick++
    this.#router.store.expire(now)
    const told = new Map<Side, News<M>[]>()
    const [grafts, prunes] = [new Map<Side, Topic[]>(), new Map<Side, Topic[]>()]
    for (const place of home.active) {
      clearBackoff(place, home.tick, now, this.#router.options.heartbeatMs)
      if (place.joined) this.#maintain(place, grafts, prunes)
      else if (place.fanout !== null) this.#maintainFanout(place, place.fanout)
      this.#tell(place, told)
      shiftHistory(place)
    }
    for (const [side, topics] of grafts) this.#router.outbox.graft(side, topics)
    for (const [side, topics] of prunes) this.#router.outbox.prune(side, topics, this.#router.options.pruneBackoffMs)
    for (const [side, news] of told) this.#router.outbox.ihave(side, news)
    this.#router.store.rest(home)
  }

  #maintain(place: Place<M>, grafts: Map<Side, Topic[]>, prunes: Map<Side, Topic[]>): void {
    const { grafted, pruned } = maintainMesh(place, this.#router.options, this.#router.ports.rng)
    for (const side of grafted) append(grafts, side, place.topic)
    for (const side of pruned) {
      addBackoff(place, side.peer, this.#router.ports.now() + this.#router.options.pruneBackoffMs)
      append(prunes, side, place.topic)
    }
  }

  #maintainFanout(place: Place<M>, fanout: Side[]): void {
    const isOver = place.fanoutMs + this.#router.options.fanoutTtlMs < this.#router.ports.now()
    if (isOver) place.fanout = null
    else maintainFanout(place, fanout, this.#router.options, this.#router.ports.rng)
  }

  #tell(place: Place<M>, told: Map<Side, News<M>[]>): void {
    if (!place.joined && place.fanout === null) return
    const news = newsOf(place, this.#router.options)
    if (news.length === 0) return
    const { idsMax } = this.#router.options
    for (const side of lazyPeers(place, this.#router.options, this.#router.ports.rng)) {
      const messages = news.length > idsMax ? draw(news, idsMax, this.#router.ports.rng, () => true) : news
      append(told, side, { topic: place.topic, messages })
    }
  }
}

function append<T>(lists: Map<Side, T[]>, side: Side, item: T): void {
  const list = lists.get(side)
  if (list === undefined) lists.set(side, [item])
  else list.push(item)
}
