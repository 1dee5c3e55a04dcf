/**
 * The key of somebody who acts for a hospital: a small file of that person's own, sealed under a passphrase. Four lines that say whose it is
 * and how it is sealed, which are sealed with it, and the seed.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import { taggedMessage } from '../core/digest.ts'
import { type SigningKey, signingKey } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import { checkName } from '../ledger/founding.ts'
import { readText, writeNew } from './files.ts'

const TITLE = 'consilium person key v1'
const SHAPE =
  /^((consilium person key v\d+)\nname (.{1,160})\nkey ([0-9a-f]{64})\n(?:scrypt 2\^(\d{1,2}) 8 1 ([0-9a-f]{64})|open)\n)seed ([0-9a-f]+)\n$/
const NONCE_BYTES = 12
const TAG_BYTES = 16
const SEED_BYTES = 32
const SALT_BYTES = 32
const BLOCK = 8 // r
const COST_LOG2 = 17 // 2^17 blocks of 1 kB: 128 MiB and 0.4 s for each guess (OWASP Password Storage Cheat Sheet)
const COST_LOG2_MAX = 20 // a file may ask for 1 GiB of memory, and no more
const PASSPHRASE_CHARACTERS_MIN = 12

/** What seals a key. `passphrase` null: nothing does, and who reads the file may sign; `costLog2` is of scrypt. */
export interface Sealing {
  readonly passphrase: string | null
  readonly costLog2?: number
}

/** Makes a key and writes its file, mode 0600. Errors: `file-exists`, `bad-name`, `passphrase-short`, `file-not-writable`. */
export async function createPersonKey(
  path: string,
  name: string,
  { passphrase, costLog2 = COST_LOG2 }: Sealing,
): Promise<SigningKey> {
  const seed = new Uint8Array(randomBytes(SEED_BYTES))
  const key = signingKey(seed)
  const salt = new Uint8Array(randomBytes(SALT_BYTES))
  const how = passphrase === null ? 'open' : `scrypt 2^${costLog2} ${BLOCK} 1 ${toHex(salt)}`
  const head = `${TITLE}\nname ${checkName(name, '--name')}\nkey ${key.member}\n${how}\n`
  if (passphrase !== null) requireLong(passphrase)
  const sealed = passphrase === null ? seed : seal(await secretOf(passphrase, salt, costLog2), head, seed)
  await writeNew(path, `${head}seed ${toHex(sealed)}\n`, 0o600)
  return key
}

/** Opens a key. Errors: `file-missing`, `key-permissions`, `person-key`, `passphrase-wrong`, those of `passphrase`. */
export async function readPersonKey(path: string, passphrase: () => Promise<string>): Promise<SigningKey> {
  const advice = 'make one with "consilium person new", or give the file that it made'
  const text = await readText(path, "person's key", advice)
  await requireOwn(path)
  const [, head = '', title, , member, cost, salt, sealed = ''] = SHAPE.exec(text) ?? []
  if (title === undefined) throw unfit(path, 'is no key of a person, or damaged; restore it from its backup')
  if (title !== TITLE) throw unfit(path, 'was made by a newer Consilium; use that one')
  const seed =
    cost === undefined || salt === undefined
      ? fromHex(sealed)
      : await opened(path, head, fromHex(sealed), { passphrase, salt: fromHex(salt), cost: Number(cost) })
  if (seed.length !== SEED_BYTES || signingKey(seed).member !== member)
    throw unfit(path, 'is damaged; restore it from its backup')
  return signingKey(seed)
}

async function opened(
  path: string,
  head: string,
  sealed: Uint8Array,
  { passphrase, salt, cost }: { passphrase: () => Promise<string>; salt: Uint8Array; cost: number },
): Promise<Uint8Array> {
  if (cost > COST_LOG2_MAX || sealed.length !== NONCE_BYTES + SEED_BYTES + TAG_BYTES)
    throw unfit(path, 'is damaged; restore it from its backup')
  const seed = unseal(await secretOf(await passphrase(), salt, cost), head, sealed)
  if (seed !== null) return seed
  const message = `${path}: the passphrase does not open this key, or the file was changed; type it again, or restore the file from its backup`
  throw new ConsiliumError({ code: 'passphrase-wrong', message })
}

/** Who else can read the file could try passphrases at leisure. */
async function requireOwn(path: string): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o077) === 0) return
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  const message = `${path}: others may read this key (mode ${shown}, 0600 is expected); run "chmod 600 ${path}", and have the key revoked if somebody did`
  throw new ConsiliumError({ code: 'key-permissions', message })
}

function requireLong(passphrase: string): void {
  if ([...passphrase].length >= PASSPHRASE_CHARACTERS_MIN) return
  const message = `a passphrase of at least ${PASSPHRASE_CHARACTERS_MIN} characters is expected, such as four words that do not belong together`
  throw new ConsiliumError({ code: 'passphrase-short', message })
}

function secretOf(passphrase: string, salt: Uint8Array, costLog2: number): Promise<Uint8Array> {
  const N = 2 ** costLog2
  const options = { N, r: BLOCK, p: 1, maxmem: 128 * N * BLOCK + 1_048_576 }
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, 32, options, (error, secret) =>
      error === null ? resolve(new Uint8Array(secret)) : reject(error),
    )
  })
}

function seal(secret: Uint8Array, head: string, seed: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_BYTES }).setAAD(aadOf(head))
  return new Uint8Array(Buffer.concat([nonce, cipher.update(seed), cipher.final(), cipher.getAuthTag()]))
}

/** Null where passphrase, head or bytes are not those that were sealed. */
function unseal(secret: Uint8Array, head: string, sealed: Uint8Array): Uint8Array | null {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_BYTES }).setAAD(aadOf(head))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  const seed = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES))
  try {
    return new Uint8Array(Buffer.concat([seed, decipher.final()]))
  } catch {
    return null
  }
}

const aadOf = (head: string): Uint8Array => taggedMessage('personKey', utf8(head))

function unfit(path: string, message: string): ConsiliumError {
  return new ConsiliumError({ code: 'person-key', message: `${path}: ${message}` })
}
