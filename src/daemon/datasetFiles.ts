/**
 * Registered versions of the hospital's tables, each in a file of the data folder that its owner alone may read: the dataset's secret, and
 * keyed commitments to the rows, no cell of them; sealed under the data key, where the folder has one. Order: the file is written first, then its entry; a version without one is registered again.
 */
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concat, equalBytes } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { sha256 } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import type { DatasetOrigin } from '../data/fhirProvenance.ts'
import { KEY_HASH_BYTES, type RegisteredColumn, ROW_BYTES } from '../data/rowCommitments.ts'
import type { RowManifest } from '../data/rowDifferences.ts'
import type { DatasetSource } from '../governance/kinds/datasets.ts'
import { NONCE_BYTES } from '../store/aead.ts'
import { openState, sealState, stateKeyOf } from '../store/sealedStore.ts'
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
}

const MAGIC = Uint8Array.from([0x43, 0x44, 0x53, 1]) // CDS, version 1
const HEADING_BYTES_MAX = 8_388_608 // 20,000 columns with names of 300 bytes
const LINE_BYTES = 4
const CHECK_BYTES = 32
export const DATASET_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** One per daemon: what lies in `folder`, which need not exist. What an older version wrote plain is read too. */
export class DatasetFiles {
  readonly #folder: string
  readonly #key: Uint8Array | null

  constructor(folder: string, dataKey: Uint8Array | null) {
    this.#folder = folder
    this.#key = dataKey === null ? null : stateKeyOf(dataKey)
  }

  /** All files as a backup has them, by name below the data folder: sealed, those too that lie plain here. Errors: `file-unreadable`. */
  async *sealed(): AsyncGenerator<{ readonly name: string; readonly bytes: Uint8Array }> {
    for (const name of await this.names()) {
      for (const number of await this.#numbers(name)) {
        const bytes = await this.#stored(name, number)
        yield { name: stateName(name, number), bytes: isPlain(bytes) ? this.#seal(name, number, bytes) : bytes }
      }
    }
  }

  /** Names, sorted. */
  async names(): Promise<string[]> {
    return (await namesIn(this.#folder)).filter((name) => DATASET_NAME.test(name)).sort()
  }

  /** All versions of a name, the oldest first; none where there is no such name. Errors: `dataset-damaged`, `file-unreadable`. */
  async versions(name: string): Promise<DatasetVersion[]> {
    return Promise.all((await this.#numbers(name)).map((number) => this.#heading(name, number)))
  }

  /** Its rows. Errors: as above. */
  async manifest({ name, number, rows, keyColumn }: DatasetVersion): Promise<RowManifest> {
    const path = this.#path(name, number)
    const bytes = await this.#open(name, number)
    const end = bytes.length - CHECK_BYTES
    if (end < 0 || !equalBytes(sha256(bytes.subarray(0, end)), bytes.subarray(end))) throw damaged(path)
    const commitmentsAt = MAGIC.length + LINE_BYTES + bytes.readUInt32BE(MAGIC.length)
    const keysAt = commitmentsAt + rows * ROW_BYTES
    const linesAt = keysAt + (keyColumn === null ? 0 : rows * KEY_HASH_BYTES)
    const commitments = new Uint8Array(bytes.subarray(commitmentsAt, keysAt))
    const keys = keyColumn === null ? null : new Uint8Array(bytes.subarray(keysAt, linesAt))
    const lines = Uint32Array.from({ length: rows }, (_, i) => bytes.readUInt32BE(linesAt + i * LINE_BYTES))
    return { rows, commitments, keys, lines }
  }

  /** Durable when it resolves. Errors: `disk-full`, `file-not-writable`. */
  async write(version: DatasetVersion, { commitments, keys, lines }: RowManifest): Promise<void> {
    const heading = encodeCbor(version as unknown as Cbor)
    const numbers = Buffer.alloc(lines.length * LINE_BYTES)
    for (const [i, line] of lines.entries()) numbers.writeUInt32BE(line, i * LINE_BYTES)
    const length = Buffer.alloc(LINE_BYTES)
    length.writeUInt32BE(heading.length)
    const body = concat([MAGIC, length, heading, commitments, keys ?? new Uint8Array(0), numbers])
    const { name, number } = version
    await writeAtomically(this.#path(name, number), this.#seal(name, number, concat([body, sha256(body)])), 0o600)
  }

  async #heading(name: string, number: number): Promise<DatasetVersion> {
    const path = this.#path(name, number)
    const bytes = await this.#open(name, number)
    try {
      const start = MAGIC.length + LINE_BYTES
      const length = Math.min(bytes.readUInt32BE(MAGIC.length), HEADING_BYTES_MAX)
      const heading = new Uint8Array(bytes.subarray(start, start + length))
      return decodeCbor(heading, HEADING_BYTES_MAX) as unknown as DatasetVersion
    } catch {
      throw damaged(path)
    }
  }

  async #numbers(name: string): Promise<number[]> {
    const found = await namesIn(join(this.#folder, name))
    const numbers = found.filter((file) => /^[1-9]\d{0,8}$/.test(file)).map(Number)
    return numbers.sort((a, b) => a - b)
  }

  async #stored(name: string, number: number): Promise<Buffer> {
    const path = this.#path(name, number)
    return readFile(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
  }

  async #open(name: string, number: number): Promise<Buffer> {
    const stored = await this.#stored(name, number)
    if (isPlain(stored)) return stored
    const opened = this.#key === null ? null : openState(this.#key, stateName(name, number), stored)
    if (opened === null || !isPlain(opened)) throw damaged(this.#path(name, number))
    return Buffer.from(opened.buffer, opened.byteOffset, opened.length)
  }

  #seal(name: string, number: number, bytes: Uint8Array): Uint8Array {
    if (this.#key === null) return bytes
    return sealState(this.#key, stateName(name, number), bytes, new Uint8Array(randomBytes(NONCE_BYTES)))
  }

  #path(name: string, number: number): string {
    return join(this.#folder, name, String(number))
  }
}

const stateName = (name: string, number: number): string => `datasets/${name}/${number}`

const isPlain = (bytes: Uint8Array): boolean => equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw unreadable(folder, error)
  })
}

function damaged(path: string): ConsiliumError {
  const message = `${path}: is not what was written there; put it back from a backup of the data folder`
  return new ConsiliumError({ code: 'dataset-damaged', message })
}

function unreadable(path: string, error: unknown): ConsiliumError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error)
  const message = `${path}: cannot be read (${code}); check who owns the folder and its permissions`
  return new ConsiliumError({ code: 'file-unreadable', message, cause: error })
}
