/**
 * Proof that one key cosigned conflicting heads: two roots of one size of one log, with a valid cosignature of the same witness under
 * each. It needs no note of the author, who may have signed but one of the two; an honest witness never signs both (`witness.ts`).
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { headTextOf, verifyCosignature } from './cosignature.ts'
import { EVIDENCE_BYTES_MAX, type Fork, openFork } from './fork.ts'
import type { Statement } from './witnessWire.ts'

/** Evidence that has been checked. It says nothing of the witness's own log, nor of the author's. */
export interface DoubleCosignature {
  readonly witness: MemberId
  /** Whose log it is of which two roots were cosigned. */
  readonly author: MemberId
  readonly size: number
  /** By root; each with its valid cosignature. */
  readonly statements: readonly [Statement, Statement]
  /** As it is kept and sent. */
  readonly evidence: Uint8Array
}

const ITEMS = 5

/**
 * CBOR of [witness, author, size, [root, seconds, signature], [root, seconds, signature]], the lesser root first. The two are of one
 * witness and about one size of one log.
 */
export function encodeDoubleCosignature(one: Statement, other: Statement): Uint8Array {
  const { author, size, cosignature } = one
  const rows = [one, other]
    .sort((a, b) => Buffer.compare(a.root, b.root))
    .map(({ root, cosignature: { timeS, signature } }) => [root, timeS, signature])
  return encodeCbor([fromHex(cosignature.witness), fromHex(author), size, ...rows])
}

/**
 * Reads evidence and checks that it is one: two roots in order, and both signatures valid. Whether the two are members is the caller's
 * question. Errors: `cosigned-twice-malformed`, `cosigned-twice-unproven`, those of `decodeCbor`; all blame the sender.
 */
export function openDoubleCosignature(evidence: Uint8Array, founding: Digest): DoubleCosignature {
  const items = itemsOf(evidence)
  const [witness, author, size] = items
  const [one, other] = items.slice(3).map((row) => rowOf(row))
  if (items.length !== ITEMS || !isBytes(witness, 32) || !isBytes(author, 32) || !isCount(size) || !one || !other)
    throw refused('cosigned-twice-malformed', 'it is not [witness, author, size, [root, seconds, signature] twice]')
  const statements = [one, other].map(({ root, timeS, signature }): Statement => {
    return {
      author: toHex(author) as MemberId,
      size,
      root,
      cosignature: { witness: toHex(witness) as MemberId, timeS, signature },
    }
  }) as unknown as readonly [Statement, Statement]
  if (!isProven(statements, founding))
    throw refused('cosigned-twice-unproven', 'no two roots in order, each with a valid cosignature of the one witness')
  const [{ author: of, cosignature }] = statements
  return { witness: cosignature.witness, author: of, size, statements, evidence }
}

/** Either kind of evidence, told apart by its number of items. Errors: those of `openFork` and `openDoubleCosignature`. */
export function openEvidence(evidence: Uint8Array, founding: Digest): Fork | DoubleCosignature {
  return itemsOf(evidence).length === ITEMS ? openDoubleCosignature(evidence, founding) : openFork(evidence, founding)
}

function isProven(statements: readonly [Statement, Statement], founding: Digest): boolean {
  const [one, other] = statements
  if (one.author === one.cosignature.witness || Buffer.compare(one.root, other.root) >= 0) return false
  return statements.every(({ author, size, root, cosignature }) =>
    verifyCosignature(headTextOf(founding, author, size, root), cosignature),
  )
}

function itemsOf(evidence: Uint8Array): readonly Cbor[] {
  const value = decodeCbor(evidence, EVIDENCE_BYTES_MAX)
  return Array.isArray(value) ? (value as Cbor[]) : []
}

function rowOf(row: Cbor): { root: Uint8Array; timeS: number; signature: Uint8Array } | null {
  const [root, timeS, signature, ...rest] = Array.isArray(row) ? (row as Cbor[]) : []
  const fits = rest.length === 0 && isBytes(root, 32) && isCount(timeS) && isBytes(signature, 64)
  return fits ? { root, timeS, signature } : null
}

function isBytes(value: Cbor | undefined, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

function isCount(value: Cbor | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message: `evidence against a witness refused: ${message}`, blame: 'reject' })
}
