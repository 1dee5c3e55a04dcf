/** The Merkle tree of RFC 6962 §2.1 over SHA-256, kept as its right edge: what a log needs to grow and to know its root. */
import { sha256 } from '../core/digest.ts'
import { invariant } from '../core/errors.ts'

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

/** MTH({d}) = SHA-256(0x00 ‖ d). For an entry, `data` is its header. */
export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(LEAF, data)
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(NODE, left, right)
}

export const TILE_LEAVES = 256 // a proof hashes one run of leaves and reads one run of nodes per level; C2SP tlog-tiles has the same

/** Levels by their number of leaves; sizes are below 2^53. */
const LEVEL_OF = new Map([2 ** 8, 2 ** 16, 2 ** 24, 2 ** 32, 2 ** 40, 2 ** 48].map((leaves, i) => [leaves, i + 1]))

/** The perfect subtree of 256^level leaves that begins at leaf index × 256^level: kept, so that proofs need not hash a whole log. */
export interface TreeNode {
  /** At least 1. */
  readonly level: number
  readonly index: number
  /** 32 bytes. */
  readonly hash: Uint8Array
}

/** The roots of the perfect subtrees at the right edge, largest first: one per set bit of the size. */
export class Frontier {
  #size: number
  readonly #roots: Uint8Array[]
  readonly #nodes: TreeNode[] = []

  /** A frontier of `size` leaves; `roots` must have one 32-byte hash per set bit of `size`. */
  constructor(size = 0, roots: readonly Uint8Array[] = []) {
    invariant(fitsFrontier(size, roots), 'one 32-byte root per set bit of the size')
    this.#size = size
    this.#roots = [...roots]
  }

  get size(): number {
    return this.#size
  }

  roots(): readonly Uint8Array[] {
    return [...this.#roots]
  }

  /** Adds one leaf hash: amortised one node hash. */
  append(leaf: Uint8Array): void {
    this.#roots.push(leaf)
    let leaves = 1
    for (let n = this.#size; n % 2 === 1; n = Math.floor(n / 2)) {
      const right = this.#roots.pop() as Uint8Array
      const left = this.#roots.pop() as Uint8Array
      const hash = nodeHash(left, right)
      this.#roots.push(hash)
      leaves *= 2
      const level = LEVEL_OF.get(leaves)
      if (level !== undefined) this.#nodes.push({ level, index: (this.#size + 1) / leaves - 1, hash })
    }
    this.#size++
  }

  /** The nodes completed since the frontier was made, in the order of their completion. */
  nodes(): readonly TreeNode[] {
    return [...this.#nodes]
  }

  /** The tree's root; SHA-256 of nothing when empty. */
  root(): Uint8Array {
    let root = this.#roots[this.#roots.length - 1]
    if (root === undefined) return sha256()
    for (let i = this.#roots.length - 2; i >= 0; i--) root = nodeHash(this.#roots[i] as Uint8Array, root)
    return root
  }
}

/** Whether `roots` can be the frontier of `size` leaves: for checking what a disk gave back. */
export function fitsFrontier(size: number, roots: readonly Uint8Array[]): boolean {
  if (!Number.isSafeInteger(size) || size < 0) return false
  let bits = 0
  for (let n = size; n > 0; n = Math.floor(n / 2)) bits += n % 2
  return roots.length === bits && roots.every((root) => root instanceof Uint8Array && root.length === 32)
}
