/** The links among the first nodes, for a picture. */
import type { SimulationResult } from './result.ts'
import type { Topology } from './world/world.ts'

const NODES_MAX = 200 // more dots than that are a grey disc
const LINKS_MAX = 2_000

/** Of a topology where everybody is linked to everybody no links are listed. */
export function pictureOf(topology: Topology): SimulationResult['topology'] {
  const shown = Math.min(topology.nodes, NODES_MAX)
  const links: [number, number][] = []
  for (let a = 0; a < shown && !topology.full; a++) {
    for (const b of topology.neighbours(a)) if (b > a && b < shown && links.length < LINKS_MAX) links.push([a, b])
  }
  return { nodes: shown, links }
}
