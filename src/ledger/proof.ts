/**
 * Inclusion and consistency proofs of RFC 6962 §2.1.1 and §2.1.2. Making one needs hashes that lie on a disk, so a maker is a
 * generator that asks for them (`Ask`) and leaves waiting to its caller; checking one needs nothing.
 */
import { equalBytes } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import { nodeHash } from './merkle.ts'

/** The perfect subtree over leaves `from` ≤ i < `to`: `to - from` is a power of two that divides `from`. */
export interface Subtree {
  readonly from: number
  readonly to: number
}

/** Yields subtrees whose hashes (MTH, 32 bytes) it is to be resumed with; ends with what was made of them. */
export type Ask<T> = Generator<Subtree, T, Uint8Array>

export const PROOF_HASHES_MAX = 63 // C2SP tlog-proof; a tree of 2^53 leaves needs 53

/** The audit path of leaf `index` in the tree of `size` leaves, lowest first (RFC 6962 §2.1.1). */
export function* inclusionProof(index: number, size: number): Ask<Uint8Array[]> {
  invariant(Number.isSafeInteger(index) && index >= 0 && index < size, 'a leaf lies within its tree')
  return yield* pathTo(index, 0, size)
}

/** The consistency proof between the first `from` leaves and the first `to` (RFC 6962 §2.1.2); empty where they are equal. */
export function* consistencyProof(from: number, to: number): Ask<Uint8Array[]> {
  invariant(
    Number.isSafeInteger(from) && from > 0 && from <= to,
    'the smaller tree has leaves, and the larger has no fewer',
  )
  return from === to ? [] : yield* subproof(from, 0, to, true)
}

/** MTH of leaves `from` ≤ i < `to`, any range that RFC 6962 names: the root, and every node of a path. */
export function* treeHash(from: number, to: number): Ask<Uint8Array> {
  const count = to - from
  const split = largestPowerBelow(count)
  if (split * 2 === count || count === 1) return yield { from, to }
  const left = yield { from, to: from + split }
  return nodeHash(left, yield* treeHash(from + split, to))
}

/** Runs `ask` with hashes that are at hand. */
export function answer<T>(ask: Ask<T>, hashOf: (subtree: Subtree) => Uint8Array): T {
  let next = ask.next()
  while (!next.done) next = ask.next(hashOf(next.value))
  return next.value
}

/** Whether `proof` shows `leaf` (a leaf hash) to be number `index` of the tree with `root` over `size` leaves. Never throws. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isIndex(index) || !isIndex(size) || index >= size || !areHashes([leaf, root, ...proof])) return false
  let hash = leaf
  let at = index
  let last = size - 1
  for (const sibling of proof) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash)
      while (at % 2 === 0 && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else hash = nodeHash(hash, sibling)
    at = half(at)
    last = half(last)
  }
  return last === 0 && equalBytes(hash, root)
}

/** Whether `proof` shows that the tree with `toRoot` over `to` leaves begins with that of `fromRoot` over `from`. Never throws. */
export function verifyConsistency(
  from: number,
  fromRoot: Uint8Array,
  to: number,
  toRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isIndex(from) || !isIndex(to) || from === 0 || from > to) return false
  if (!areHashes([fromRoot, toRoot, ...proof])) return false
  if (from === to) return proof.length === 0 && equalBytes(fromRoot, toRoot)
  let at = from - 1
  let last = to - 1
  while (at % 2 === 1) {
    at = half(at)
    last = half(last)
  }
  const path = at === 0 ? [fromRoot, ...proof] : [...proof] // a perfect smaller tree is a node of the larger, and is left out
  const first = path.shift()
  if (first === undefined) return false
  let older = first
  let newer = first
  for (const sibling of path) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      older = nodeHash(sibling, older)
      newer = nodeHash(sibling, newer)
      while (at % 2 === 0 && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else newer = nodeHash(newer, sibling)
    at = half(at)
    last = half(last)
  }
  return last === 0 && equalBytes(older, fromRoot) && equalBytes(newer, toRoot)
}

function* pathTo(index: number, from: number, to: number): Ask<Uint8Array[]> {
  if (to - from === 1) return []
  const split = from + largestPowerBelow(to - from)
  const below = index < split ? yield* pathTo(index, from, split) : yield* pathTo(index, split, to)
  return [...below, index < split ? yield* treeHash(split, to) : yield* treeHash(from, split)]
}

function* subproof(upTo: number, from: number, to: number, whole: boolean): Ask<Uint8Array[]> {
  if (upTo === to) return whole ? [] : [yield* treeHash(from, to)]
  const split = from + largestPowerBelow(to - from)
  if (upTo <= split) return [...(yield* subproof(upTo, from, split, whole)), yield* treeHash(split, to)]
  return [...(yield* subproof(upTo, split, to, false)), yield* treeHash(from, split)]
}

/** The largest power of two below `count`; 1 for a count of 1. */
function largestPowerBelow(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}

function half(n: number): number {
  return Math.floor(n / 2)
}

function isIndex(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.length <= PROOF_HASHES_MAX + 2 && hashes.every((hash) => hash.length === 32)
}
