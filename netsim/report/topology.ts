/** The picture of who is linked to whom: a layout by forces, the same every time, or a circle where everybody is linked. */

import { esc } from '../../src/report/html.ts'
import { figure } from '../../src/report/numbers.ts'
import type { NodeSummary, SimulationResult } from '../result.ts'

const BOX = { size: 560, margin: 24 } as const
const STEPS = 160 // beyond it, 200 nodes move by less than a pixel
const DENSE = 0.8 // share of all possible links from which forces show nothing
const DENSE_LINKS = 400 // more are drawn paler
const NAMED_MAX = 14 // more names cover the links

type Topology = SimulationResult['topology']

/** x of node 0, y of node 0, x of node 1 …, each from 0 to 1. */
export function layout({ nodes, links }: Topology): Float64Array {
  return links.length >= (DENSE * nodes * (nodes - 1)) / 2 ? circle(nodes) : forces(nodes, links)
}

function circle(nodes: number): Float64Array {
  const at = new Float64Array(2 * nodes)
  for (let i = 0; i < nodes; i++) {
    const angle = (2 * Math.PI * i) / nodes - Math.PI / 2
    at[2 * i] = 0.5 + 0.5 * Math.cos(angle)
    at[2 * i + 1] = 0.5 + 0.5 * Math.sin(angle)
  }
  return at
}

/** Fruchterman and Reingold 1991, from a circle, with a pull to the middle for what is not linked. */
function forces(nodes: number, links: Topology['links']): Float64Array {
  const at = circle(nodes)
  const wanted = 1 / Math.sqrt(nodes) // distance of linked nodes in a unit square
  for (let step = 0; step < STEPS; step++) {
    const push = new Float64Array(2 * nodes)
    const move = (a: number, b: number, force: number, dx: number, dy: number): void => {
      push[2 * a] = (push[2 * a] as number) + dx * force
      push[2 * a + 1] = (push[2 * a + 1] as number) + dy * force
      push[2 * b] = (push[2 * b] as number) - dx * force
      push[2 * b + 1] = (push[2 * b + 1] as number) - dy * force
    }
    for (let a = 0; a < nodes; a++) {
      for (let b = a + 1; b < nodes; b++) {
        const [dx, dy] = between(at, a, b)
        move(a, b, (wanted * wanted) / Math.max(1e-6, dx * dx + dy * dy), dx, dy)
      }
    }
    for (const [a, b] of links) {
      const [dx, dy] = between(at, a, b)
      move(a, b, -Math.sqrt(dx * dx + dy * dy) / wanted, dx, dy)
    }
    const reach = 0.1 * (1 - step / STEPS) + 0.001
    for (let i = 0; i < nodes; i++) shift(at, push, i, reach)
  }
  return fitted(at)
}

function between(at: Float64Array, a: number, b: number): [number, number] {
  return [(at[2 * a] as number) - (at[2 * b] as number), (at[2 * a + 1] as number) - (at[2 * b + 1] as number)]
}

function shift(at: Float64Array, push: Float64Array, i: number, reach: number): void {
  const [x, y] = [at[2 * i] as number, at[2 * i + 1] as number]
  const dx = (push[2 * i] as number) + (0.5 - x) * 0.3
  const dy = (push[2 * i + 1] as number) + (0.5 - y) * 0.3
  const length = Math.max(1e-9, Math.sqrt(dx * dx + dy * dy))
  at[2 * i] = x + (dx / length) * Math.min(length, reach)
  at[2 * i + 1] = y + (dy / length) * Math.min(length, reach)
}

/** Into the unit square, the longer side filling it. */
function fitted(at: Float64Array): Float64Array {
  const range = (from: number): [number, number] => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (let i = from; i < at.length; i += 2) {
      low = Math.min(low, at[i] as number)
      high = Math.max(high, at[i] as number)
    }
    return [low, high]
  }
  const [x, y] = [range(0), range(1)]
  const side = Math.max(1e-9, x[1] - x[0], y[1] - y[0])
  return at.map((value, i) => {
    const [low, high] = i % 2 === 0 ? x : y
    return 0.5 + (value - (low + high) / 2) / side
  })
}

/** A figure; nodes that attack are squares, those that are down are hollow. Empty without nodes. */
export function topologyPicture({ topology, nodes, scenario }: SimulationResult): string {
  if (topology.nodes === 0) return ''
  const places = layout(topology)
  const inner = BOX.size - 2 * BOX.margin
  const at = (i: number, axis: 0 | 1): string => (BOX.margin + (places[2 * i + axis] as number) * inner).toFixed(1)
  const links = topology.links
    .map(([a, b]) => `<line class="link" x1="${at(a, 0)}" y1="${at(a, 1)}" x2="${at(b, 0)}" y2="${at(b, 1)}"/>`)
    .join('')
  const radius = topology.nodes > 120 ? 3.6 : topology.nodes > 40 ? 5 : 7
  const isNamed = topology.nodes <= NAMED_MAX
  const marks = Array.from({ length: topology.nodes }, (_, i) => {
    const node = nodes[i]
    const name = isNamed
      ? `<text x="${at(i, 0)}" y="${at(i, 1)}" dy="${-radius - 5}" text-anchor="middle">${esc(node?.name ?? i)}</text>`
      : ''
    return mark(at(i, 0), at(i, 1), radius, node, i) + name
  })
  const partly =
    topology.nodes < scenario.nodes.count
      ? `, the first ${topology.nodes} of ${figure(scenario.nodes.count)} nodes`
      : ''
  return `<figure><figcaption><h3>Topology</h3><span class="unit">${esc(scenario.network.topology.kind)}, ${topology.links.length} links drawn${partly}</span></figcaption>
<div class="legend">${legendOf(nodes.slice(0, topology.nodes))}</div>
<svg class="wide${topology.links.length > DENSE_LINKS ? ' dense' : ''}" viewBox="0 0 ${BOX.size} ${BOX.size}" role="img" aria-label="Topology: ${topology.nodes} nodes">${links}${marks.join('')}</svg></figure>`
}

function mark(x: string, y: string, radius: number, node: NodeSummary | undefined, i: number): string {
  const title = node
    ? `${node.name}: ${node.rows} rows, round ${node.round}, AUC ${figure(node.auc)}${node.up ? '' : ', down'}${node.adversary === null ? '' : `, ${node.adversary}`}`
    : `node ${i}`
  const inside = `<title>${esc(title)}</title>`
  if (node?.adversary != null) {
    const [left, top] = [Number(x) - radius, Number(y) - radius]
    return `<rect class="node adv" x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${2 * radius}" height="${2 * radius}">${inside}</rect>`
  }
  return `<circle class="node${node?.up === false ? ' down' : ''}" cx="${x}" cy="${y}" r="${radius}">${inside}</circle>`
}

function legendOf(nodes: readonly NodeSummary[]): string {
  const down = nodes.filter(({ up, adversary }) => !up && adversary === null).length
  const attackers = nodes.filter(({ adversary }) => adversary !== null).length
  const keys = [`<span class="k0"><i class="dot"></i>up <b>${nodes.length - down - attackers}</b></span>`]
  if (down > 0) keys.push(`<span><i class="hollow"></i>down <b>${down}</b></span>`)
  if (attackers > 0) keys.push(`<span class="kx"><i class="square"></i>attackers <b>${attackers}</b></span>`)
  return keys.join('')
}
