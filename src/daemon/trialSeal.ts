/** An arm on its way to one site: sealed for the key that the participant's enrolment names (X25519, HKDF-SHA-256, AES-256-GCM). */
import { createPrivateKey, createPublicKey, diffieHellman, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import { concat, fromHex } from '../core/bytes.ts'
import { taggedMessage } from '../core/digest.ts'
import { KEY_BYTES, NONCE_BYTES, seal, TAG_BYTES, unseal } from '../store/aead.ts'

/** DER before the 32 bytes of a private and of a public key (RFC 8410 §7 and §4). */
const PKCS8_PREFIX = fromHex('302e020100300506032b656e04220420')
const SPKI_PREFIX = fromHex('302a300506032b656e032100')
const SALT_BYTES = 32
const SEALED_BYTES = KEY_BYTES + NONCE_BYTES + 1 + SALT_BYTES + TAG_BYTES

/** What stands at a position: the arm's place among the arms, and the salt of its leaf. */
export interface Allocation {
  readonly arm: number
  readonly salt: Uint8Array
}

/** The public key that belongs to a participant's secret; 32 bytes. */
export function sealingKey(secret: Uint8Array): Uint8Array {
  return publicBytes(createPublicKey(privateKey(secret)))
}

/** 93 bytes that the holder of the secret behind `key` opens; `context` says of which enrolment. Null where `key` is none. */
export function sealAllocation(key: Uint8Array, context: Uint8Array, { arm, salt }: Allocation): Uint8Array | null {
  const ephemeral = privateKey(randomBytes(KEY_BYTES))
  const sender = publicBytes(createPublicKey(ephemeral))
  const shared = sharedOf(ephemeral, key)
  if (shared === null) return null
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES))
  const content = concat([Uint8Array.of(arm), salt])
  return new Uint8Array(seal(keyOf(shared, sender, key), nonce, aadOf(context), content, [sender, nonce]))
}

/** What was sealed for that secret, of that enrolment; null where it was not. */
export function openAllocation(secret: Uint8Array, context: Uint8Array, sealed: Uint8Array): Allocation | null {
  if (sealed.length !== SEALED_BYTES) return null
  const [sender, nonce] = [sealed.subarray(0, KEY_BYTES), sealed.subarray(KEY_BYTES, KEY_BYTES + NONCE_BYTES)]
  const shared = sharedOf(privateKey(secret), sender)
  if (shared === null) return null
  const key = keyOf(shared, sender, sealingKey(secret))
  const content = unseal(key, nonce, aadOf(context), sealed.subarray(KEY_BYTES + NONCE_BYTES))
  return content === null ? null : { arm: content[0] as number, salt: content.slice(1) }
}

function privateKey(secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secret]), format: 'der', type: 'pkcs8' })
}

function publicBytes(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length))
}

/** Null for a point of small order: others chose the key. */
function sharedOf(own: KeyObject, other: Uint8Array): Uint8Array | null {
  try {
    const publicKey = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, other]), format: 'der', type: 'spki' })
    return new Uint8Array(diffieHellman({ privateKey: own, publicKey }))
  } catch {
    return null
  }
}

function keyOf(shared: Uint8Array, sender: Uint8Array, receiver: Uint8Array): Uint8Array {
  const info = taggedMessage('trialAllocation', new Uint8Array(0))
  return new Uint8Array(hkdfSync('sha256', shared, concat([sender, receiver]), info, KEY_BYTES))
}

const aadOf = (context: Uint8Array): Uint8Array => taggedMessage('trialAllocation', context)
