/**
 * Registered versions of the hospital's tables, each in a file of the data folder that its owner alone may read: the dataset's secret, and
 * keyed commitments to the rows, no cell of them. Order: the file is written first, then its entry; a version without one is registered again.
 */
import { open, readdir, readFile } from 'node:fs/promises'
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

/** One per daemon: what lies in `folder`, which need not exist. */
export class DatasetFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Names, sorted. */
  async names(): Promise<string[]> {
    return (await namesIn(this.#folder)).filter((name) => DATASET_NAME.test(name)).sort()
  }

  /** All versions of a name, the oldest first; none where there is no such name. Errors: `dataset-damaged`, `file-unreadable`. */
  async versions(name: string): Promise<DatasetVersion[]> {
    const found = await namesIn(join(this.#folder, name))
    const numbers = found.filter((file) => /^[1-9]\d{0,8}$/.test(file)).map(Number)
    return Promise.all(numbers.sort((a, b) => a - b).map((number) => this.#heading(name, number)))
  }

  /** Its rows. Errors: as above. */
  async manifest({ name, number, rows, keyColumn }: DatasetVersion): Promise<RowManifest> {
    const path = this.#path(name, number)
    const bytes = await readFile(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
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
    await writeAtomically(this.#path(version.name, version.number), concat([body, sha256(body)]), 0o600)
  }

  async #heading(name: string, number: number): Promise<DatasetVersion> {
    const path = this.#path(name, number)
    try {
      const file = await open(path, 'r')
      try {
        const start = Buffer.alloc(MAGIC.length + LINE_BYTES)
        await file.read(start, 0, start.length, 0)
        if (!equalBytes(start.subarray(0, MAGIC.length), MAGIC)) throw damaged(path)
        const heading = Buffer.alloc(Math.min(start.readUInt32BE(MAGIC.length), HEADING_BYTES_MAX))
        await file.read(heading, 0, heading.length, start.length)
        return decodeCbor(new Uint8Array(heading), HEADING_BYTES_MAX) as unknown as DatasetVersion
      } finally {
        await file.close()
      }
    } catch (error) {
      if (error instanceof ConsiliumError && error.code === 'dataset-damaged') throw error
      throw error instanceof ConsiliumError ? damaged(path) : unreadable(path, error)
    }
  }

  #path(name: string, number: number): string {
    return join(this.#folder, name, String(number))
  }
}

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
