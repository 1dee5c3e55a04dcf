/** The signed head of a log: a C2SP tlog-checkpoint in a C2SP signed-note, with the author's Ed25519 signature. */
import { concat, equalBytes, fromHex, fromUtf8, toHex, utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/digest.ts'
import { type SigningKey, verify } from '../core/ed25519.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'

/** A head that has been read but not yet believed. */
export interface Head {
  readonly author: MemberId
  /** First line of the note, and the name of the key that signed it. */
  readonly origin: string
  /** Number of entries, at least 1. */
  readonly size: number
  /** RFC 6962 root of the first `size` entries, 32 bytes. */
  readonly root: Uint8Array
  /** What is signed: three lines, each ended by a newline. */
  readonly text: string
  /** 64 bytes. */
  readonly signature: Uint8Array
  /** The whole note, as received. */
  readonly note: Uint8Array
}

declare const verified: unique symbol
/** A head whose signature has been checked; only `verifyHead` makes one. */
export type VerifiedHead = Head & { readonly [verified]: true }

/** Origin of a member's log: `consilium/<first 16 hex digits of the founding's digest>/<member id>`. */
export function originOf(founding: Digest, author: MemberId): string {
  return `consilium/${founding.slice(0, 16)}/${author}`
}

/** The checkpoint text. */
export function headText(origin: string, size: number, root: Uint8Array): string {
  invariant(
    Number.isSafeInteger(size) && size > 0 && root.length === 32,
    'a head covers entries and has a 32-byte root',
  )
  return `${origin}\n${size}\n${base64(root)}\n`
}

/** The signature types of C2SP signed-note (Ed25519) and tlog-cosignature (timestamped Ed25519, v1) that enter a key's hash. */
export const NOTE_KEY = { head: 1, cosignature: 4 } as const

/** One signature line: `— name base64(key hash ‖ parts)`. `key` is the Ed25519 key whose hash the line carries. */
export function noteLine(name: string, type: number, key: MemberId, ...parts: readonly Uint8Array[]): string {
  return `\u2014 ${name} ${base64(concat([keyHash(name, type, key), ...parts]))}\n`
}

/** The member whose key is named after `prefix`, and what follows the key hash; null where the line is not of that form. */
export function readNoteLine(
  line: string,
  prefix: string,
  type: number,
): { member: MemberId; blob: Uint8Array } | null {
  const [dash, name = '', text = '', ...rest] = line.split(' ')
  const member = name.slice(prefix.length) as MemberId
  if (dash !== '\u2014' || rest.length > 0 || !name.startsWith(prefix) || !/^[0-9a-f]{64}$/.test(member)) return null
  const blob = fromBase64(text)
  if (blob.length < 4 || !equalBytes(blob.subarray(0, 4), keyHash(name, type, member))) return null
  return { member, blob: blob.slice(4) }
}

/** The signed note: text, empty line, one signature line. `author` is the Ed25519 key whose hash the line carries. */
export function formatNote(text: string, name: string, author: MemberId, signature: Uint8Array): Uint8Array {
  return utf8(`${text}\n${noteLine(name, NOTE_KEY.head, author, signature)}`)
}

/** Signs the head of the key's own log. */
export function signHead(key: SigningKey, founding: Digest, size: number, root: Uint8Array): VerifiedHead {
  const origin = originOf(founding, key.member)
  const text = headText(origin, size, root)
  const signature = key.sign(utf8(text))
  const note = formatNote(text, origin, key.member, signature)
  return { author: key.member, origin, size, root, text, signature, note } as VerifiedHead
}

const NOTE =
  /^(consilium\/[0-9a-f]{16}\/([0-9a-f]{64}))\n([1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n\n\u2014 \1 ([A-Za-z0-9+/]{91}=)\n$/

/**
 * Reads a note, byte for byte: anything that this version would not have written is refused, whoever signed it. Does not check the
 * signature. `founding` null takes any consortium's (for a store, which holds one). Errors: `head-malformed`, `bad-utf8`, `head-foreign` (another consortium's); all blame the sender.
 */
export function parseHead(note: Uint8Array, founding: Digest | null): Head {
  if (note.length > LIMITS.headBytesMax)
    throw refused('head-malformed', `${note.length} bytes, at most ${LIMITS.headBytesMax} are allowed`)
  const match = NOTE.exec(fromUtf8(note))
  if (match === null) throw refused('head-malformed', 'not a signed checkpoint of a member log')
  const [, origin, key, digits, rootText, blobText] = match as unknown as [
    string,
    string,
    MemberId,
    string,
    string,
    string,
  ]
  if (founding !== null && origin !== originOf(founding, key)) {
    throw refused('head-foreign', `it is of consortium ${origin.slice(10, 26)}, ours is ${founding.slice(0, 16)}`)
  }
  const size = Number(digits)
  if (!Number.isSafeInteger(size)) throw refused('head-malformed', `size ${digits} is not below 2^53`)
  const root = fromBase64(rootText)
  const blob = fromBase64(blobText)
  if (!equalBytes(blob.subarray(0, 4), keyHash(origin, NOTE_KEY.head, key)))
    throw refused('head-malformed', 'the key hash is not that of the author')
  const text = headText(origin, size, root)
  const signature = blob.slice(4)
  if (!equalBytes(formatNote(text, origin, key, signature), note))
    throw refused('head-malformed', 'its base64 is not canonical')
  return { author: key, origin, size, root, text, signature, note }
}

/** Checks the author's signature, about 75 µs. Whether the author is a member is the caller's question. */
export function verifyHead(head: Head): head is VerifiedHead {
  return verify(head.author, utf8(head.text), head.signature)
}

/** Reads and verifies. Errors: those of `parseHead`, `head-signature`. */
export function openHead(note: Uint8Array, founding: Digest): VerifiedHead {
  const head = parseHead(note, founding)
  if (!verifyHead(head))
    throw refused('head-signature', `the signature of ${head.author.slice(0, 16)}… under size ${head.size} is invalid`)
  return head
}

/** Root of a head as the hexadecimal digest that the machine compares. */
export function rootOf(head: Head): Digest {
  return toHex(head.root) as Digest
}

function keyHash(name: string, type: number, key: MemberId): Uint8Array {
  return sha256(utf8(name), Uint8Array.of(0x0a, type), fromHex(key)).subarray(0, 4)
}

/** Base64 of RFC 4648 §4, padded. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** The bytes of base64 text; lenient, so whoever must be strict encodes them again and compares. */
export function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}

function refused(code: string, what: string): ConsiliumError {
  return new ConsiliumError({ code, message: `head refused: ${what}`, blame: 'reject' })
}
