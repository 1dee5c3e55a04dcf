/**
 * Cosignatures: C2SP tlog-cosignature `cosignature/v1` under the same signed note. A witness says with one that, at its time, the head
 * was the newest that it had seen of this log, that it extends all before, and (ours) that it has durably stored every entry under it.
 */
import { equalBytes, fromUtf8, utf8 } from '../core/bytes.ts'
import { type SigningKey, verify } from '../core/ed25519.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type Head, headText, NOTE_KEY, noteLine, originOf, parseHead, readNoteLine } from './head.ts'

/** One witness's signature under a head, read but not yet believed. */
export interface Cosignature {
  readonly witness: MemberId
  /** Seconds since 1970 by the witness's clock, at least 1. */
  readonly timeS: number
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** A head with cosignatures: one for each witness at most, by key. The author is not among them; its signature is the head's. */
export interface CosignedHead {
  readonly head: Head
  readonly cosignatures: readonly Cosignature[]
}

const LINE_BYTES_MAX = 256 // a name of 91 bytes and 104 of base64, 201 in all
export const COSIGNED_BYTES_MAX = LIMITS.headBytesMax + LIMITS.membersMax * LINE_BYTES_MAX

/** What a witness signs: C2SP tlog-cosignature, v1. `text` is the head's three lines. */
export function cosignatureMessage(text: string, timeS: number): Uint8Array {
  invariant(isTime(timeS), 'a cosignature has a time')
  return utf8(`cosignature/v1\ntime ${timeS}\n${text}`)
}

/** Signs as a witness. `timeS` is the time now; only `witness.ts` decides whether to. */
export function signCosignature(key: SigningKey, text: string, timeS: number): Cosignature {
  return { witness: key.member, timeS, signature: key.sign(cosignatureMessage(text, timeS)) }
}

/** Whether `witness` made this cosignature; about 75 µs. Whether it is a member is the caller's question. */
export function verifyCosignature(text: string, { witness, timeS, signature }: Cosignature): boolean {
  return isTime(timeS) && verify(witness, cosignatureMessage(text, timeS), signature)
}

/** The head's text without its note, for cosignatures that travel by themselves. */
export function headTextOf(founding: Digest, author: MemberId, size: number, root: Uint8Array): string {
  return headText(originOf(founding, author), size, root)
}

/** The note of `head` with one line for each cosignature, by witness. */
export function formatCosigned({ note, author, origin }: Head, cosignatures: readonly Cosignature[]): Uint8Array {
  const sorted = [...cosignatures].sort((a, b) => compareIds(a.witness, b.witness))
  const prefix = origin.slice(0, -author.length)
  const lines = sorted.map(({ witness, timeS, signature }, i) => {
    invariant(
      witness !== author && witness !== sorted[i - 1]?.witness,
      'each witness cosigns once, the author not at all',
    )
    return noteLine(prefix + witness, NOTE_KEY.cosignature, witness, timeBytes(timeS), signature)
  })
  return new Uint8Array(Buffer.concat([note, utf8(lines.join(''))]))
}

/**
 * Reads a head with any number of cosignatures, byte for byte as `formatCosigned` writes it; checks no signature.
 * Errors: those of `parseHead`, `cosigned-malformed`; all blame the sender.
 */
export function parseCosigned(bytes: Uint8Array, founding: Digest | null): CosignedHead {
  if (bytes.length > COSIGNED_BYTES_MAX) throw malformed(`${bytes.length} bytes`)
  const text = fromUtf8(bytes)
  const lines = text.slice(text.indexOf('\n\n') + 2).split('\n')
  if (lines.pop() !== '' || lines.length === 0) throw malformed('it does not end with a signature line')
  const cosigned = lines.slice(1).join('\n').length + (lines.length > 1 ? 1 : 0)
  const head = parseHead(utf8(text.slice(0, text.length - cosigned)), founding)
  const prefix = head.origin.slice(0, -head.author.length)
  const cosignatures = lines.slice(1).map((line) => cosignatureOf(line, prefix))
  const again = cosignatures.some(({ witness }) => witness === head.author) ? null : tryFormat(head, cosignatures)
  if (again === null || !equalBytes(again, bytes))
    throw malformed('not one line for each witness, in order, in canonical form')
  return { head, cosignatures }
}

function tryFormat(head: Head, cosignatures: readonly Cosignature[]): Uint8Array | null {
  const witnesses = new Set(cosignatures.map(({ witness }) => witness))
  return witnesses.size === cosignatures.length ? formatCosigned(head, cosignatures) : null
}

function cosignatureOf(line: string, prefix: string): Cosignature {
  const read = readNoteLine(line, prefix, NOTE_KEY.cosignature)
  if (read === null || read.blob.length !== 72) throw malformed('a line is no cosignature/v1 of a member')
  const time = new DataView(read.blob.buffer, read.blob.byteOffset).getBigUint64(0)
  const timeS = Number(time)
  if (!isTime(timeS)) throw malformed(`time ${time} is not between 1 and 2^53`)
  return { witness: read.member, timeS, signature: read.blob.slice(8) }
}

function isTime(timeS: number): boolean {
  return Number.isSafeInteger(timeS) && timeS > 0
}

function timeBytes(timeS: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(timeS))
  return bytes
}

function malformed(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'cosigned-malformed', message: `cosigned head refused: ${what}`, blame: 'reject' })
}
