/** The upkeep of one mesh or fanout at a heartbeat: whom to graft, whom to prune, whom to tell what there is. */
import type { Rng } from '../../src/core/rng.ts'
import type { GossipsubOptions } from './options.ts'
import { draw, type Message, type Place, removeOrdered, type Side } from './state.ts'

const BACKOFF_TICKS = 15 // expired backoffs are looked for every so many heartbeats, as in the library

/** What a heartbeat decided about one mesh; the place's mesh is already so. */
export interface MeshChange {
  readonly grafted: readonly Side[]
  readonly pruned: readonly Side[]
}

const NO_CHANGE: MeshChange = { grafted: [], pruned: [] }

/** Grafts below Dlo up to D, prunes above Dhi down to D, and sees to Dout (gossipsub v1.1, "Mesh maintenance"). */
export function maintainMesh<M>(place: Place<M>, options: GossipsubOptions, rng: Rng): MeshChange {
  const { D, Dlo, Dhi, Dout } = options
  const { mesh, peers } = place
  const outbound = countOutbound(mesh)
  if (mesh.length >= Dlo && mesh.length <= Dhi && outbound >= Dout) return NO_CHANGE
  const isCandidate = (side: Side): boolean => !mesh.includes(side) && place.backoff?.has(side.peer) !== true
  const grafted = mesh.length < Dlo ? draw(peers, D - mesh.length, rng, isCandidate) : []
  mesh.push(...grafted)
  const pruned = mesh.length > Dhi ? excess(mesh, options, rng) : []
  for (const side of pruned) removeOrdered(mesh, side)
  const missing = Dout - countOutbound(mesh)
  if (mesh.length >= Dlo && missing > 0) {
    const dialled = draw(peers, missing, rng, (side) => side.outbound && isCandidate(side) && !pruned.includes(side))
    mesh.push(...dialled)
    grafted.push(...dialled)
  }
  return { grafted, pruned }
}

/** Those beyond D: the oldest Dscore stay, as do enough that the node dialled; the others by lot. */
function excess(mesh: readonly Side[], { D, Dscore, Dout }: GossipsubOptions, rng: Rng): Side[] {
  let order = [...mesh.slice(0, Dscore), ...rng.shuffle(mesh.slice(Dscore))]
  const outbound = countOutbound(order.slice(0, D))
  if (outbound < Dout) {
    const kept = order.slice(0, D).filter((side) => side.outbound)
    const more = order
      .slice(D)
      .filter((side) => side.outbound)
      .slice(0, D - outbound)
    const first = new Set([...more, ...kept])
    order = [...first, ...order.filter((side) => !first.has(side))]
  }
  return order.slice(D)
}

/** Drops who left the topic and fills up to D. */
export function maintainFanout<M>(place: Place<M>, fanout: Side[], options: GossipsubOptions, rng: Rng): void {
  const left = fanout.filter((side) => side.open && place.peers.includes(side))
  const more = draw(place.peers, options.D - left.length, rng, (side) => !left.includes(side))
  place.fanout = [...left, ...more]
}

/** The peers that get no message at once, and so hear of what there is: Dlazy of them, or the gossip factor's share if that is more. */
export function lazyPeers<M>(place: Place<M>, options: GossipsubOptions, rng: Rng): Side[] {
  const eager = place.joined ? place.mesh : (place.fanout ?? [])
  let candidates = place.peers.length
  for (const side of eager) if (place.peers.includes(side)) candidates--
  const target = Math.max(options.Dlazy, Math.floor(options.gossipFactor * candidates))
  return draw(place.peers, target, rng, (side) => !eager.includes(side))
}

/** What can be told of; shared by all who are told. */
export function newsOf<M>(place: Place<M>, options: GossipsubOptions): Message<M>[] {
  const news: Message<M>[] = []
  if (place.cached === 0) return news
  for (let i = 0; i < options.historyGossip; i++) {
    for (const message of place.history[i] as Message<M>[]) news.push(message)
  }
  return news
}

/** Moves the window of what can be asked for on by one heartbeat. */
export function shiftHistory<M>(place: Place<M>): void {
  if (place.cached === 0) return
  const oldest = place.history.pop() as Message<M>[]
  for (const message of oldest) message.held.delete(place.slot)
  place.cached -= oldest.length
  place.history.unshift([])
}

/** Forgets expired backoffs: with a heartbeat of slack, and only every 15 heartbeats, so a peer is kept off up to 16 s longer. */
export function clearBackoff<M>(place: Place<M>, tick: number, now: number, heartbeatMs: number): void {
  if (place.backoff === null || tick % BACKOFF_TICKS !== 0) return
  for (const [peer, untilMs] of place.backoff) if (untilMs + heartbeatMs < now) place.backoff.delete(peer)
  if (place.backoff.size === 0) place.backoff = null
}

/** Keeps a peer off for so long, or for as long as it already is. */
export function addBackoff<M>(place: Place<M>, peer: number, untilMs: number): void {
  place.backoff ??= new Map()
  if ((place.backoff.get(peer) ?? 0) < untilMs) place.backoff.set(peer, untilMs)
}

function countOutbound(sides: readonly Side[]): number {
  let count = 0
  for (const side of sides) if (side.outbound) count++
  return count
}
