/**
 * What somebody signs who acts for a hospital: the act by its name, a salted digest of what exactly was asked, the hospital, and the time.
 * The log has all of that, so that whoever holds it can verify the signature; the salt is known only while the call runs, so that nobody can
 * guess what a call had in it, such as a record number.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedHash, taggedMessage } from '../core/digest.ts'
import type { Digest, MemberId } from '../core/ids.ts'

export const SIGN_OFF_HEADER = 'consilium-sign-off'
export const SALT_BYTES = 32
const VERSION = 1
const HEADER_CHARACTERS_MAX = 512 // 190 bytes, as base64url

/** A call as it was sent. */
export interface Asked {
  readonly method: string
  /** With its query, as it stands in the request. */
  readonly path: string
  /** SHA-256 of the body's bytes. */
  readonly bodyHash: Uint8Array
}

/** What goes along with a call that somebody signs. */
export interface SignOff {
  /** The person's public key. */
  readonly key: MemberId
  /** 32 random bytes, new for each call: what makes two equal calls two, and the digest of a call unguessable. */
  readonly salt: Uint8Array
  readonly timeMs: number
  readonly signature: Uint8Array
}

/** What a sign-off says. */
export interface Signed {
  readonly founding: Digest
  readonly member: MemberId
  readonly action: string
  readonly request: Uint8Array
  readonly timeMs: number
}

/** The salted digest of a call; 32 bytes. */
export function requestOf({ method, path, bodyHash }: Asked, salt: Uint8Array): Uint8Array {
  return taggedHash('personRequest', encodeCbor([salt, method, path, bodyHash]))
}

/** The bytes that a person signs. */
export function signOffMessage({ founding, member, action, request, timeMs }: Signed): Uint8Array {
  const content = encodeCbor([VERSION, fromHex(founding), fromHex(member), action, request, timeMs])
  return taggedMessage('signOff', content)
}

/** What the log calls a person: SHA-256 over a salt that stays at the hospital, the name and the key. Without the salt it means nobody. */
export function personCommitment(salt: Uint8Array, name: string, key: MemberId): Uint8Array {
  return taggedHash('person', encodeCbor([salt, name, fromHex(key)]))
}

/** A sign-off as a header of HTTP. */
export function writeSignOff({ key, salt, timeMs, signature }: SignOff): string {
  return Buffer.from(encodeCbor([VERSION, fromHex(key), salt, timeMs, signature])).toString('base64url')
}

/** Reads what `writeSignOff` wrote; null where it is anything else. */
export function readSignOff(header: string): SignOff | null {
  if (header.length > HEADER_CHARACTERS_MAX) return null
  const value = decodedOrNull(new Uint8Array(Buffer.from(header, 'base64url')))
  const [version, key, salt, timeMs, signature] = Array.isArray(value) ? (value as Cbor[]) : []
  const sound =
    version === VERSION &&
    isBytes(key, 32) &&
    isBytes(salt, SALT_BYTES) &&
    typeof timeMs === 'number' &&
    Number.isSafeInteger(timeMs) &&
    timeMs >= 0 &&
    isBytes(signature, 64)
  if (!sound) return null
  const found = { key: toHex(key) as MemberId, salt, timeMs, signature }
  return writeSignOff(found) === header ? found : null
}

const isBytes = (value: Cbor | undefined, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length

function decodedOrNull(bytes: Uint8Array): Cbor | null {
  try {
    return decodeCbor(bytes)
  } catch {
    return null
  }
}
