/**
 * Proof that one key signed conflicting heads. Two heads of one size with different roots are one by themselves; two of different sizes
 * with, under each, the inclusion proof of another leaf at one and the same place. Whoever has the founding can check either.
 */
import { equalBytes } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type Head, openHead, type VerifiedHead } from './head.ts'
import { PROOF_HASHES_MAX, verifyInclusion } from './proof.ts'

/** A leaf in one of two histories, with its audit path. */
export interface ForkLeaf {
  /** Leaf hash, 32 bytes. */
  readonly leaf: Uint8Array
  readonly path: readonly Uint8Array[]
}

/** Evidence that has been checked. */
export interface Fork {
  readonly author: MemberId
  /** The smaller first; of one size, in the order of their notes' bytes. */
  readonly heads: readonly [VerifiedHead, VerifiedHead]
  /** The two histories differ at the latest before this number of entries: before it at some place, or at this one minus 1. */
  readonly differWithin: number
  /** As it is kept and sent. */
  readonly evidence: Uint8Array
}

export const EVIDENCE_BYTES_MAX = 2 * (LIMITS.headBytesMax + PROOF_HASHES_MAX * 34) + 128

/** Evidence of two heads of one size: CBOR of [note, note], the same for both orders. */
export function encodeFork(one: Uint8Array, other: Uint8Array): Uint8Array {
  return encodeCbor(Buffer.compare(one, other) < 0 ? [one, other] : [other, one])
}

/** Evidence of two heads of different sizes, `smaller` first: CBOR of [note, note, index, leaf, path, leaf, path]. */
export function encodeForkAt(
  index: number,
  smaller: { readonly head: Head } & ForkLeaf,
  larger: { readonly head: Head } & ForkLeaf,
): Uint8Array {
  return encodeCbor([smaller.head.note, larger.head.note, index, smaller.leaf, smaller.path, larger.leaf, larger.path])
}

/**
 * Reads evidence and checks that it is one: valid signatures of one author, and histories that differ.
 * Errors: `fork-malformed`, `fork-unproven`, those of `openHead`; all blame the sender.
 */
export function openFork(evidence: Uint8Array, founding: Digest): Fork {
  const value = decodeCbor(evidence, EVIDENCE_BYTES_MAX)
  const items = Array.isArray(value) ? (value as Cbor[]) : []
  const [one, other] = items
  if (!(one instanceof Uint8Array && other instanceof Uint8Array) || (items.length !== 2 && items.length !== 7))
    throw refused(
      'fork-malformed',
      'fork evidence is two notes, or two notes, a place and a leaf with its path under each',
    )
  const heads = [openHead(one, founding), openHead(other, founding)] as const
  const differWithin = items.length === 2 ? sameSize(...heads) : atPlace(...heads, items.slice(2))
  if (differWithin === null)
    throw refused('fork-unproven', 'the two heads do not contradict each other, or do not stand in order')
  return { author: heads[0].author, heads, differWithin, evidence }
}

/** Whether two signed heads contradict each other by themselves. */
export function isFork(one: VerifiedHead, other: VerifiedHead): boolean {
  return one.author === other.author && one.size === other.size && !equalBytes(one.root, other.root)
}

function sameSize(one: VerifiedHead, other: VerifiedHead): number | null {
  return isFork(one, other) && Buffer.compare(one.note, other.note) < 0 ? one.size : null
}

function atPlace(one: VerifiedHead, other: VerifiedHead, rest: readonly Cbor[]): number | null {
  const [index, leafOne, pathOne, leafOther, pathOther] = rest
  if (one.author !== other.author || one.size >= other.size || typeof index !== 'number') return null
  if (!isHash(leafOne) || !isHash(leafOther) || equalBytes(leafOne, leafOther)) return null
  if (!isPath(pathOne) || !isPath(pathOther)) return null
  const proven =
    verifyInclusion(leafOne, index, one.size, pathOne, one.root) &&
    verifyInclusion(leafOther, index, other.size, pathOther, other.root)
  return proven ? index + 1 : null
}

function isHash(value: Cbor | undefined): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32
}

function isPath(value: Cbor | undefined): value is Uint8Array[] & Cbor {
  return Array.isArray(value) && value.length <= PROOF_HASHES_MAX && (value as Cbor[]).every(isHash)
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message, blame: 'reject' })
}
