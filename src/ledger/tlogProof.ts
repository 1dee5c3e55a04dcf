/**
 * One entry's place in a log as a text file: C2SP tlog-proof, v1. It holds the audit path and the (co)signed head; with the entry's
 * header, which is the leaf, any verifier of that format can check it offline.
 */
import { concat, equalBytes, utf8 } from '../core/bytes.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import { COSIGNED_BYTES_MAX } from './cosignature.ts'
import { base64, fromBase64 } from './head.ts'
import { PROOF_HASHES_MAX } from './proof.ts'

/** What a tlog-proof holds, read but not yet believed: `parseCosigned` and `verifyInclusion` say what it is worth. */
export interface TlogProof {
  /** Number of the entry in its log, from 0. */
  readonly index: number
  /** The audit path, lowest first (RFC 6962 §2.1.1): 32 bytes each, at most 63. */
  readonly hashes: readonly Uint8Array[]
  /** The signed note of the head, with or without cosignatures. */
  readonly note: Uint8Array
  /** Whatever the maker adds, such as the entry itself; nothing vouches for it. Absent where there is none, never empty. */
  readonly extra?: Uint8Array
}

const EXTRA_BYTES_MAX = 49_000 // its line then has less than 64 KiB, the most that a reader on Go's bufio.Scanner takes
const HASH_LINE_BYTES = 45 // 44 of base64 and a newline
const FIXED_BYTES_MAX = 64 // the first line, "extra", "index" with 16 digits, newlines: 55
export const TLOG_PROOF_BYTES_MAX =
  COSIGNED_BYTES_MAX + Math.ceil(EXTRA_BYTES_MAX / 3) * 4 + PROOF_HASHES_MAX * HASH_LINE_BYTES + FIXED_BYTES_MAX

const FIRST_LINE = 'c2sp.org/tlog-proof@v1'

/** The text of a tlog-proof. The file is best named `….tlog-proof`. */
export function formatTlogProof({ index, hashes, note, extra }: TlogProof): Uint8Array {
  invariant(Number.isSafeInteger(index) && index >= 0, 'an entry has a number')
  invariant(hashes.length <= PROOF_HASHES_MAX && hashes.every(({ length }) => length === 32), 'a path is of hashes')
  invariant(note.length > 0 && note.length <= COSIGNED_BYTES_MAX, 'a proof ends in a signed head')
  invariant(extra === undefined || (extra.length > 0 && extra.length <= EXTRA_BYTES_MAX), 'extra data has a bound')
  const lines = [FIRST_LINE, ...(extra === undefined ? [] : [`extra ${base64(extra)}`]), `index ${index}`]
  return concat([utf8([...lines, ...hashes.map(base64), '', ''].join('\n')), note])
}

const PROOF =
  /^c2sp\.org\/tlog-proof@v1\n(?:extra ([A-Za-z0-9+/=]+)\n)?index ([0-9]{1,16})\n((?:[A-Za-z0-9+/=]{44}\n)*)\n/

/**
 * Reads a tlog-proof, byte for byte as `formatTlogProof` writes it. Of the note it checks only that there is one.
 * Error: `proof-malformed`, which blames the sender.
 */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  if (bytes.length > TLOG_PROOF_BYTES_MAX)
    throw malformed(`${bytes.length} bytes, at most ${TLOG_PROOF_BYTES_MAX} are allowed`)
  const match = PROOF.exec(latin1(bytes))
  if (match === null) throw malformed('it is not of the form c2sp.org/tlog-proof@v1')
  const [before, extraText, digits, path] = match as unknown as [string, string | undefined, string, string]
  const hashes = path.split('\n').slice(0, -1).map(fromBase64)
  const note = new Uint8Array(bytes.subarray(before.length))
  const extra = extraText === undefined ? {} : { extra: fromBase64(extraText) }
  const proof = { index: Number(digits), hashes, note, ...extra }
  if (!Number.isSafeInteger(proof.index)) throw malformed(`index ${digits} is not below 2^53`)
  if (hashes.length > PROOF_HASHES_MAX)
    throw malformed(`${hashes.length} hashes, at most ${PROOF_HASHES_MAX} are allowed`)
  if (!isBounded(proof) || !equalBytes(formatTlogProof(proof), bytes))
    throw malformed('its note, extra data or hashes are missing, too long or not in canonical form')
  return proof
}

function isBounded({ hashes, note, extra }: TlogProof): boolean {
  const extraFits = extra === undefined || (extra.length > 0 && extra.length <= EXTRA_BYTES_MAX)
  return (
    extraFits && note.length > 0 && note.length <= COSIGNED_BYTES_MAX && hashes.every(({ length }) => length === 32)
  )
}

/** One character for each byte, so that places in the text are places in the bytes. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function malformed(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'proof-malformed', message: `tlog-proof refused: ${what}`, blame: 'reject' })
}
