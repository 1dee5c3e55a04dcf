/**
 * Runs of predictions that no entry tells of yet, in a file that is appended to. What is added is handed to the operating system before it is
 * answered for, and synced in groups: a node that is killed loses nothing, a machine that loses its power at most what was added in the last
 * `SYNC_MS`. Records are sealed, for their salts open commitments.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { concat, utf8 } from '../core/bytes.ts'
import { hmacSha256, taggedMessage } from '../core/digest.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { decodeRuns, encodeRuns, type UseRun } from '../governance/uses.ts'
import { NONCE_BYTES, seal, TAG_BYTES, unseal } from '../store/aead.ts'

const SYNC_MS = 100
const HEAD_BYTES = 16 // number of the run, u64; sealed length, u32; CRC-32 of these twelve
const RECORD_BYTES_MAX = 4_096
const MODE = 0o600

/** A run with its number: they count up for good, so that what an entry tells of is known by how many. */
export interface NumberedRun {
  readonly number: number
  readonly run: UseRun
}

/** One process at a time. Records are written in the order in which they are added. */
export class UseJournal {
  readonly #path: string
  readonly #key: Uint8Array
  #file: FileHandle | null = null
  #bytes = 0
  #next = 0
  #waiting: Uint8Array[] = []
  #writing: Promise<void> = Promise.resolve()
  #sync: NodeJS.Timeout | null = null
  #syncing: Promise<void> = Promise.resolve()

  /** `dataKey` is the one that seals this folder's state. */
  constructor(path: string, dataKey: Uint8Array) {
    this.#path = path
    this.#key = hmacSha256(dataKey, taggedMessage('sealedUse', new Uint8Array(0)))
  }

  /**
   * Opens the file, and gives the runs from number `told` on. A record that a crash cut short ends it; what comes after one is lost with it.
   * Errors: `use-journal-sealed`, `file-not-writable`.
   */
  async open(told: number): Promise<NumberedRun[]> {
    const file = await open(this.#path, 'a+', MODE).catch((error: unknown) => {
      throw unwritable(this.#path, error)
    })
    const bytes = await file.readFile()
    const { runs, end } = this.#read(bytes)
    await file.truncate(end)
    this.#file = file
    this.#bytes = end
    this.#next = Math.max(told, (runs.at(-1)?.number ?? -1) + 1)
    return runs.filter(({ number }) => number >= told)
  }

  /** Gives the run's number once the operating system has it. Error: `file-not-writable`. */
  async add(run: UseRun): Promise<number> {
    const number = this.#next++
    this.#waiting.push(this.#sealed(number, run))
    if (this.#waiting.length === 1) this.#writing = this.#writing.then(() => this.#write())
    await this.#writing
    this.#sync ??= setTimeout(() => this.#startSync(), SYNC_MS).unref()
    return number
  }

  /** Empties the file where nothing was added beyond `told`; what it has of runs before that is passed over when it is read. */
  async forget(told: number): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      if (this.#file === null || this.#next > told || this.#waiting.length > 0 || this.#bytes === 0) return
      await this.#file.truncate(0)
      this.#bytes = 0
    })
    await this.#writing
  }

  /** Synced when it resolves. */
  async close(): Promise<void> {
    if (this.#sync !== null) clearTimeout(this.#sync)
    this.#sync = null
    await this.#writing.catch(() => undefined)
    await this.#syncing
    await this.#file?.datasync().catch(() => undefined)
    await this.#file?.close()
    this.#file = null
  }

  async #write(): Promise<void> {
    const group = concat(this.#waiting)
    this.#waiting = []
    if (this.#file === null) throw unwritable(this.#path, new Error('it is closed'))
    await this.#file.appendFile(group).catch((error: unknown) => {
      throw unwritable(this.#path, error)
    })
    this.#bytes += group.length
  }

  #startSync(): void {
    this.#sync = null
    this.#syncing = this.#file?.datasync().catch(() => undefined) ?? Promise.resolve() // what failed shows at the next write
  }

  #sealed(number: number, run: UseRun): Uint8Array {
    const nonce = new Uint8Array(randomBytes(NONCE_BYTES))
    const sealed = seal(this.#key, nonce, placeOf(number), encodeRuns([run]), [nonce])
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeBigUInt64BE(BigInt(number))
    head.writeUInt32BE(sealed.length, 8)
    head.writeUInt32BE(crc32(head.subarray(0, 12)), 12)
    return concat([head, sealed])
  }

  #read(bytes: Buffer): { readonly runs: NumberedRun[]; readonly end: number } {
    const runs: NumberedRun[] = []
    let at = 0
    while (at + HEAD_BYTES <= bytes.length) {
      const head = bytes.subarray(at, at + HEAD_BYTES)
      const length = head.readUInt32BE(8)
      const end = at + HEAD_BYTES + length
      const whole = crc32(head.subarray(0, 12)) === head.readUInt32BE(12) && length <= RECORD_BYTES_MAX
      if (!whole || length < NONCE_BYTES + TAG_BYTES || end > bytes.length) break
      const number = Number(head.readBigUInt64BE(0))
      const sealed = bytes.subarray(at + HEAD_BYTES, end)
      const content = unseal(this.#key, sealed.subarray(0, NONCE_BYTES), placeOf(number), sealed.subarray(NONCE_BYTES))
      if (content === null && at === 0) throw foreign(this.#path)
      if (content === null) break
      const [run] = decodeRuns(content)
      if (run !== undefined) runs.push({ number, run })
      at = end
    }
    return { runs, end: at }
  }
}

const placeOf = (number: number): Uint8Array => taggedMessage('sealedUse', utf8(String(number)))

function foreign(path: string): ConsiliumError {
  const message = `${path}: was sealed under another key than this folder's data.key: put the right one of the two back, or, where that is lost, move the file away; the predictions in it that no entry tells of are lost then`
  return new ConsiliumError({ code: 'use-journal-sealed', message })
}

function unwritable(path: string, error: unknown): ConsiliumError {
  const message = `${path}: predictions cannot be recorded (${(error as NodeJS.ErrnoException).code ?? messageOf(error)}), so none are made; check the disk and who owns the folder`
  return new ConsiliumError({ code: 'file-not-writable', message, cause: error })
}
