/**
 * Ed25519 (RFC 8032) over node:crypto's synchronous calls, which are pure: allowed in core beside the digest. One rule of
 * verification for every node: keys and R of small order are refused, for libraries disagree on those.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign as nodeSign, verify as nodeVerify } from 'node:crypto'
import { concat, fromHex, toHex } from './bytes.ts'
import { isTorsionFree } from './edwards.ts'
import { ConsiliumError, invariant } from './errors.ts'
import { type MemberId, memberId } from './ids.ts'
import { LIMITS } from './limits.ts'

/** DER before the 32 bytes of a seed (PKCS #8) and of a public key (SubjectPublicKeyInfo): RFC 8410 §7 and §4. */
const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420')
const SPKI_PREFIX = fromHex('302a300506032b6570032100')

/** What signs as one member; holds the private key, so it never leaves the process and is never logged. */
export interface SigningKey {
  readonly member: MemberId
  /** The 64-byte signature of `message`; the same message always gives the same bytes. */
  sign(message: Uint8Array): Uint8Array
}

/** A signing key from its 32-byte seed (RFC 8032 §5.1.5). */
export function signingKey(seed: Uint8Array): SigningKey {
  invariant(seed.length === 32, 'an Ed25519 seed is 32 bytes')
  const key = createPrivateKey({ key: Buffer.from(concat([PKCS8_PREFIX, seed])), format: 'der', type: 'pkcs8' })
  const member = memberId(toHex(publicBytes(createPublicKey(key))))
  return { member, sign: (message) => new Uint8Array(nodeSign(null, message, key)) }
}

/** The member id (public key) that belongs to a 32-byte seed. */
export function publicKeyFromSeed(seed: Uint8Array): MemberId {
  return signingKey(seed).member
}

/**
 * Whether `signature` (64 bytes) over `message` is by `member`. False, never an exception, for whatever bytes a peer sends; copies
 * nothing, so none of the arguments may lie in shared memory.
 */
export function verify(member: MemberId, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || isSmallOrder(signature.subarray(0, 32))) return false
  const key = keyOf(member)
  if (key === null) return false
  return nodeVerify(null, message, key, signature) === true
}

/**
 * Checks a public key once, when a member is enrolled: it decodes to a point, canonically, and that lies in the group of prime order.
 * Under such keys libraries with and without the cofactor in their equation agree. Some milliseconds. Error: `key-unsound`.
 */
export function checkPublicKey(member: MemberId): void {
  if (keyOf(member) !== null && isTorsionFree(fromHex(member))) return
  throw new ConsiliumError({
    code: 'key-unsound',
    message: `member key ${member.slice(0, 16)}… is not a usable Ed25519 key: have its hospital make a new one with "consilium init"`,
    blame: 'reject',
  })
}

/** The encodings, canonical or not, of the eight points whose order divides 8; the sign bit is ignored in the comparison. */
const SMALL_ORDER_Y = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000', // order 4
  '0100000000000000000000000000000000000000000000000000000000000000', // order 1
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // order 2
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', // order 8
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', // order 8
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // order 4, y = p
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // order 1, y = p + 1
])

/** Whether 32 bytes encode a point of small order. */
export function isSmallOrder(point: Uint8Array): boolean {
  const y = Uint8Array.from(point) // a copy even of a Buffer, whose slice would change the caller's bytes
  y[31] = (y[31] as number) & 0x7f
  return SMALL_ORDER_Y.has(toHex(y))
}

const keys = new Map<MemberId, KeyObject | null>() // newest last; bounded by KEYS_MAX
const KEYS_MAX = LIMITS.membersMax * 2 // every member of this epoch and of the one before

/** The key object of `member`, or null where its bytes are not a sound key; parsing costs as much as verifying, so it is kept. */
function keyOf(member: MemberId): KeyObject | null {
  const known = keys.get(member)
  if (known !== undefined) return known
  const key = parseKey(fromHex(member))
  if (keys.size >= KEYS_MAX) keys.delete(keys.keys().next().value as MemberId)
  keys.set(member, key)
  return key
}

function parseKey(bytes: Uint8Array): KeyObject | null {
  if (isSmallOrder(bytes) || !isCanonical(bytes)) return null
  try {
    return createPublicKey({ key: Buffer.from(concat([SPKI_PREFIX, bytes])), format: 'der', type: 'spki' })
  } catch {
    return null
  }
}

/** Whether y < p = 2^255 − 19: the non-canonical ones are the 19 encodings from ed ff … ff 7f upwards. */
function isCanonical(bytes: Uint8Array): boolean {
  if ((bytes[0] as number) < 0xed || ((bytes[31] as number) & 0x7f) !== 0x7f) return true
  for (let i = 1; i < 31; i++) if (bytes[i] !== 0xff) return true
  return false
}

function publicBytes(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length))
}
