/**
 * The entry: a header, which is the Merkle leaf, and a salted body beside it that can be dropped without breaking a proof.
 * What is hashed, stored and sent on is always the bytes as they came, never a re-encoding.
 */
import { equalBytes, fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedHash } from '../core/digest.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { EntryReader, entryMalformed } from './entryReader.ts'
import { leafHash } from './merkle.ts'

export const ENTRY_VERSION = 1
export const SALT_BYTES = 32
export const REFS_MAX = 64 // inputs of the largest merge, LIMITS.updateParentsMax
const KIND_LENGTH_MAX = 64 // a column of a table
const HEADER_ITEMS = 10
export const TIME_MS_MAX = 253_370_764_800_000 // 9999-01-01T00:00Z: later ones have no date in RFC 3339

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

/** An entry as `decodeEntry` reads it: checked by itself, its place in the log is not. */
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
    taggedHash('entryBody', salt, content),
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
 * the header names. Errors: `entry-malformed`, `entry-body`, and those of `decodeCbor` for the body; all blame the sender.
 */
export function decodeEntry(raw: Uint8Array): Entry {
  const { header, salt, content } = splitEntry(raw)
  const reader = new EntryReader(header, 'header')
  const start = readStart(reader)
  const refs = readRefs(reader)
  const lamport = reader.uint('lamport time')
  const bodyHash = reader.bytes('body hash', 32)
  reader.end()
  const fields = { ...start, refs, lamport }
  const fault = faultOf(fields)
  if (fault !== null) throw entryMalformed(fault)
  return new ReadEntry(fields, readBody(bodyHash, salt, content), bodyHash, leafHash(header), raw)
}

/** What an entry is filtered by. */
export type Glance = Pick<EntryFields, 'timeMs' | 'kind' | 'study'>

/** The same fields as `decodeEntry` gives, of an entry that it has read before: nothing is hashed, and the body not read. */
export function glanceAt(raw: Uint8Array): Glance {
  return readStart(new EntryReader(headerOf(raw), 'header'))
}

function readStart(reader: EntryReader): Omit<EntryFields, 'refs' | 'lamport'> {
  if (reader.array('header', HEADER_ITEMS) !== HEADER_ITEMS)
    throw entryMalformed(`the header is not an array of ${HEADER_ITEMS}`)
  const version = reader.uint('version')
  if (version !== ENTRY_VERSION) throw entryMalformed(`header version ${version}, ${ENTRY_VERSION} is expected`)
  return {
    author: toHex(reader.bytes('author', 32)) as MemberId,
    seq: reader.uint('seq'),
    prev: reader.bytes('prev', 32),
    timeMs: reader.uint('time'),
    kind: reader.text('kind', KIND_LENGTH_MAX),
    study: reader.skipNull() ? null : (toHex(reader.bytes('study', 32)) as StudyId),
  }
}

/** Hexadecimal digits only when someone asks: of most entries nobody does. */
class ReadEntry implements Entry {
  readonly author: MemberId
  readonly seq: number
  readonly prev: Uint8Array
  readonly timeMs: number
  readonly kind: string
  readonly study: StudyId | null
  readonly refs: readonly Ref[]
  readonly lamport: number
  readonly body: Cbor | null
  readonly leaf: Uint8Array
  readonly raw: Uint8Array
  readonly #bodyHash: Uint8Array

  constructor(fields: EntryFields, body: Cbor | null, bodyHash: Uint8Array, leaf: Uint8Array, raw: Uint8Array) {
    this.author = fields.author
    this.seq = fields.seq
    this.prev = fields.prev
    this.timeMs = fields.timeMs
    this.kind = fields.kind
    this.study = fields.study
    this.refs = fields.refs
    this.lamport = fields.lamport
    this.body = body
    this.leaf = leaf
    this.raw = raw
    this.#bodyHash = bodyHash
  }

  get hash(): Digest {
    return toHex(this.leaf) as Digest
  }

  get bodyHash(): Digest {
    return toHex(this.#bodyHash) as Digest
  }
}

/** The same entry without body and salt: its hash, and so every proof, stays. */
export function dropBody(raw: Uint8Array): Uint8Array {
  return encodeCbor([splitEntry(raw).header, null, null])
}

/** The header's bytes, a view of `raw`: what is hashed as the Merkle leaf, with or without the body. Error: `entry-malformed`. */
export function headerOf(raw: Uint8Array): Uint8Array {
  return splitEntry(raw).header
}

interface Parts {
  readonly header: Uint8Array
  readonly salt: Uint8Array | null
  readonly content: Uint8Array | null
}

function splitEntry(raw: Uint8Array): Parts {
  if (raw.length > LIMITS.entryBytesMax)
    throw entryMalformed(`${raw.length} bytes, at most ${LIMITS.entryBytesMax} are allowed`)
  const reader = new EntryReader(raw, 'entry')
  if (reader.array('entry', 3) !== 3) throw entryMalformed('not an array of header, salt and body')
  const header = reader.bytes('header')
  const salt = reader.skipNull() ? null : reader.bytes('salt', SALT_BYTES)
  const content = reader.skipNull() ? null : reader.bytes('body')
  reader.end()
  if ((salt === null) !== (content === null)) throw entryMalformed('salt and body are not both there or both null')
  return { header, salt, content }
}

function readRefs(reader: EntryReader): Ref[] {
  const refs: Ref[] = []
  for (let left = reader.array('refs', REFS_MAX); left > 0; left--) {
    if (reader.array('reference', 3) !== 3) throw entryMalformed('a reference is not an array of author, seq and hash')
    const author = toHex(reader.bytes('reference author', 32)) as MemberId
    refs.push([author, reader.uint('reference seq'), toHex(reader.bytes('reference hash', 32)) as Digest])
  }
  return refs
}

function readBody(bodyHash: Uint8Array, salt: Uint8Array | null, content: Uint8Array | null): Cbor | null {
  if (salt === null || content === null) return null
  if (!equalBytes(taggedHash('entryBody', salt, content), bodyHash)) {
    throw new ConsiliumError({
      code: 'entry-body',
      message: 'entry refused: its body is not the one that its header names',
      blame: 'reject',
    })
  }
  const body = decodeCbor(content, LIMITS.entryBytesMax)
  if (body === null || typeof body !== 'object' || Array.isArray(body) || body instanceof Uint8Array) {
    throw entryMalformed('the body is not a map')
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
  if (!isUint(timeMs) || timeMs > TIME_MS_MAX)
    return 'the time is not a whole number of milliseconds before the year 9999'
  if (typeof kind !== 'string' || kind.length > KIND_LENGTH_MAX || !KIND.test(kind))
    return 'the kind is not lower-case words joined by dots'
  if (!isUint(lamport) || lamport === 0) return 'the lamport time is not a whole number from 1'
  if (refs.length > REFS_MAX) return `more than ${REFS_MAX} references`
  return null
}

function isUint(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)
}
