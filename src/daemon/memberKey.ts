/**
 * The keys of a node's data folder, each in a file of its own, sealed, readable by its owner alone: the Ed25519 key that is the node's
 * identity, and the key that seals what its database keeps of studies. Older versions wrote the first plain (PKCS#8 PEM, RFC 8410).
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { type SigningKey, signingKey } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { isSealedKey, type KeyPurpose, type Opener, openKey, sealKey } from '../store/sealedKey.ts'
import { exists, readText, writeAtomically, writeNew } from './files.ts'

/** The private key in memory, as `seed` and as `signing`: never logged, never sent. */
export interface MemberKey {
  readonly id: MemberId
  /** 32 bytes; the network's identity is derived from it. */
  readonly seed: Uint8Array
  readonly signing: SigningKey
}

/** Asked where a key is sealed; a plain one needs none. */
type Opening = () => Promise<Opener>

const KEY_BYTES = 32
const chance = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes))

/** Makes a key and writes it sealed, with mode 0600. Errors: `file-exists`, `file-not-writable`. */
export async function createMemberKey(path: string, opener: Opener): Promise<MemberKey> {
  const seed = seedOf(generateKeyPairSync('ed25519').privateKey)
  await writeNew(path, await sealKey(seed, 'member', opener, chance), 0o600)
  return memberKeyOf(seed)
}

/** Reads the key, sealed or plain. Errors: `file-missing`, `key-permissions`, `key-malformed`, those of `opening` and `openKey`. */
export async function readMemberKey(path: string, opening: Opening): Promise<MemberKey> {
  const text = await readKeyText(path, 'member key', 'run "consilium init", or restore the key from its backup')
  if (isSealedKey(text)) return memberKeyOf(await openKey(text, path, 'member', await opening()))
  let key: KeyObject
  try {
    key = createPrivateKey(text)
  } catch {
    throw malformed(path)
  }
  if (key.asymmetricKeyType !== 'ed25519') throw malformed(path)
  return memberKeyOf(seedOf(key))
}

/** Makes the key that seals state. Errors: `file-exists`, `file-not-writable`. */
export async function createDataKey(path: string, opener: Opener): Promise<void> {
  await writeNew(path, await sealKey(chance(KEY_BYTES), 'data', opener, chance), 0o600)
}

/** The key that seals state; null where the folder has none. Errors: `key-permissions`, those of `opening` and `openKey`. */
export async function readDataKey(path: string, opening: Opening): Promise<Uint8Array | null> {
  if (!(await exists(path))) return null
  const text = await readKeyText(path, 'data key', 'restore it from a backup')
  return openKey(text, path, 'data', await opening())
}

/** Puts a key in its file's place, sealed otherwise than before. Errors: `disk-full`, `file-not-writable`. */
export async function resealKey(path: string, key: Uint8Array, purpose: KeyPurpose, opener: Opener): Promise<void> {
  await writeAtomically(path, await sealKey(key, purpose, opener, chance), 0o600)
}

async function readKeyText(path: string, what: string, advice: string): Promise<string> {
  const text = await readText(path, what, advice)
  const { mode } = await stat(path)
  if ((mode & 0o077) === 0) return text
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  throw new ConsiliumError({
    code: 'key-permissions',
    message: `${path}: others may read this key (mode ${shown}, 0600 is expected); run "chmod 600 ${path}", and make a new key if somebody did`,
  })
}

const seedOf = (key: KeyObject): Uint8Array =>
  new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url'))

function memberKeyOf(seed: Uint8Array): MemberKey {
  const signing = signingKey(seed)
  return { id: signing.member, seed, signing }
}

function malformed(path: string): ConsiliumError {
  return new ConsiliumError({
    code: 'key-malformed',
    message: `${path}: is neither a sealed key nor an Ed25519 private key in PKCS#8 PEM; restore it from its backup`,
  })
}
