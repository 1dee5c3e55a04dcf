/**
 * The entry: a header, which is the Merkle leaf, and a salted body beside it that can be dropped without breaking a proof.
 * What is hashed, stored and sent on is always the bytes as they came, never a re-encoding.
 */
import { equalBytes, fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { leafHash } from './merkle.ts'

export const ENTRY_VERSION = 1
export const SALT_BYTES = 32
export const REFS_MAX = 64 // inputs of the largest merge, LIMITS.updateParentsMax
const KIND_LENGTH_MAX = 64 // a column of a table
const HEADER_BYTES_MAX = 8_192 // 64 references of at most 79 bytes, and 250 for the rest

/** A citation of another entry: its author, its place in that author's log, and its hash. */
export type Ref = readonly [author: MemberId, seq: number, hash: Digest]

/** What a header says beside the body's hash. */
export interface EntryFields {
  readonly author: MemberId
  /** Place in the author's log, from 0. */
  readonly seq: number
  /** Hash of the entry before it, 32 bytes; zeros for the first. */
  readonly prev: Uint8Array
  /** Milliseconds since 1970 by the author's clock: a claim. */
  readonly timeMs: number
  /** `round.trained`: lower-case words joined by dots. Unknown kinds are kept, not interpreted. */
  readonly kind: string
  readonly study: StudyId | null
  readonly refs: readonly Ref[]
  /** Lamport time: above that of the entry before it and of everything that its author had read. */
  readonly lamport: number
}

export interface Entry extends EntryFields {
  /** Null where the body has been dropped. */
  readonly body: Cbor | null
  /** SHA-256 of body and salt under the `entryBody` tag, as the header states it. */
  readonly bodyHash: Digest
  /** The entry's hash: the RFC 6962 leaf hash of its header. */
  readonly hash: Digest
  /** The same as 32 bytes. */
  readonly leaf: Uint8Array
  /** The entry as received. */
  readonly raw: Uint8Array
}

/** Encodes an entry. `salt` is 32 bytes of chance that nobody else knows while the body may have to be forgotten. */
export function encodeEntry(fields: EntryFields, salt: Uint8Array, body: Cbor): Uint8Array {
  invariant(salt.length === SALT_BYTES, 'a salt is 32 bytes')
  const fault = faultOf(fields)
  invariant(fault === null, `an entry of our own is well formed: ${fault}`)
  const content = encodeCbor(body)
  const header = encodeCbor([
    ENTRY_VERSION,
    fromHex(fields.author),
    fields.seq,
    fields.prev,
    fields.timeMs,
    fields.kind,
    fields.study === null ? null : fromHex(fields.study),
    fields.refs.map(([author, seq, hash]) => [fromHex(author), seq, fromHex(hash)]),
    fields.lamport,
    fromHex(taggedDigest('entryBody', salt, content)),
  ])
  const raw = encodeCbor([header, salt, content])
  if (raw.length > LIMITS.entryBytesMax) {
    throw new ConsiliumError({
      code: 'entry-too-large',
      message: `an entry of kind ${fields.kind} has ${raw.length} bytes, at most ${LIMITS.entryBytesMax} are allowed: record less, or a digest of it`,
    })
  }
  return raw
}

/**
 * Reads an entry and checks everything that needs no other entry: canonical bytes, shape, bounds, and that the body is the one that
 * the header names. Errors: those of `decodeCbor`, `entry-malformed`, `entry-body`; all blame the sender.
 */
export function decodeEntry(raw: Uint8Array): Entry {
  const outer = decodeCbor(raw, LIMITS.entryBytesMax)
  if (!Array.isArray(outer) || outer.length !== 3) throw malformed('not an array of header, salt and body')
  const [header, salt, content] = outer as Cbor[]
  if (!(header instanceof Uint8Array)) throw malformed('the header is not a byte string')
  const { fields, bodyHash } = readHeader(decodeCbor(header, HEADER_BYTES_MAX))
  const leaf = leafHash(header)
  return { ...fields, body: readBody(bodyHash, salt, content), bodyHash, leaf, hash: toHex(leaf) as Digest, raw }
}

/** The same entry without body and salt: its hash, and so every proof, stays. */
export function dropBody(raw: Uint8Array): Uint8Array {
  const [header] = decodeCbor(raw, LIMITS.entryBytesMax) as [Uint8Array]
  return encodeCbor([header, null, null])
}

/** The lamport time of a stored entry. */
export const lamportOf = (raw: Uint8Array): number => decodeEntry(raw).lamport

function readHeader(value: Cbor): { fields: EntryFields; bodyHash: Digest } {
  if (!Array.isArray(value) || value.length !== 10) throw malformed('the header is not an array of 10')
  const [version, author, seq, prev, timeMs, kind, study, refs, lamport, bodyHash] = value as Cbor[]
  if (version !== ENTRY_VERSION) throw malformed(`header version ${String(version)}, ${ENTRY_VERSION} is expected`)
  if (!Array.isArray(refs) || refs.length > REFS_MAX) throw malformed(`refs is not an array of at most ${REFS_MAX}`)
  const fields = {
    author: hex32(author, 'author') as MemberId,
    seq,
    prev,
    timeMs,
    kind,
    study: study === null ? null : (hex32(study, 'study') as StudyId),
    refs: refs.map(readRef),
    lamport,
  } as EntryFields
  const fault = faultOf(fields)
  if (fault !== null) throw malformed(fault)
  return { fields, bodyHash: hex32(bodyHash, 'body hash') as Digest }
}

function readRef(value: Cbor): Ref {
  if (!Array.isArray(value) || value.length !== 3) throw malformed('a reference is not an array of author, seq and hash')
  const [author, seq, hash] = value as Cbor[]
  if (!isUint(seq)) throw malformed('a reference has no valid seq')
  return [hex32(author, 'reference author') as MemberId, seq, hex32(hash, 'reference hash') as Digest]
}

function readBody(bodyHash: Digest, salt: Cbor | undefined, content: Cbor | undefined): Cbor | null {
  if (salt === null && content === null) return null
  if (!(salt instanceof Uint8Array) || salt.length !== SALT_BYTES || !(content instanceof Uint8Array)) {
    throw malformed('salt and body are neither a 32-byte and a byte string nor both null')
  }
  if (taggedDigest('entryBody', salt, content) !== bodyHash) {
    throw new ConsiliumError({ code: 'entry-body', message: 'entry refused: its body is not the one that its header names', blame: 'reject' })
  }
  const body = decodeCbor(content, LIMITS.entryBytesMax)
  if (body === null || typeof body !== 'object' || Array.isArray(body) || body instanceof Uint8Array) {
    throw malformed('the body is not a map')
  }
  return body
}

const KIND = /^[a-z]+(\.[a-z-]+)+$/
const ZERO_32 = new Uint8Array(32)

/** What is wrong with the fields, or null. */
function faultOf({ seq, prev, timeMs, kind, lamport, refs }: EntryFields): string | null {
  if (!isUint(seq)) return 'seq is not a whole number below 2^53'
  if (!(prev instanceof Uint8Array) || prev.length !== 32) return 'prev is not 32 bytes'
  if ((seq === 0) !== equalBytes(prev, ZERO_32)) return 'prev is zeros in the first entry and nowhere else'
  if (!isUint(timeMs)) return 'the time is not a whole number of milliseconds'
  if (typeof kind !== 'string' || kind.length > KIND_LENGTH_MAX || !KIND.test(kind)) return 'the kind is not lower-case words joined by dots'
  if (!isUint(lamport) || lamport === 0) return 'the lamport time is not a whole number from 1'
  if (refs.length > REFS_MAX) return `more than ${REFS_MAX} references`
  return null
}

function isUint(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)
}

function hex32(value: Cbor | undefined, what: string): string {
  if (!(value instanceof Uint8Array) || value.length !== 32) throw malformed(`${what} is not 32 bytes`)
  return toHex(value)
}

function malformed(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'entry-malformed', message: `entry refused: ${what}`, blame: 'reject' })
}
