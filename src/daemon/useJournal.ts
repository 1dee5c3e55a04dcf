/**
 * Runs of predictions that no entry tells of yet, in a file that is appended to. What is added is handed to the operating system before it is
 * answered for, and synced in groups: a node that is killed loses nothing, a machine that loses its power at most what was added in the last
 * `SYNC_MS`. Records are sealed, for their salts open commitments.
 */
import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { concat, utf8 } from '../core/bytes.ts'
import { hmacSha256, taggedMessage } from '../core/digest.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { decodeRuns, encodeRuns, type UseRun } from '../governance/uses.ts'
import { NONCE_BYTES, seal, TAG_BYTES, unseal } from '../store/aead.ts'
import { writeAtomically } from './files.ts'

const SYNC_MS = 100
const HEAD_BYTES = 16 // number of the run, u64; sealed length, u32; CRC-32 of these twelve
const RECORD_BYTES_MAX = 4_096
const TOLD_BYTES_MAX = 1_048_576 // of records that entries tell of, where the file is never without others: some three thousand
const MODE = 0o600

/** A run with its number: they count up for good, so that what an entry tells of is known by how many, and what is missing too. */
export interface NumberedRun {
  readonly number: number
  readonly run: UseRun
}

/** What a journal has. */
export interface FoundRuns {
  readonly runs: readonly NumberedRun[]
  /** Runs that were answered for and cannot be read any more: at least so many. */
  readonly lost: number
}

/** One process at a time. Records are written in the order in which they are added. */
export class UseJournal {
  readonly #path: string
  readonly #key: Uint8Array
  #file: FileHandle | null = null
  #bytes = 0
  #next = 0
  #waiting: { readonly number: number; readonly bytes: Uint8Array }[] = []
  /** Where the records end that no entry was said to tell of, and how many bytes lie before them. */
  #ends: { readonly number: number; readonly end: number }[] = []
  #toldBytes = 0
  #writing: Promise<void> = Promise.resolve()
  #sync: NodeJS.Timeout | null = null
  #syncing: Promise<void> = Promise.resolve()

  /** `dataKey` is the one that seals this folder's state. */
  constructor(path: string, dataKey: Uint8Array) {
    this.#path = path
    this.#key = hmacSha256(dataKey, taggedMessage('sealedUse', new Uint8Array(0)))
  }

  /**
   * Opens the file, and gives the runs from number `told` on. A record that a crash cut short ends it; one that is damaged is passed over, and
   * counted. Errors: `use-journal-sealed`, `file-not-writable`.
   */
  async open(told: number): Promise<FoundRuns> {
    const file = await open(this.#path, 'a+', MODE).catch((error: unknown) => {
      throw unwritable(this.#path, error)
    })
    try {
      const { runs, end, isBroken } = this.#read(await file.readFile())
      await file.truncate(end)
      const found = runs.filter(({ number }) => number >= told).map(({ number, run }) => ({ number, run }))
      const next = Math.max(told, (runs.at(-1)?.number ?? -1) + 1)
      const missing = next - told - found.length
      this.#file = file
      this.#bytes = end
      this.#next = next
      this.#ends = runs.map(({ number, end: at }) => ({ number, end: at }))
      return { runs: found, lost: missing + (isBroken ? 1 : 0) }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Gives the run's number once the operating system has it. Error: `file-not-writable`. */
  async add(run: UseRun): Promise<number> {
    const number = this.#next++
    this.#waiting.push({ number, bytes: this.#sealed(number, run) })
    if (this.#waiting.length === 1) this.#writing = this.#writing.then(() => this.#write())
    await this.#writing
    this.#sync ??= setTimeout(() => this.#startSync(), SYNC_MS).unref()
    return number
  }

  /** Takes the runs before number `told` out of the file: at once where no others are in it, else when they have come to a megabyte. */
  async forget(told: number): Promise<void> {
    this.#writing = this.#writing.then(() => this.#forget(told))
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

  #write(): void {
    const group = this.#waiting
    this.#waiting = []
    if (this.#file === null) throw unwritable(this.#path, new Error('it is closed'))
    this.#append(this.#file.fd, concat(group.map(({ bytes }) => bytes)))
    for (const { number, bytes } of group) {
      this.#bytes += bytes.length
      this.#ends.push({ number, end: this.#bytes })
    }
  }

  /** On this thread: to hand the operating system some hundred bytes takes microseconds, and a thread of the pool may be busy with the database for milliseconds. */
  #append(descriptor: number, bytes: Uint8Array): void {
    try {
      appendFileSync(descriptor, bytes)
    } catch (error) {
      throw unwritable(this.#path, error)
    }
  }

  async #forget(told: number): Promise<void> {
    if (this.#file === null) return
    const untold = this.#ends.findIndex(({ number }) => number >= told)
    const gone = this.#ends.splice(0, untold === -1 ? this.#ends.length : untold)
    this.#toldBytes = gone.at(-1)?.end ?? this.#toldBytes
    if (this.#toldBytes === this.#bytes) await this.#file.truncate(0)
    else if (this.#toldBytes >= TOLD_BYTES_MAX) await this.#moveRest(this.#file)
    else return
    this.#bytes -= this.#toldBytes
    this.#ends = this.#ends.map(({ number, end }) => ({ number, end: end - this.#toldBytes }))
    this.#toldBytes = 0
  }

  /** What is not told of becomes the whole file; until that is there, the old one is. */
  async #moveRest(file: FileHandle): Promise<void> {
    const rest = new Uint8Array(this.#bytes - this.#toldBytes)
    await file.read(rest, 0, rest.length, this.#toldBytes)
    await writeAtomically(this.#path, rest, MODE)
    this.#file = await open(this.#path, 'a+', MODE)
    await file.close()
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

  /** `end`: of the last record that is whole; `isBroken`: what comes after it is not one that was cut short. */
  #read(bytes: Buffer): { readonly runs: PlacedRun[]; readonly end: number; readonly isBroken: boolean } {
    const runs: PlacedRun[] = []
    let [end, unread, isBroken] = [0, 0, false]
    for (let at = 0; at + HEAD_BYTES <= bytes.length; ) {
      const record = recordAt(bytes, at)
      if (record === 'cut') break
      const run = record === null ? null : this.#opened(record)
      at = record?.end ?? nextHead(bytes, at + 1)
      isBroken = run === null
      if (run !== null) {
        runs.push({ ...run, end: at })
        end = at
      } else if (record !== null) unread++
    }
    if (runs.length === 0 && unread > 0) throw foreign(this.#path)
    return { runs, end, isBroken }
  }

  #opened({ number, sealed }: SealedRecord): NumberedRun | null {
    const content = unseal(this.#key, sealed.subarray(0, NONCE_BYTES), placeOf(number), sealed.subarray(NONCE_BYTES))
    const [run] = content === null ? [] : decodeRuns(content)
    return run === undefined ? null : { number, run }
  }
}

/** A run with where its record ends. */
interface PlacedRun extends NumberedRun {
  readonly end: number
}

interface SealedRecord {
  readonly number: number
  readonly sealed: Buffer
  readonly end: number
}

/** Null where none begins; `cut` where it goes on behind the end of the file. */
function recordAt(bytes: Buffer, at: number): SealedRecord | 'cut' | null {
  const head = bytes.subarray(at, at + HEAD_BYTES)
  if (crc32(head.subarray(0, 12)) !== head.readUInt32BE(12)) return null
  const [number, length] = [Number(head.readBigUInt64BE(0)), head.readUInt32BE(8)]
  if (length > RECORD_BYTES_MAX || length < NONCE_BYTES + TAG_BYTES) return null
  const end = at + HEAD_BYTES + length
  return end > bytes.length ? 'cut' : { number, sealed: bytes.subarray(at + HEAD_BYTES, end), end }
}

/** Where a record may begin, from `at` on; the end of the file where none does. Numbers and lengths begin with zeros. */
function nextHead(bytes: Buffer, at: number): number {
  for (; at + HEAD_BYTES <= bytes.length; at++)
    if (bytes[at] === 0 && bytes[at + 8] === 0 && bytes[at + 9] === 0 && recordAt(bytes, at) !== null) return at
  return bytes.length
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
