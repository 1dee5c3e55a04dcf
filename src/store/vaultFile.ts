/**
 * A hospital's vault on the disk: records, each sealed with AES-256-GCM under a random data key, which the secret in the key file wraps.
 * It only grows, until something is to be forgotten: then it is written anew under a new data key and a new secret, and the old ones are
 * destroyed, so that no old copy of it can be read.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { equalBytes } from '../core/bytes.ts'
import { taggedMessage } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import { KEY_BYTES, NONCE_BYTES, seal, TAG_BYTES, unseal } from './aead.ts'
import { createKeyFile, type KeySecrets, readKeyFile, replaceSecrets, syncFolder } from './keyFile.ts'

const MAGIC = Buffer.from('CVLT\x01\0\0\0', 'latin1') // the fifth byte is the version
const ID_BYTES = 16
const HEADER_BYTES = MAGIC.length + ID_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES
const HEAD_BYTES = 8 // of a record: its sealed length and a CRC-32 of that, for a wrong length would read as a record cut short

/** Where a vault lies, and its key file outside the data folder. `chance` gives so many random bytes. */
export interface VaultPlace {
  readonly path: string
  readonly keyFile: string
  readonly chance?: (bytes: number) => Uint8Array
}

interface Keys {
  readonly id: Uint8Array
  readonly data: Uint8Array
}

/** One process at a time. After a write that failed it takes nothing more: what is on the disk is known when it is opened again. */
export class VaultFile {
  readonly #place: Required<VaultPlace>
  #file: FileHandle
  #keys: Keys
  #bytes: number
  #count: number
  #broken = false
  #last: Promise<void> = Promise.resolve()

  private constructor(place: Required<VaultPlace>, file: FileHandle, keys: Keys, bytes: number, count: number) {
    this.#place = place
    this.#file = file
    this.#keys = keys
    this.#bytes = bytes
    this.#count = count
  }

  /**
   * Opens the vault, or makes one where neither it nor its key is there; the records are what was appended, in order. A record that a stop
   * cut short is dropped. Errors: `vault-key-missing`, `vault-key-wrong`, `vault-key-malformed`, `key-permissions`, `vault-damaged`,
   * `vault-newer`, `file-not-writable`.
   */
  static async open(given: VaultPlace): Promise<{ readonly vault: VaultFile; readonly records: Uint8Array[] }> {
    const place = { chance: (bytes: number) => new Uint8Array(randomBytes(bytes)), ...given }
    await rm(`${place.path}.new`, { force: true })
    const file = await open(place.path, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw unwritable(place.path, error)
    })
    if (file === null) return { vault: await create(place), records: [] }
    try {
      return await read(place, file)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Made by `open` alone. */
  static of(place: Required<VaultPlace>, file: FileHandle, keys: Keys, bytes: number, count: number): VaultFile {
    return new VaultFile(place, file, keys, bytes, count)
  }

  /** Durable when it resolves; calls run one after another. Errors: `vault-broken`, `file-not-writable`. */
  append(records: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      const sealed = Buffer.concat(records.map((record, i) => this.#seal(record, this.#count + i)))
      await writeAll(this.#file, sealed, this.#bytes)
      await this.#file.datasync()
      this.#bytes += sealed.length
      this.#count += records.length
    })
  }

  /**
   * Puts `records` in the place of all that there is, and destroys the keys of what there was. Order: the new secret joins the old in the key
   * file → the new vault takes the old one's name → the old secret goes. A stop in between leaves a vault that one of the two opens.
   */
  rewrite(records: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      const { keyFile, path, chance } = this.#place
      const [old] = (await readKeyFile(keyFile))?.vault ?? []
      if (old === undefined) throw missing(this.#place)
      const secret = chance(KEY_BYTES)
      await replaceSecrets(keyFile, 'vault', [old, secret])
      this.#keys = { id: chance(ID_BYTES), data: chance(KEY_BYTES) }
      const sealed = records.map((record, i) => this.#seal(record, i))
      const bytes = Buffer.concat([headerOf(this.#keys, secret, chance), ...sealed])
      const file = await open(`${path}.new`, 'wx+', 0o600)
      const before = this.#file
      this.#file = file
      await writeAll(file, bytes, 0)
      await file.datasync()
      await rename(`${path}.new`, path)
      await syncFolder(path)
      await before.close()
      await replaceSecrets(keyFile, 'vault', [secret])
      this.#bytes = bytes.length
      this.#count = records.length
    })
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined)
    await this.#file.close()
  }

  #inTurn(write: () => Promise<void>): Promise<void> {
    const turn = async (): Promise<void> => {
      if (this.#broken) {
        const message = `${this.#place.path}: a write to the vault failed before; restart the node, which reads it again`
        throw new ConsiliumError({ code: 'vault-broken', message })
      }
      try {
        await write()
      } catch (error) {
        this.#broken = true
        throw error instanceof ConsiliumError ? error : unwritable(this.#place.path, error)
      }
    }
    this.#last = this.#last.then(turn, turn)
    return this.#last
  }

  #seal(record: Uint8Array, index: number): Buffer {
    const { id, data } = this.#keys
    const nonce = this.#place.chance(NONCE_BYTES)
    const sealed = seal(data, nonce, aadOf(id, index), record)
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt32BE(sealed.length)
    head.writeUInt32BE(crc32(head.subarray(0, 4)), 4)
    return Buffer.concat([head, nonce, sealed])
  }
}

/** Whether the key file opens the vault, by its header alone: the records are not read. Errors: those of `VaultFile.open`. */
export async function requireOpening(place: VaultPlace): Promise<void> {
  const secrets = (await readKeyFile(place.keyFile))?.vault
  if (secrets === undefined) throw missing(place)
  const bytes = Buffer.alloc(HEADER_BYTES)
  const file = await open(place.path, 'r').catch((error: unknown) => {
    throw unwritable(place.path, error)
  })
  try {
    const { bytesRead } = await file.read(bytes, 0, HEADER_BYTES, 0)
    openHeader(place, bytes.subarray(0, bytesRead), secrets)
  } finally {
    await file.close()
  }
}

async function create(place: Required<VaultPlace>): Promise<VaultFile> {
  const { path, keyFile, chance } = place
  if ((await readKeyFile(keyFile)) === null) await createKeyFile(keyFile, { node: [], vault: [chance(KEY_BYTES)] })
  const [secret] = ((await readKeyFile(keyFile)) as KeySecrets).vault as [Uint8Array]
  const keys = { id: chance(ID_BYTES), data: chance(KEY_BYTES) }
  const header = headerOf(keys, secret, chance)
  try {
    const file = await open(`${path}.new`, 'wx+', 0o600)
    await writeAll(file, header, 0)
    await file.datasync()
    await rename(`${path}.new`, path)
    await syncFolder(path)
    return VaultFile.of(place, file, keys, header.length, 0)
  } catch (error) {
    throw unwritable(path, error)
  }
}

async function read(
  place: Required<VaultPlace>,
  file: FileHandle,
): Promise<{ readonly vault: VaultFile; readonly records: Uint8Array[] }> {
  const secrets = (await readKeyFile(place.keyFile))?.vault
  if (secrets === undefined) throw missing(place)
  const bytes = await file.readFile()
  const { keys, secret } = openHeader(place, bytes, secrets)
  if (secrets.length > 1) await replaceSecrets(place.keyFile, 'vault', [secret])
  const records: Uint8Array[] = []
  let at = HEADER_BYTES
  while (at + HEAD_BYTES <= bytes.length) {
    const length = bytes.readUInt32BE(at)
    if (crc32(bytes.subarray(at, at + 4)) !== bytes.readUInt32BE(at + 4)) throw damaged(place.path, records.length)
    const end = at + HEAD_BYTES + NONCE_BYTES + length
    if (end > bytes.length) break // a stop cut it short: nobody was told that it is stored
    const nonce = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + NONCE_BYTES)
    const record = unseal(keys.data, nonce, aadOf(keys.id, records.length), bytes.subarray(end - length, end))
    if (record === null) throw damaged(place.path, records.length)
    records.push(record)
    at = end
  }
  if (at < bytes.length) await file.truncate(at)
  return { vault: VaultFile.of(place, file, keys, at, records.length), records }
}

/** A disk that fills up takes some of the bytes first, without an error. */
async function writeAll(file: FileHandle, bytes: Uint8Array, from: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, from + done)
    done += bytesWritten
  }
}

/** magic ‖ id ‖ nonce ‖ the data key, sealed under the secret. */
function headerOf({ id, data }: Keys, secret: Uint8Array, chance: (bytes: number) => Uint8Array): Buffer {
  const nonce = chance(NONCE_BYTES)
  return Buffer.concat([
    MAGIC,
    id,
    nonce,
    seal(secret, nonce, taggedMessage('vaultKey', Buffer.concat([MAGIC, id])), data),
  ])
}

function openHeader(
  { path, keyFile }: VaultPlace,
  bytes: Buffer,
  secrets: readonly Uint8Array[],
): { readonly keys: Keys; readonly secret: Uint8Array } {
  if (bytes.length < HEADER_BYTES || !equalBytes(bytes.subarray(0, 4), MAGIC.subarray(0, 4))) throw damaged(path, 0)
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) {
    const message = `${path}: a vault of version ${bytes[4]}; this version reads ${MAGIC[4]}: run the newer Consilium again`
    throw new ConsiliumError({ code: 'vault-newer', message })
  }
  const id = new Uint8Array(bytes.subarray(MAGIC.length, MAGIC.length + ID_BYTES))
  const nonce = bytes.subarray(MAGIC.length + ID_BYTES, MAGIC.length + ID_BYTES + NONCE_BYTES)
  const sealed = bytes.subarray(MAGIC.length + ID_BYTES + NONCE_BYTES, HEADER_BYTES)
  const aad = taggedMessage('vaultKey', Buffer.concat([MAGIC, id]))
  for (const secret of secrets) {
    const data = unseal(secret, nonce, aad, sealed)
    if (data !== null) return { keys: { id, data }, secret }
  }
  const message = `${keyFile}: does not open the vault ${path}; put the vault and the key that belong together there: after an erasure an older copy of either is of no use`
  throw new ConsiliumError({ code: 'vault-key-wrong', message })
}

/** Its place among the records is sealed with each, so that none can be swapped, repeated or taken from another vault. */
function aadOf(id: Uint8Array, index: number): Uint8Array {
  const place = Buffer.alloc(8)
  place.writeBigUInt64BE(BigInt(index))
  return taggedMessage('vaultRecord', Buffer.concat([MAGIC, id, place]))
}

function missing({ path, keyFile }: VaultPlace): ConsiliumError {
  const message = `${keyFile}: there is no vault key, and the vault ${path} cannot be opened without it; put the file back from where this hospital keeps its copy, or name it in config.yaml (vault.keyFile)`
  return new ConsiliumError({ code: 'vault-key-missing', message })
}

function damaged(path: string, record: number): ConsiliumError {
  const message = `${path}: record ${record} of the vault is not what was written; restore the newest backup of this file, made after the last erasure`
  return new ConsiliumError({ code: 'vault-damaged', message })
}

function unwritable(path: string, cause: unknown): ConsiliumError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
  const message = `${path}: cannot be read or written (${code}); check the disk, who owns the folder and its permissions`
  return new ConsiliumError({ code: 'file-not-writable', message, cause })
}
