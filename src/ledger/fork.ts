/** Proof that one key signed conflicting heads: two notes of one log, equal in size and different in root. */
import { equalBytes } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { openHead, type VerifiedHead } from './head.ts'

/** Evidence that has been checked; `heads` are in the order of their notes' bytes. */
export interface Fork {
  readonly author: MemberId
  readonly size: number
  readonly heads: readonly [VerifiedHead, VerifiedHead]
}

const EVIDENCE_BYTES_MAX = 2 * LIMITS.headBytesMax + 16

/** The evidence as it is kept and sent; the same for both orders of the notes. */
export function encodeFork(one: Uint8Array, other: Uint8Array): Uint8Array {
  return encodeCbor(Buffer.compare(one, other) < 0 ? [one, other] : [other, one])
}

/**
 * Reads evidence and checks that it is one: two valid signatures of one author under one size and two roots.
 * Errors: `fork-malformed`, `fork-unproven`, those of `openHead`; all blame the sender.
 */
export function openFork(evidence: Uint8Array, founding: Digest): Fork {
  const value = decodeCbor(evidence, EVIDENCE_BYTES_MAX)
  if (!Array.isArray(value) || value.length !== 2 || !(value as Cbor[]).every((note) => note instanceof Uint8Array)) {
    throw refused('fork-malformed', 'fork evidence is two notes')
  }
  const [one, other] = (value as Uint8Array[]).map((note) => openHead(note, founding)) as [VerifiedHead, VerifiedHead]
  if (!isFork(one, other) || Buffer.compare(one.note, other.note) >= 0) {
    throw refused(
      'fork-unproven',
      'the two heads are not of one log and one size with different roots, in the order of their bytes',
    )
  }
  return { author: one.author, size: one.size, heads: [one, other] }
}

/** Whether two signed heads contradict each other by themselves. */
export function isFork(one: VerifiedHead, other: VerifiedHead): boolean {
  return one.author === other.author && one.size === other.size && !equalBytes(one.root, other.root)
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message, blame: 'reject' })
}
