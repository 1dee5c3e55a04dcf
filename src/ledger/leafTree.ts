/** A Merkle tree of RFC 6962 whose leaves change: all nodes are kept, so that a change costs one path. */
import { sha256 } from '../core/digest.ts'
import { nodeHash } from './merkle.ts'

const HASH_BYTES = 32

/** The same root as `Frontier` gives over the same leaves: a lone last node of a level goes up as it is. */
export class LeafTree {
  /** From the leaves up; each level is its hashes in a row. */
  readonly #levels: Uint8Array[] = []

  /** `leaves`: their hashes in a row, 32 bytes each; the array is taken over. */
  constructor(leaves: Uint8Array) {
    this.#levels.push(leaves)
    for (let below = leaves; below.length > HASH_BYTES; below = this.#levels.at(-1) as Uint8Array) {
      const parents = new Uint8Array(Math.ceil(below.length / HASH_BYTES / 2) * HASH_BYTES)
      this.#levels.push(parents)
      for (let i = 0; i < parents.length / HASH_BYTES; i++) hashInto(parents, i, below)
    }
  }

  get size(): number {
    return (this.#levels[0] as Uint8Array).length / HASH_BYTES
  }

  /** The hash of leaf `index`; a view. */
  leaf(index: number): Uint8Array {
    return (this.#levels[0] as Uint8Array).subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES)
  }

  /** Replaces leaves; `indices` ascending, `leafOf` gives each one's new hash. Paths that meet are hashed once from there. */
  update(indices: readonly number[], leafOf: (index: number) => Uint8Array): void {
    const leaves = this.#levels[0] as Uint8Array
    for (const index of indices) leaves.set(leafOf(index), index * HASH_BYTES)
    let changed = indices
    for (let level = 1; level < this.#levels.length; level++) {
      const [below, parents] = [this.#levels[level - 1] as Uint8Array, this.#levels[level] as Uint8Array]
      const next: number[] = []
      for (const index of changed) if (next.at(-1) !== index >>> 1) next.push(index >>> 1)
      for (const index of next) hashInto(parents, index, below)
      changed = next
    }
  }

  /** The audit path of RFC 6962 §2.1.1 of leaf `index`, lowest first; a lone last node goes up without one beside it. */
  path(index: number): Uint8Array[] {
    const path: Uint8Array[] = []
    let at = index
    for (const level of this.#levels.slice(0, -1)) {
      const beside = (at ^ 1) * HASH_BYTES
      if (beside < level.length) path.push(level.slice(beside, beside + HASH_BYTES))
      at >>>= 1
    }
    return path
  }

  /** 32 bytes; SHA-256 of nothing where there are no leaves. */
  root(): Uint8Array {
    return this.size === 0 ? sha256() : (this.#levels.at(-1) as Uint8Array).slice()
  }
}

function hashInto(parents: Uint8Array, index: number, below: Uint8Array): void {
  const at = index * 2 * HASH_BYTES
  const left = below.subarray(at, at + HASH_BYTES)
  const right = below.subarray(at + HASH_BYTES, at + 2 * HASH_BYTES)
  parents.set(right.length === 0 ? left : nodeHash(left, right), index * HASH_BYTES)
}
