/**
 * RFC 6962 §2.1 as it is written, by recursion over ranges and with a hash of its own: slow, short, and independent of what is tested.
 * Heads and proofs of any size, and the two verifications as the proofs' definitions read backwards.
 */
import { createHash } from 'node:crypto'

export const hash = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest()
export const leafOf = (data: Uint8Array): Buffer => hash(Uint8Array.of(0), data)
const node = (left: Uint8Array, right: Uint8Array): Buffer => hash(Uint8Array.of(1), left, right)

/** k of RFC 6962: the largest power of two smaller than n. */
export function splitOf(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

const SMALL = 512 // up to here every head is remembered, beyond only those of perfect subtrees

/** Leaves that go on for ever, with the heads and proofs over the first n of them. */
export class ReferenceTree {
  readonly #leaf: (i: number) => Uint8Array
  readonly #alike: (from: number, count: number) => number | string
  readonly #known = new Map<string, Buffer>()

  /**
   * `leaf` gives the data of leaf i. `alike` names the leaves of a subtree: two of one name and count have the same leaves, so a tree
   * of 2^40 leaves needs few hashes; by default each is named by its first leaf.
   */
  constructor(leaf: (i: number) => Uint8Array, alike: (from: number, count: number) => number | string = (at) => at) {
    this.#leaf = leaf
    this.#alike = alike
  }

  leaf(i: number): Buffer {
    return leafOf(this.#leaf(i))
  }

  /** MTH(D[from:to]). */
  head(from: number, to: number): Buffer {
    const n = to - from
    if (n === 0) return hash()
    const k = splitOf(n)
    const make = () => (n === 1 ? this.leaf(from) : node(this.head(from, from + k), this.head(from + k, to)))
    if (n !== 1 && k * 2 !== n && to > SMALL) return make()
    const name = `${this.#alike(from, n)}/${n}`
    const found = this.#known.get(name) ?? make()
    this.#known.set(name, found)
    return found
  }

  /** PATH(m, D[from:to]), §2.1.1. */
  path(m: number, from: number, to: number): Buffer[] {
    if (to - from === 1) return []
    const k = from + splitOf(to - from)
    return m < k ? [...this.path(m, from, k), this.head(k, to)] : [...this.path(m, k, to), this.head(from, k)]
  }

  /** PROOF(m, D[0:n]), §2.1.2. */
  proof(m: number, n: number): Buffer[] {
    return this.#subproof(m, 0, n, true)
  }

  #subproof(m: number, from: number, to: number, known: boolean): Buffer[] {
    if (m === to) return known ? [] : [this.head(from, to)]
    const k = from + splitOf(to - from)
    if (m <= k) return [...this.#subproof(m, from, k, known), this.head(k, to)]
    return [...this.#subproof(m, k, to, false), this.head(from, k)]
  }
}

/** An inclusion proof with what it is to show. */
export interface Inclusion {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly proof: readonly Uint8Array[]
  readonly root: Uint8Array
}

/** A consistency proof with what it is to show. */
export interface Consistency {
  readonly from: number
  readonly fromRoot: Uint8Array
  readonly to: number
  readonly toRoot: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** Whether PATH's definition, read backwards from `leaf`, uses all of the proof and gives the root. */
export function isIncluded({ leaf, index, size, proof, root }: Inclusion): boolean {
  if (!isCount(index) || !isCount(size) || index >= size || !all32([leaf, root, ...proof])) return false
  const rest = [...proof]
  const headOf = (m: number, n: number): Uint8Array | null => {
    if (n === 1) return leaf
    const k = splitOf(n)
    const outer = rest.pop()
    const inner = m < k ? headOf(m, k) : headOf(m - k, n - k)
    if (outer === undefined || inner === null) return null
    return m < k ? node(inner, outer) : node(outer, inner)
  }
  const head = headOf(index, size)
  return head !== null && rest.length === 0 && Buffer.from(root).equals(head)
}

/** Whether SUBPROOF's definition, read backwards, uses all of the proof and gives both roots. */
export function isConsistent({ from, fromRoot, to, toRoot, proof }: Consistency): boolean {
  if (!isCount(from) || !isCount(to) || from === 0 || from > to || !all32([fromRoot, toRoot, ...proof])) return false
  const rest = [...proof]
  const headsOf = (m: number, n: number, known: boolean): [Uint8Array, Uint8Array] | null => {
    if (m === n) {
      const whole = known ? fromRoot : rest.pop()
      return whole === undefined ? null : [whole, whole]
    }
    const k = splitOf(n)
    const outer = rest.pop()
    const inner = m <= k ? headsOf(m, k, known) : headsOf(m - k, n - k, false)
    if (outer === undefined || inner === null) return null
    return m <= k ? [inner[0], node(inner[1], outer)] : [node(outer, inner[0]), node(outer, inner[1])]
  }
  const heads = headsOf(from, to, true)
  return (
    heads !== null &&
    rest.length === 0 &&
    Buffer.from(fromRoot).equals(heads[0]) &&
    Buffer.from(toRoot).equals(heads[1])
  )
}

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0
const all32 = (hashes: readonly Uint8Array[]): boolean => hashes.every(({ length }) => length === 32)
