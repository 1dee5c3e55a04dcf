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

/** The roots of the perfect subtrees at the right edge, largest first: one per set bit of the size. */
export class Frontier {
  #size: number
  readonly #roots: Uint8Array[]

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
    for (let n = this.#size; n % 2 === 1; n = Math.floor(n / 2)) {
      const right = this.#roots.pop() as Uint8Array
      const left = this.#roots.pop() as Uint8Array
      this.#roots.push(nodeHash(left, right))
    }
    this.#size++
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
