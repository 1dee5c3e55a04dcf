/** Nodes in regions, with a latency between each two of them. */
import type { Rng } from '../../src/core/rng.ts'
import type { Scenario } from '../scenario/schema.ts'
import { apportion } from './apportion.ts'
import { fault } from './fault.ts'
import { unasked } from './links.ts'
import type { Topology } from './world.ts'

type Regions = Extract<Scenario['network']['topology'], { kind: 'geographic' }>

const SHARES_OFF_MAX = 1e-6 // thirds written with six digits are meant to be thirds

/** Everybody is linked to everybody; regions have their share of the nodes, to one node, dealt at random. Errors: `scenario-topology`. */
export function geographic(spec: Regions, nodes: number, rng: Rng): Topology {
  const { regions, latencyMs } = spec
  const rows = latencyMs.filter((row) => row.length === regions.length).length
  if (latencyMs.length !== regions.length || rows !== regions.length) {
    const given = `${latencyMs.length} rows of ${[...new Set(latencyMs.map((row) => row.length))].join(' or ')} were given`
    throw fault(
      'topology',
      `network.topology.latencyMs: ${given}, ${regions.length} rows of ${regions.length} are allowed: one for each region`,
    )
  }
  const total = regions.reduce((sum, { share }) => sum + share, 0)
  if (Math.abs(total - 1) > SHARES_OFF_MAX)
    throw fault('topology', `network.topology.regions: the shares sum to ${total}, 1 is allowed`)
  const counts = apportion(
    nodes,
    regions.map(({ share }) => share),
  )
  const order = rng.shuffle(Uint32Array.from({ length: nodes }, (_, node) => node))
  const regionAt = new Uint8Array(nodes)
  let next = 0
  for (const [region, count] of counts.entries())
    for (let i = 0; i < count; i++) regionAt[order[next++] as number] = region
  return {
    nodes,
    full: true,
    neighbours: unasked,
    latencyMs: (from, to) => latencyMs[regionAt[from] as number]?.[regionAt[to] as number] as number,
    regionOf: (node) => regions[regionAt[node] as number]?.name as string,
  }
}
