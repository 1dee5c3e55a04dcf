/** The member's Ed25519 key: one PKCS#8 PEM file (RFC 8410), readable by its owner alone. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { type SigningKey, signingKey } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { readText, writeNew } from './files.ts'

/** The private key in memory, as `seed` and as `signing`: never logged, never sent. */
export interface MemberKey {
  readonly id: MemberId
  /** 32 bytes; the network's identity is derived from it. */
  readonly seed: Uint8Array
  readonly signing: SigningKey
}

/** Makes a key and writes it with mode 0600. Errors: `file-exists`, `file-not-writable`. */
export async function createMemberKey(path: string): Promise<MemberKey> {
  const { privateKey } = generateKeyPairSync('ed25519')
  await writeNew(path, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600)
  return memberKeyOf(privateKey)
}

/** Reads the key. Errors: `file-missing`, `key-permissions`, `key-malformed`. */
export async function readMemberKey(path: string): Promise<MemberKey> {
  const pem = await readText(path, 'member key', 'run "consilium init", or restore the key from its backup')
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, '0')
    throw new ConsiliumError({
      code: 'key-permissions',
      message: `${path}: others may read this key (mode ${shown}, 0600 is expected); run "chmod 600 ${path}", and make a new key if somebody did`,
    })
  }
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    throw malformed(path)
  }
  if (key.asymmetricKeyType !== 'ed25519') throw malformed(path)
  return memberKeyOf(key)
}

function memberKeyOf(key: KeyObject): MemberKey {
  const seed = new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url'))
  const signing = signingKey(seed)
  return { id: signing.member, seed, signing }
}

function malformed(path: string): ConsiliumError {
  return new ConsiliumError({
    code: 'key-malformed',
    message: `${path}: is not an Ed25519 private key in PKCS#8 PEM; restore it from its backup`,
  })
}
