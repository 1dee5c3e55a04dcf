/** How a crowd's updates spread: to some linked nodes drawn anew, to all of them, or by the model of gossipsub. */
import type { Rng } from '../../src/core/rng.ts'
import { LOST, type Wires } from '../wires.ts'
import type { CrowdCells } from './cells.ts'
import type { Crowd } from './crowd.ts'
import type { Update } from './update.ts'

/** Puts an update on its way. */
export type Spread = (update: Update, crowd: Crowd) => void

const TRIES = 16 // draws for one receiver; of nodes of which half are up, one in 65,000 sends finds nobody

/**
 * To `fanout` different linked nodes that are up, drawn uniformly for each send (Ormándi et al. 2013, `selectPeer`); fewer where so many
 * are not found within a few draws. Where there are `cells`, in the sender's own.
 */
export function toSome(wires: Wires, fanout: number, rng: Rng, cells: CrowdCells | null): Spread {
  const { topology, nodes } = wires
  const chosen: number[] = []
  return (update, crowd) => {
    const from = update.sender
    const neighbours = cells?.linkedTo(from, topology) ?? (topology.full ? null : topology.neighbours(from))
    const count = neighbours === null ? nodes - 1 : neighbours.length
    chosen.length = 0
    for (let tries = 0; count > 0 && chosen.length < Math.min(fanout, count) && tries < TRIES * fanout; tries++) {
      const drawn = rng.below(count)
      const to = neighbours === null ? (drawn < from ? drawn : drawn + 1) : (neighbours[drawn] as number)
      if (!crowd.isUp(to) || !wires.open(from, to) || chosen.includes(to)) continue
      chosen.push(to)
      send(update, to, crowd, wires)
    }
  }
}

/** To every linked node that is up; where there are `cells`, in the sender's own. */
export function toAll(wires: Wires, cells: CrowdCells | null): Spread {
  const { topology, nodes } = wires
  return (update, crowd) => {
    const { sender } = update
    const neighbours = cells?.linkedTo(sender, topology) ?? (topology.full ? null : topology.neighbours(sender))
    const count = neighbours === null ? nodes : neighbours.length
    for (let i = 0; i < count; i++) {
      const to = neighbours === null ? i : (neighbours[i] as number)
      if (to !== sender && crowd.isUp(to) && wires.open(sender, to)) send(update, to, crowd, wires)
    }
  }
}

function send(update: Update, to: number, crowd: Crowd, wires: Wires): void {
  const delayMs = wires.send(crowd.parts.clock.elapsedMs, update.sender, to, update.bytes)
  if (delayMs !== LOST) crowd.flights.fly(update, to, delayMs)
}
