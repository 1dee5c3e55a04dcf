/** AES-256-GCM as everything sealed here uses it: 32-byte keys, random nonces, the tag behind the content. */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { invariant } from '../core/errors.ts'

export const KEY_BYTES = 32
export const NONCE_BYTES = 12 // random: 2^32 seals under one key have two alike with a chance below 2^-32 (NIST SP 800-38D §8.3)
export const TAG_BYTES = 16

/** Content and tag, after `before`; `aad` says what it is and where it belongs. */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  content: Uint8Array,
  before: readonly Uint8Array[] = [],
): Buffer {
  invariant(key.length === KEY_BYTES, 'keys of AES-256 are 32 bytes')
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad)
  return Buffer.concat([...before, cipher.update(content), cipher.final(), cipher.getAuthTag()])
}

/** Null where key, place or bytes are not those that were sealed. */
export function unseal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < TAG_BYTES) return null
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad)
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const content = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES))
  try {
    decipher.final()
    return new Uint8Array(content.buffer, content.byteOffset, content.length)
  } catch {
    return null
  }
}
