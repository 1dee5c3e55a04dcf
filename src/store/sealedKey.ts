/**
 * A key of the data folder, sealed: under the node's secret in the key file, or under a passphrase. Three lines of text; what the key is for
 * and the line that says how it is sealed are sealed with it, so that one key cannot be put in another's place.
 */
import { hkdfSync, scrypt } from 'node:crypto'
import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import { taggedMessage } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import { KEY_BYTES, NONCE_BYTES, seal, TAG_BYTES, unseal } from './aead.ts'

/** What a sealed key is for. */
export type KeyPurpose = 'member' | 'data'

/** What opens sealed keys: the node's secrets in the key file, the oldest first, or a passphrase; `file` is named in errors. */
export type Opener =
  | { readonly by: 'key-file'; readonly file: string; readonly secrets: readonly Uint8Array[] }
  | { readonly by: 'passphrase'; readonly file: string; readonly passphrase: Uint8Array }

type Chance = (bytes: number) => Uint8Array

const TITLE = 'consilium sealed key v1'
const SCRYPT = { log2N: 17, r: 8, p: 1 } // 128 MB and half a second: OWASP's least for scrypt (Password Storage Cheat Sheet)
const SALT_BYTES = 16
const SCRYPT_BYTES_MAX = 512 * 1024 * 1024 // what a header may ask for: it is read before anything is authenticated
const SEALED_HEX = 2 * (NONCE_BYTES + KEY_BYTES + TAG_BYTES)
const SHAPE = new RegExp(
  `^${TITLE}\\n(under key-file|under scrypt (\\d{1,2}) (\\d{1,2}) (\\d{1,2}) ([0-9a-f]{32}))\\n([0-9a-f]{${SEALED_HEX}})\\n$`,
)
const TITLES = /^consilium sealed key v\d+\n/

/** Whether the text is a sealed key, of any version; a plain one is something else. */
export function isSealedKey(text: string): boolean {
  return TITLES.test(text)
}

/** What the key in this text is sealed under, as its header says, or null where it is not a sealed key. */
export function sealedUnder(text: string): Opener['by'] | null {
  const under = SHAPE.exec(text)?.[1]
  if (under === undefined) return null
  return under === 'under key-file' ? 'key-file' : 'passphrase'
}

/** The text of a sealed key. With a key file, its newest secret seals. */
export async function sealKey(key: Uint8Array, purpose: KeyPurpose, opener: Opener, chance: Chance): Promise<string> {
  const { log2N, r, p } = SCRYPT
  const under =
    opener.by === 'key-file' ? 'under key-file' : `under scrypt ${log2N} ${r} ${p} ${toHex(chance(SALT_BYTES))}`
  const secret =
    opener.by === 'key-file'
      ? (opener.secrets.at(-1) as Uint8Array)
      : await stretched(opener.passphrase, SCRYPT, fromHex(under.slice(-2 * SALT_BYTES)))
  const nonce = chance(NONCE_BYTES)
  const sealed = seal(wrapping(secret, purpose), nonce, aadOf(purpose, under), key)
  return `${TITLE}\n${under}\n${toHex(nonce)}${toHex(sealed)}\n`
}

/** The key in the text of `path`. Errors: `sealed-key-malformed`, `sealed-key-newer`, `passphrase-missing`, `passphrase-not-needed`, `passphrase-wrong`, `node-key-wrong`. */
export async function openKey(text: string, path: string, purpose: KeyPurpose, opener: Opener): Promise<Uint8Array> {
  const [, under, log2N, r, p, salt, hex] = SHAPE.exec(text) ?? []
  if (under === undefined || hex === undefined) throw malformed(path, text)
  const sealedBy = under === 'under key-file' ? 'key-file' : 'passphrase'
  if (sealedBy !== opener.by) throw otherOpener(path, opener)
  const secrets =
    opener.by === 'key-file'
      ? opener.secrets
      : [await stretched(opener.passphrase, costOf(path, Number(log2N), Number(r), Number(p)), fromHex(salt as string))]
  const bytes = fromHex(hex)
  for (const secret of secrets) {
    const aad = aadOf(purpose, under)
    const key = unseal(wrapping(secret, purpose), bytes.subarray(0, NONCE_BYTES), aad, bytes.subarray(NONCE_BYTES))
    if (key !== null) return key
  }
  throw wrong(path, opener)
}

/** A key of its own for each purpose (RFC 5869, without a salt: the secret is uniform). */
function wrapping(secret: Uint8Array, purpose: KeyPurpose): Uint8Array {
  const info = taggedMessage('sealedKey', utf8(purpose))
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), info, KEY_BYTES))
}

function aadOf(purpose: KeyPurpose, under: string): Uint8Array {
  return taggedMessage('sealedKey', utf8(`${TITLE}\n${purpose}\n${under}\n`))
}

type Cost = { readonly log2N: number; readonly r: number; readonly p: number }

function costOf(path: string, log2N: number, r: number, p: number): Cost {
  if (log2N >= 1 && r >= 1 && p >= 1 && p <= 16 && 128 * r * 2 ** log2N <= SCRYPT_BYTES_MAX) return { log2N, r, p }
  throw malformed(path, '')
}

function stretched(passphrase: Uint8Array, { log2N, r, p }: Cost, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const options = { N: 2 ** log2N, r, p, maxmem: 2 * SCRYPT_BYTES_MAX }
    scrypt(passphrase, salt, KEY_BYTES, options, (error, key) => (error ? reject(error) : resolve(new Uint8Array(key))))
  })
}

function malformed(path: string, text: string): ConsiliumError {
  if (TITLES.test(text) && !text.startsWith(`${TITLE}\n`)) {
    const message = `${path}: is of a newer version ("${text.slice(0, text.indexOf('\n'))}"): run the newer Consilium again`
    return new ConsiliumError({ code: 'sealed-key-newer', message })
  }
  const message = `${path}: is no sealed key as it was written; restore it from a backup`
  return new ConsiliumError({ code: 'sealed-key-malformed', message })
}

function otherOpener(path: string, { by }: Opener): ConsiliumError {
  if (by === 'key-file') {
    const message = `${path}: is sealed under a passphrase, and config.yaml names no file that has it: set keys.passphraseFile`
    return new ConsiliumError({ code: 'passphrase-missing', message })
  }
  const message = `${path}: is sealed under the key file, and config.yaml names a passphrase file: set keys.passphraseFile to null, or run "consilium keys seal --node-passphrase-file FILE"`
  return new ConsiliumError({ code: 'passphrase-not-needed', message })
}

function wrong(path: string, { by, file }: Opener): ConsiliumError {
  if (by === 'passphrase') {
    const message = `${file}: this passphrase does not open ${path}; put the right one there`
    return new ConsiliumError({ code: 'passphrase-wrong', message })
  }
  const message = `${file}: does not open ${path}; put the key file and the folder that belong together there, or restore ${path} from a backup`
  return new ConsiliumError({ code: 'node-key-wrong', message })
}
