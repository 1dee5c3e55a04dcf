/** Who is linked to whom: made from a scenario's words, with what each kind guarantees. */
import type { Rng } from '../../src/core/rng.ts'
import type { Scenario } from '../scenario/schema.ts'
import type { ScenarioFiles } from './files.ts'
import { geographic } from './geography.ts'
import { type Links, linkAt, linksOf, type Pairs, unasked } from './links.ts'
import { erdosRenyi, ring, scaleFree, smallWorld } from './randomGraphs.ts'
import { randomRegular } from './randomRegular.ts'
import { linksFromFile } from './topologyFile.ts'
import type { Topology } from './world.ts'

export type TopologySpec = Scenario['network']['topology']

/**
 * The topology of `nodes` nodes that `spec` describes. Links are mutual, nobody is linked to itself, and no link comes twice. Connected
 * for certain: full, ring, k-regular, scale-free, geographic; nearly always: small-world; not promised: Erdős–Rényi and files.
 * Where `nat` is given (1: can only dial out), links between two such nodes are left out, and nothing is promised to stay connected;
 * of topologies where everybody is linked (`full` is true) the caller leaves them out. Errors: `scenario-topology`, `scenario-file`.
 */
export function topologyOf(
  spec: TopologySpec,
  nodes: number,
  rng: Rng,
  files: ScenarioFiles,
  nat: Uint8Array | null = null,
): Topology {
  if (spec.kind === 'full') return fullyLinked(nodes)
  if (spec.kind === 'geographic') return geographic(spec, nodes, rng)
  if (spec.kind === 'file') {
    const { pairs, latencyMs } = linksFromFile(spec.file, nodes, files)
    return sparse(nodes, linksOf(nodes, pairs, nat, latencyMs))
  }
  return sparse(nodes, linksOf(nodes, pairsOf(spec, nodes, rng), nat))
}

type Drawn = Exclude<TopologySpec, { kind: 'full' | 'geographic' | 'file' }>

function pairsOf(spec: Drawn, nodes: number, rng: Rng): Pairs {
  switch (spec.kind) {
    case 'ring':
      return ring(nodes)
    case 'k-regular':
      return randomRegular(nodes, spec.degree, rng)
    case 'erdos-renyi':
      return erdosRenyi(nodes, spec.meanDegree, rng)
    case 'small-world':
      return smallWorld(nodes, spec.degree, spec.rewire, rng)
    case 'scale-free':
      return scaleFree(nodes, spec.links, rng)
  }
}

/** 1 for each node that can only dial out: `share` of them, to one node, drawn without order. */
export function natOf(nodes: number, share: number, rng: Rng): Uint8Array {
  const nat = new Uint8Array(nodes)
  const count = Math.round(nodes * share)
  if (count > 0) nat.fill(1, 0, count)
  for (let i = 0; i < nodes - 1; i++) {
    const j = i + rng.below(nodes - i)
    const swap = nat[i] as number
    nat[i] = nat[j] as number
    nat[j] = swap
  }
  return nat
}

function fullyLinked(nodes: number): Topology {
  return { nodes, full: true, neighbours: unasked, latencyMs: () => null, regionOf: () => null }
}

function sparse(nodes: number, links: Links): Topology {
  const { from, to, latencyMs } = links
  const latencyOf = (node: number, other: number): number | null => {
    const at = latencyMs === null ? -1 : linkAt(links, node, other)
    const found = at < 0 ? Number.NaN : (latencyMs?.[at] as number)
    return Number.isNaN(found) ? null : found
  }
  return {
    nodes,
    full: false,
    neighbours: (node) => to.subarray(from[node] as number, from[node + 1] as number),
    latencyMs: latencyOf,
    regionOf: () => null,
  }
}
