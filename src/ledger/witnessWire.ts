/** What members say of heads by gossip: an author asks for cosignatures, and a witness tells those that it made. And which final heads a peer lacks. */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { COSIGNED_BYTES_MAX, type Cosignature } from './cosignature.ts'
import { EVIDENCE_BYTES_MAX } from './fork.ts'

/** A cosignature that travels without the head's note: the text that it signs is made of these again. */
export interface Statement {
  readonly author: MemberId
  readonly size: number
  /** RFC 6962 root, 32 bytes. */
  readonly root: Uint8Array
  readonly cosignature: Cosignature
}

/** A request is the note of the asking author's own head. */
export type WitnessMessage =
  | { readonly type: 'request'; readonly note: Uint8Array }
  | { readonly type: 'statements'; readonly statements: readonly Statement[] }
  | { readonly type: 'evidence'; readonly evidence: Uint8Array }

export const STATEMENTS_MAX = 256 // of 150 bytes: 40 kB, well within a gossip message
const REQUEST = 0
const STATEMENTS = 1
const EVIDENCE = 2
const MESSAGE_BYTES_MAX = 65_536

/** CBOR of [0, note]. */
export function encodeRequest(note: Uint8Array): Uint8Array {
  return encodeCbor([REQUEST, note])
}

/** CBOR of [1, [[author, size, root, time, signature], …]], all by one witness, which the message around it names. */
export function encodeStatements(statements: readonly Statement[]): Uint8Array {
  invariant(statements.length > 0 && statements.length <= STATEMENTS_MAX, 'a message has statements, and not too many')
  const rows = statements.map(({ author, size, root, cosignature }) => {
    return [fromHex(author), size, root, cosignature.timeS, cosignature.signature]
  })
  return encodeCbor([STATEMENTS, rows])
}

/** CBOR of [2, evidence that one key signed conflicting heads], by whoever has it. */
export function encodeEvidence(evidence: Uint8Array): Uint8Array {
  return encodeCbor([EVIDENCE, evidence])
}

/** `from` is who signed the message. Errors: `witness-malformed`, those of `decodeCbor`; they blame the sender. */
export function decodeWitnessMessage(bytes: Uint8Array, from: MemberId): WitnessMessage {
  const value = decodeCbor(bytes, MESSAGE_BYTES_MAX)
  const [kind, content] = Array.isArray(value) && value.length === 2 ? (value as Cbor[]) : []
  if (kind === REQUEST && content instanceof Uint8Array && content.length <= LIMITS.headBytesMax)
    return { type: 'request', note: content }
  if (kind === EVIDENCE && content instanceof Uint8Array && content.length <= EVIDENCE_BYTES_MAX)
    return { type: 'evidence', evidence: content }
  if (kind !== STATEMENTS || !Array.isArray(content) || content.length === 0 || content.length > STATEMENTS_MAX)
    throw malformed('no request, statements or evidence')
  const statements = (content as Cbor[]).map((row) => statementOf(row, from))
  if (new Set(statements.map(({ author }) => author)).size < statements.length)
    throw malformed('two statements about one log')
  return { type: 'statements', statements }
}

function statementOf(row: Cbor, witness: MemberId): Statement {
  const [author, size, root, timeS, signature, ...rest] = Array.isArray(row) ? (row as Cbor[]) : []
  const fits =
    rest.length === 0 &&
    isBytes(author, 32) &&
    isCount(size) &&
    isBytes(root, 32) &&
    isCount(timeS) &&
    isBytes(signature, 64)
  if (!fits) throw malformed('a statement is not [author, size, root, time, signature]')
  if (toHex(author) === witness) throw malformed('an author does not witness its own log: its signature is the head’s')
  return { author: toHex(author) as MemberId, size, root, cosignature: { witness, timeS, signature } }
}

/** What the asker holds already: CBOR of [[author, size], …]. */
export function encodeFinalsRequest(held: readonly { readonly author: MemberId; readonly size: number }[]): Uint8Array {
  return encodeCbor(held.map(({ author, size }) => [fromHex(author), size]))
}

/** Errors: `finals-malformed`, those of `decodeCbor`; they blame the sender. */
export function decodeFinalsRequest(bytes: Uint8Array): Map<MemberId, number> {
  const value = decodeCbor(bytes, LIMITS.requestBytesMax)
  if (!Array.isArray(value) || value.length > LIMITS.membersMax) throw finalsMalformed('not a list of logs')
  const held = new Map<MemberId, number>()
  for (const row of value as Cbor[]) {
    const [author, size, ...rest] = Array.isArray(row) ? (row as Cbor[]) : []
    if (rest.length > 0 || !isBytes(author, 32) || !isCount(size)) throw finalsMalformed('a log is [author, size]')
    held.set(toHex(author) as MemberId, size)
  }
  if (held.size < value.length) throw finalsMalformed('a log is named twice')
  return held
}

/** One note with its cosignatures: CBOR of it as a byte string. */
export function encodeFinal(note: Uint8Array): Uint8Array {
  return encodeCbor(note)
}

/** Errors: `finals-malformed`, those of `decodeCbor`; they blame the sender. Checks no signature. */
export function decodeFinal(bytes: Uint8Array): Uint8Array {
  const note = decodeCbor(bytes, FINAL_FRAME_BYTES_MAX)
  if (!isBytes(note)) throw finalsMalformed('a final head is a note')
  return note
}

export const FINAL_FRAME_BYTES_MAX = COSIGNED_BYTES_MAX + 5 // and the head of a byte string

function isBytes(value: Cbor | undefined, length?: number): value is Uint8Array {
  return value instanceof Uint8Array && (length === undefined || value.length === length)
}

function isCount(value: Cbor | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

function malformed(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'witness-malformed', message: `witness message refused: ${what}`, blame: 'reject' })
}

function finalsMalformed(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'finals-malformed', message: `final heads refused: ${what}`, blame: 'reject' })
}
