/** A random graph where every node has the same number of links: ends are paired at random, then what is wrong is switched away. */
import type { Rng } from '../../src/core/rng.ts'
import { fault } from './fault.ts'
import { Pairs } from './links.ts'

const TRIES_MAX = 2_000 // partners looked at for one bad link; with half of all pairs linked a few do
const ATTEMPTS_MAX = 50 // pairings; each is repaired with a chance near 1

/**
 * Links of a random `degree`-regular graph: simple, and connected for degrees of 2 and more. The pairing model (Bollobás 1980); loops,
 * double links and separate parts are removed by switching the ends of two links, so graphs are nearly, not exactly, equally likely.
 * A graph with more than half of all links is the complement of one with fewer. Errors: `scenario-topology`.
 */
export function randomRegular(nodes: number, degree: number, rng: Rng): Pairs {
  if (degree >= nodes)
    throw fault(
      'topology',
      `network.topology.degree: ${degree} was given, at most ${nodes - 1} is allowed for ${nodes} nodes`,
    )
  if ((nodes * degree) % 2 === 1) {
    throw fault(
      'topology',
      `network.topology.degree: ${degree} was given, an even one is allowed for an odd number of nodes (${nodes})`,
    )
  }
  const dense = degree > (nodes - 1) / 2
  const sparse = dense ? nodes - 1 - degree : degree
  const pairs = new Pairs((nodes * degree) / 2)
  const mates = paired(nodes, sparse, rng)
  if (dense) addAbsent(pairs, nodes, sparse, mates)
  else {
    joinParts(nodes, sparse, mates)
    for (let end = 0; end < mates.length; end++) {
      const mate = mates[end] as number
      if (end < mate) pairs.add(Math.floor(end / degree), Math.floor(mate / degree))
    }
  }
  return pairs
}

/** Ends `node × degree + i` and the end that each is linked to. */
function paired(nodes: number, degree: number, rng: Rng): Uint32Array {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const ends = rng.shuffle(Uint32Array.from({ length: nodes * degree }, (_, end) => end))
    const mates = new Uint32Array(ends.length)
    for (let i = 0; i < ends.length; i += 2) {
      mates[ends[i] as number] = ends[i + 1] as number
      mates[ends[i + 1] as number] = ends[i] as number
    }
    if (repaired(nodes, degree, mates, rng)) return mates
  }
  throw fault('topology', `no ${degree}-regular graph of ${nodes} nodes was found: choose another degree`)
}

function repaired(nodes: number, degree: number, mates: Uint32Array, rng: Rng): boolean {
  const nodeOf = (end: number): number => Math.floor(end / degree)
  const links = (x: number, y: number): number => {
    let count = 0
    for (let end = x * degree; end < (x + 1) * degree; end++) if (nodeOf(mates[end] as number) === y) count++
    return count
  }
  for (const end of badEnds(nodes, degree, mates)) {
    const x = nodeOf(end)
    let tries = 0
    for (;;) {
      const mate = mates[end] as number
      const y = nodeOf(mate)
      if (x !== y && links(x, y) === 1) break
      if (++tries > TRIES_MAX) return false
      const other = rng.below(mates.length)
      const otherMate = mates[other] as number
      const [u, v] = [nodeOf(other), nodeOf(otherMate)]
      const simple = x !== u && y !== v && links(x, u) === 0 && links(y, v) === 0
      if (simple && !(x === y && u === v)) swapMates(mates, end, other)
    }
  }
  return true
}

/** (a, mate of a) and (b, mate of b) become (a, b) and the two mates. */
function swapMates(mates: Uint32Array, a: number, b: number): void {
  const [c, d] = [mates[a] as number, mates[b] as number]
  mates[a] = b
  mates[b] = a
  mates[c] = d
  mates[d] = c
}

/** Ends of loops and of second links between two nodes. */
function badEnds(nodes: number, degree: number, mates: Uint32Array): number[] {
  const bad: number[] = []
  const seenBy = new Int32Array(nodes).fill(-1)
  for (let node = 0; node < nodes; node++) {
    for (let end = node * degree; end < (node + 1) * degree; end++) {
      const other = Math.floor((mates[end] as number) / degree)
      if (other === node || seenBy[other] === node) bad.push(end)
      seenBy[other] = node
    }
  }
  return bad
}

/** Switches a link of each further part with one of the first: both lie on a cycle, so that neither part falls apart. */
function joinParts(nodes: number, degree: number, mates: Uint32Array): void {
  const walk: Walk = { arrival: new Int32Array(nodes).fill(UNSEEN), queue: new Int32Array(nodes) }
  let spare = -1
  for (let start = 0; start < nodes; start++) {
    if (walk.arrival[start] !== UNSEEN) continue
    const onCycle = spanned(start, degree, mates, walk)
    if (spare >= 0) {
      const mate = mates[spare] as number
      swapMates(mates, spare, onCycle)
      spare = mate // its link is the second of two between the parts, so it may go when the next part comes
    } else spare = onCycle
  }
}

const UNSEEN = -2
const ROOT = -1

interface Walk {
  /** Of each node, the end of its by which it was reached. */
  readonly arrival: Int32Array
  readonly queue: Int32Array
}

/** Walks the part of `start`; returns an end of a link that the walk's tree leaves out: there is one where degrees are 2 or more. */
function spanned(start: number, degree: number, mates: Uint32Array, { arrival, queue }: Walk): number {
  queue[0] = start
  arrival[start] = ROOT
  let left = -1
  for (let at = 0, length = 1; at < length; at++) {
    const node = queue[at] as number
    for (let end = node * degree; end < (node + 1) * degree; end++) {
      const mate = mates[end] as number
      const other = Math.floor(mate / degree)
      if (arrival[other] === UNSEEN) {
        arrival[other] = mate
        queue[length++] = other
      } else if (arrival[node] !== end) left = end
    }
  }
  return left
}

/** All pairs that the mates don't link. */
function addAbsent(pairs: Pairs, nodes: number, degree: number, mates: Uint32Array): void {
  const linkedTo = new Int32Array(nodes).fill(-1)
  for (let node = 0; node < nodes; node++) {
    for (let end = node * degree; end < (node + 1) * degree; end++)
      linkedTo[Math.floor((mates[end] as number) / degree)] = node
    for (let other = node + 1; other < nodes; other++) if (linkedTo[other] !== node) pairs.add(node, other)
  }
}
