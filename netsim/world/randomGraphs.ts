/** Random graphs from the literature, each in time linear in its links. */
import type { Rng } from '../../src/core/rng.ts'
import { ln } from './elementary.ts'
import { fault } from './fault.ts'
import { Pairs } from './links.ts'
import { PairSet } from './pairSet.ts'

/**
 * Every two nodes are linked with the same chance (Erdős and Rényi 1959; Gilbert 1959), so that a node has `meanDegree` links on
 * average. Skips over absent links (Batagelj and Brandes 2005). Not connected in general: below a mean degree of ln(nodes) some nodes
 * have no link at all. Errors: `scenario-topology`.
 */
export function erdosRenyi(nodes: number, meanDegree: number, rng: Rng): Pairs {
  if (meanDegree > nodes - 1) {
    throw fault(
      'topology',
      `network.topology.meanDegree: ${meanDegree} was given, at most ${nodes - 1} is allowed for ${nodes} nodes`,
    )
  }
  const share = meanDegree / (nodes - 1)
  const pairs = new Pairs((nodes * meanDegree) / 2)
  const perSkip = share < 1 ? ln(1 - share) : Number.NEGATIVE_INFINITY
  let [high, low] = [1, -1]
  for (;;) {
    low += 1 + Math.floor(ln(1 - rng.float()) / perSkip)
    while (low >= high) {
      low -= high
      if (++high >= nodes) return pairs
    }
    pairs.add(high, low)
  }
}

/**
 * A ring where each node is linked to its `degree` nearest, one end of each link moved elsewhere with chance `rewire` (Watts and
 * Strogatz 1998). Every node keeps degree ÷ 2 links at least; connected for `rewire` 0 and nearly always above. Errors: `scenario-topology`.
 */
export function smallWorld(nodes: number, degree: number, rewire: number, rng: Rng): Pairs {
  if (degree >= nodes || degree % 2 === 1) {
    const most = nodes - 1 - ((nodes - 1) % 2)
    throw fault(
      'topology',
      `network.topology.degree: ${degree} was given, an even one up to ${most} is allowed for ${nodes} nodes`,
    )
  }
  const half = degree / 2
  const pairs = new Pairs(nodes * half)
  const shortcuts = new PairSet(nodes, nodes * half * rewire)
  const moved = new Uint8Array(nodes * half)
  const linked = (a: number, b: number): boolean => {
    const ahead = (b - a + nodes) % nodes
    const [first, steps] = ahead <= nodes / 2 ? [a, ahead] : [b, nodes - ahead]
    return (steps <= half && moved[first * half + steps - 1] === 0) || shortcuts.has(a, b)
  }
  for (let steps = 1; steps <= half; steps++) {
    for (let node = 0; node < nodes; node++) {
      const near = (node + steps) % nodes
      const far = rng.float() < rewire ? otherThan(nodes, node, linked, rng) : null
      if (far !== null) {
        moved[node * half + steps - 1] = 1
        shortcuts.add(node, far)
      }
      pairs.add(node, far ?? near)
    }
  }
  return pairs
}

const TRIES_MAX = 1_000 // then nearly everybody is linked to it, and the link stays

function otherThan(nodes: number, node: number, linked: (a: number, b: number) => boolean, rng: Rng): number | null {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const other = rng.below(nodes)
    if (other !== node && !linked(node, other)) return other
  }
  return null
}

/**
 * Node after node joins with `links` links, to others in proportion to the links that they have (Barabási and Albert 1999); the first
 * `links` + 1 are all linked. Connected. The share of nodes with k links falls as k^−3. Errors: `scenario-topology`.
 */
export function scaleFree(nodes: number, links: number, rng: Rng): Pairs {
  if (links >= nodes)
    throw fault(
      'topology',
      `network.topology.links: ${links} was given, at most ${nodes - 1} is allowed for ${nodes} nodes`,
    )
  const pairs = new Pairs(nodes * links)
  for (let a = 0; a <= links; a++) for (let b = 0; b < a; b++) pairs.add(a, b)
  const chosenBy = new Int32Array(nodes).fill(-1)
  for (let node = links + 1; node < nodes; node++) {
    const before = 2 * pairs.count // every link has two ends: a random end is a node in proportion to its links
    for (let chosen = 0; chosen < links; ) {
      const other = pairs.ends[rng.below(before)] as number
      if (chosenBy[other] === node) continue
      chosenBy[other] = node
      pairs.add(node, other)
      chosen++
    }
  }
  return pairs
}

/** Each node is linked to the next, and the last to the first. Connected. */
export function ring(nodes: number): Pairs {
  const pairs = new Pairs(nodes)
  for (let node = 0; node < (nodes === 2 ? 1 : nodes); node++) pairs.add(node, (node + 1) % nodes)
  return pairs
}
