/** Links between nodes as two flat arrays: a list of ends while they are made, then each node's neighbours in ascending order. */
import { invariant } from '../../src/core/errors.ts'
import { fault } from './fault.ts'

export const LINK_ENDS_MAX = 400_000_000 // 1.6 GB of neighbours; a million nodes with two hundred links each have half

/** Mutual links of all nodes: neighbours of node i are `to[from[i]]` … `to[from[i + 1] − 1]`, ascending. */
export interface Links {
  readonly from: Uint32Array
  readonly to: Int32Array
  /** Of the link beside it, milliseconds one way; null where links have none of their own. */
  readonly latencyMs: Float32Array | null
}

/** Pairs of linked nodes, growing. */
export class Pairs {
  ends: Int32Array
  count = 0
  constructor(expected: number) {
    if (2 * expected > LINK_ENDS_MAX) throw tooMany()
    this.ends = new Int32Array(2 * Math.ceil(expected) + 16)
  }

  add(a: number, b: number): void {
    const at = 2 * this.count++
    if (at === this.ends.length) this.#grow()
    this.ends[at] = a
    this.ends[at + 1] = b
  }

  #grow(): void {
    if (this.ends.length >= LINK_ENDS_MAX) throw tooMany()
    const grown = new Int32Array(Math.min(LINK_ENDS_MAX, this.ends.length * 2))
    grown.set(this.ends)
    this.ends = grown
  }
}

const tooMany = () => fault('topology', `more than ${LINK_ENDS_MAX / 2} links: lower the degree or nodes.count`)

/**
 * Sorts pairs into links, in time linear in their number. No pair may come twice. Where `nat` is given, pairs of two nodes that can
 * only dial out are left out. `latencyMs` has one entry per pair.
 */
export function linksOf(
  nodes: number,
  pairs: Pairs,
  nat: Uint8Array | null,
  latencyMs: Float32Array | null = null,
): Links {
  const from = new Uint32Array(nodes + 1)
  const { ends, count } = pairs
  const kept = (i: number): boolean => nat === null || !(nat[ends[2 * i] as number] && nat[ends[2 * i + 1] as number])
  for (let i = 0; i < count; i++) {
    if (!kept(i)) continue
    for (const end of [2 * i, 2 * i + 1]) {
      const next = (ends[end] as number) + 1
      from[next] = (from[next] as number) + 1
    }
  }
  for (let node = 0; node < nodes; node++) from[node + 1] = (from[node + 1] as number) + (from[node] as number)
  const to = new Int32Array(from[nodes] as number)
  const pairOf = latencyMs === null ? null : new Uint32Array(to.length)
  const next = from.slice(0, nodes)
  for (let i = 0; i < count; i++) {
    if (!kept(i)) continue
    const [a, b] = [ends[2 * i] as number, ends[2 * i + 1] as number]
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      const at = next[x] as number
      next[x] = at + 1
      to[at] = y
      if (pairOf !== null) pairOf[at] = i
    }
  }
  return sorted(nodes, from, to, pairOf, latencyMs)
}

/** Turning the links around sorts them: taken in the order of their sources they reach each target in that order. */
function sorted(
  nodes: number,
  from: Uint32Array,
  to: Int32Array,
  pairOf: Uint32Array | null,
  latency: Float32Array | null,
): Links {
  const turned = new Int32Array(to.length)
  const latencyMs = latency === null ? null : new Float32Array(to.length)
  const next = from.slice(0, nodes)
  for (let source = 0; source < nodes; source++) {
    for (let i = from[source] as number; i < (from[source + 1] as number); i++) {
      const target = to[i] as number
      const at = next[target] as number
      next[target] = at + 1
      turned[at] = source
      if (latencyMs !== null) latencyMs[at] = latency?.[pairOf?.[i] as number] as number
    }
  }
  return { from, to: turned, latencyMs }
}

/** Where `to` stands among the neighbours of `node`, as an index into `links.to`; −1 where they are not linked. */
export function linkAt({ from, to }: Links, node: number, other: number): number {
  let low = from[node] as number
  let high = (from[node + 1] as number) - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = to[middle] as number
    if (found === other) return middle
    if (found < other) low = middle + 1
    else high = middle - 1
  }
  return -1
}

/** Where everybody is linked a list of neighbours would be all the nodes, for each of them. */
export function unasked(): never {
  invariant(false, 'where everybody is linked to everybody, neighbours are not asked for')
}
