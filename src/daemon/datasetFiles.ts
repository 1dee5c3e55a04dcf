/**
 * Registered versions of the hospital's tables, each in a file of the data folder that its owner alone may read: the dataset's secret, and
 * keyed commitments to the rows, no cell of them. Sealed where the folder has a data key: whoever has secret and commitments can test guesses
 * of rows. Order: the file is written first, then its entry; a version without one is registered again.
 */
import { hkdfSync, randomBytes } from 'node:crypto'
import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concat, equalBytes, utf8 } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { sha256, taggedMessage } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import type { DatasetOrigin } from '../data/fhirProvenance.ts'
import { KEY_HASH_BYTES, type RegisteredColumn, ROW_BYTES } from '../data/rowCommitments.ts'
import type { RowManifest } from '../data/rowDifferences.ts'
import type { DatasetSource } from '../governance/kinds/datasets.ts'
import { KEY_BYTES, NONCE_BYTES, seal, TAG_BYTES, unseal } from '../store/aead.ts'
import { writeAtomically } from './files.ts'

/** What is known of a version without its rows. `number` counts from 1. */
export interface DatasetVersion {
  readonly name: string
  readonly number: number
  /** Random; all versions of a name have the same. */
  readonly dataset: Digest
  /** 32 bytes; all versions of a name have the same. */
  readonly secret: Uint8Array
  /** The root over its rows. */
  readonly version: Digest
  readonly previous: Digest | null
  readonly rows: number
  readonly columns: readonly RegisteredColumn[]
  readonly keyColumn: string | null
  readonly source: DatasetSource
  /** Keyed commitment to the bytes of the file. */
  readonly file: Uint8Array
  /** Where it lay. */
  readonly path: string
  readonly query: Uint8Array | null
  readonly origin: (DatasetOrigin & { readonly commitment: Uint8Array }) | null
  readonly published: boolean
  readonly registeredAtMs: number
  /** Other datasets that were found to be the same table, by then; none in versions that an older node wrote. */
  readonly kin?: readonly Digest[]
}

const MAGIC = Uint8Array.from([0x43, 0x44, 0x53, 1]) // CDS, version 1: plain, in a folder that has no data key
const SEALED = Uint8Array.from([0x43, 0x44, 0x53, 2]) // heading, then rows, each with a nonce before and a tag behind it
const HEADING_BYTES_MAX = 8_388_608 // 20,000 columns with names of 300 bytes
const LINE_BYTES = 4
const CHECK_BYTES = 32
export const DATASET_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/
const NUMBER = /^[1-9]\d{0,8}$/

/** Whether a file of a data folder is one of these, by its path from there. */
export function isDatasetFile(path: string): boolean {
  const [folder, name = '', number = '', ...more] = path.split('/')
  return folder === 'datasets' && DATASET_NAME.test(name) && NUMBER.test(number) && more.length === 0
}

/** One per daemon: what lies in `folder`, which need not exist. */
export class DatasetFiles {
  readonly #folder: string
  readonly #key: Uint8Array | null
  readonly #chance: (bytes: number) => Uint8Array

  /** `dataKey` is null in a folder of an older version: what it writes lies plain. */
  constructor(folder: string, dataKey: Uint8Array | null, chance = random) {
    this.#folder = folder
    this.#key = dataKey === null ? null : keyOf(dataKey)
    this.#chance = chance
  }

  /** Names, sorted. */
  async names(): Promise<string[]> {
    return (await namesIn(this.#folder)).filter((name) => DATASET_NAME.test(name)).sort()
  }

  /** All versions of a name, the oldest first; none where there is no such name. Errors: `dataset-damaged`, `dataset-sealed`, `file-unreadable`. */
  async versions(name: string): Promise<DatasetVersion[]> {
    return Promise.all((await this.#numbers(name)).map((number) => this.#heading(name, number)))
  }

  /** Its rows. Errors: as above. */
  async manifest({ name, number, rows, keyColumn }: DatasetVersion): Promise<RowManifest> {
    const path = this.#path(name, number)
    const bytes = await readFile(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
    const body = isSealed(bytes) ? this.#openedRows(path, name, number, bytes) : plainRows(path, bytes)
    const keysAt = rows * ROW_BYTES
    const linesAt = keysAt + (keyColumn === null ? 0 : rows * KEY_HASH_BYTES)
    if (body.length !== linesAt + rows * LINE_BYTES) throw damaged(path)
    const commitments = new Uint8Array(body.subarray(0, keysAt))
    const keys = keyColumn === null ? null : new Uint8Array(body.subarray(keysAt, linesAt))
    const lines = Uint32Array.from({ length: rows }, (_, i) => body.readUInt32BE(linesAt + i * LINE_BYTES))
    return { rows, commitments, keys, lines }
  }

  /** Durable when it resolves. Errors: `disk-full`, `file-not-writable`. */
  async write(version: DatasetVersion, { commitments, keys, lines }: RowManifest): Promise<void> {
    const { name, number } = version
    const heading = encodeCbor(version as unknown as Cbor)
    const numbers = Buffer.alloc(lines.length * LINE_BYTES)
    for (const [i, line] of lines.entries()) numbers.writeUInt32BE(line, i * LINE_BYTES)
    const rows = concat([commitments, keys ?? new Uint8Array(0), numbers])
    const content = this.#key === null ? plain(heading, rows) : this.#sealed(this.#key, name, number, heading, rows)
    await writeAtomically(this.#path(name, number), content, 0o600)
  }

  /** Seals what an older version wrote plain; nothing where there is no key. A file that cannot be read stays as it is, for a person to see. */
  async sealAll(): Promise<void> {
    if (this.#key === null) return
    for (const name of await this.names())
      for (const number of await this.#numbers(name)) {
        if (isSealed(await this.#start(name, number).catch(() => SEALED))) continue
        const version = await this.#heading(name, number).catch(() => null)
        const manifest = version && (await this.manifest(version).catch(() => null))
        if (manifest) await this.write(version as DatasetVersion, manifest)
      }
  }

  /** The files, for a backup: paths from the data folder. */
  async paths(): Promise<string[]> {
    const found: string[] = []
    for (const name of await this.names())
      for (const number of await this.#numbers(name)) found.push(`datasets/${name}/${number}`)
    return found
  }

  async #numbers(name: string): Promise<number[]> {
    const found = await namesIn(join(this.#folder, name))
    return found
      .filter((file) => NUMBER.test(file))
      .map(Number)
      .sort((a, b) => a - b)
  }

  #sealed(key: Uint8Array, name: string, number: number, heading: Uint8Array, rows: Uint8Array): Uint8Array {
    const [first, second] = [this.#chance(NONCE_BYTES), this.#chance(NONCE_BYTES)]
    const length = lengthOf(heading.length + TAG_BYTES)
    const head = seal(key, first, aadOf('heading', name, number), heading, [SEALED, length, first])
    return seal(key, second, aadOf('rows', name, number, first), rows, [head, second])
  }

  #openedRows(path: string, name: string, number: number, bytes: Buffer): Buffer {
    const headingAt = SEALED.length + LINE_BYTES + NONCE_BYTES
    const nonceAt = headingAt + (bytes.length < headingAt ? 0 : bytes.readUInt32BE(SEALED.length))
    const first = bytes.subarray(headingAt - NONCE_BYTES, headingAt)
    const [nonce, sealed] = [bytes.subarray(nonceAt, nonceAt + NONCE_BYTES), bytes.subarray(nonceAt + NONCE_BYTES)]
    if (nonce.length < NONCE_BYTES) throw damaged(path)
    const rows = unseal(this.#keyTo(path), nonce, aadOf('rows', name, number, first), sealed)
    if (rows === null) throw damaged(path)
    return Buffer.from(rows.buffer, rows.byteOffset, rows.length)
  }

  /** Error: `dataset-sealed`. */
  #keyTo(path: string): Uint8Array {
    if (this.#key !== null) return this.#key
    const message = `${path}: is sealed under data.key, which is not there; put it back from a backup, or move datasets/ away: its versions can be verified no more, tables can be registered anew`
    throw new ConsiliumError({ code: 'dataset-sealed', message })
  }

  /** Magic and length. */
  async #start(name: string, number: number): Promise<Buffer> {
    return this.#read(this.#path(name, number), 0, MAGIC.length + LINE_BYTES)
  }

  async #heading(name: string, number: number): Promise<DatasetVersion> {
    const path = this.#path(name, number)
    try {
      const start = await this.#start(name, number)
      const sealed = isSealed(start)
      if (!sealed && !equalBytes(start.subarray(0, MAGIC.length), MAGIC)) throw damaged(path)
      const length = Math.min(start.readUInt32BE(MAGIC.length), HEADING_BYTES_MAX)
      const bytes = await this.#read(path, start.length, length + (sealed ? NONCE_BYTES : 0))
      const heading = sealed ? this.#openedHeading(path, name, number, bytes) : bytes
      return decodeCbor(new Uint8Array(heading), HEADING_BYTES_MAX) as unknown as DatasetVersion
    } catch (error) {
      if (error instanceof ConsiliumError) throw error.code.startsWith('dataset-') ? error : damaged(path)
      throw unreadable(path, error)
    }
  }

  #openedHeading(path: string, name: string, number: number, bytes: Buffer): Uint8Array {
    const [nonce, sealed] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES)]
    const heading = unseal(this.#keyTo(path), nonce, aadOf('heading', name, number), sealed)
    if (heading === null) throw damaged(path)
    return heading
  }

  /** As many bytes as there are; zeros beyond the end. */
  async #read(path: string, at: number, length: number): Promise<Buffer> {
    const file = await open(path, 'r')
    try {
      const bytes = Buffer.alloc(length)
      await file.read(bytes, 0, length, at)
      return bytes
    } finally {
      await file.close()
    }
  }

  #path(name: string, number: number): string {
    return join(this.#folder, name, String(number))
  }
}

const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes))

const isSealed = (bytes: Uint8Array): boolean => equalBytes(bytes.subarray(0, SEALED.length), SEALED)

function keyOf(dataKey: Uint8Array): Uint8Array {
  const info = taggedMessage('sealedDataset', new Uint8Array(0))
  return new Uint8Array(hkdfSync('sha256', dataKey, new Uint8Array(0), info, KEY_BYTES))
}

/** What the sealed bytes are, and whose: rows are those of one heading. */
function aadOf(what: 'heading' | 'rows', name: string, number: number, of: Uint8Array = new Uint8Array(0)): Uint8Array {
  return taggedMessage('sealedDataset', concat([SEALED, utf8(`${what} ${name} ${number} `), of]))
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(LINE_BYTES)
  length.writeUInt32BE(bytes)
  return length
}

function plain(heading: Uint8Array, rows: Uint8Array): Uint8Array {
  const body = concat([MAGIC, lengthOf(heading.length), heading, rows])
  return concat([body, sha256(body)])
}

function plainRows(path: string, bytes: Buffer): Buffer {
  const end = bytes.length - CHECK_BYTES
  if (end < MAGIC.length + LINE_BYTES || !equalBytes(sha256(bytes.subarray(0, end)), bytes.subarray(end)))
    throw damaged(path)
  return bytes.subarray(MAGIC.length + LINE_BYTES + bytes.readUInt32BE(MAGIC.length), end)
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw unreadable(folder, error)
  })
}

function damaged(path: string): ConsiliumError {
  const message = `${path}: is not what was written there, or was sealed under another data.key; put it back from a backup of the data folder`
  return new ConsiliumError({ code: 'dataset-damaged', message })
}

function unreadable(path: string, error: unknown): ConsiliumError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error)
  const message = `${path}: cannot be read (${code}); check who owns the folder and its permissions`
  return new ConsiliumError({ code: 'file-unreadable', message, cause: error })
}
