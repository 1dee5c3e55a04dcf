/**
 * The updates that merges were made of, for as long as there is room for them: `inputs/<first digits of the study>/<digest>`, each
 * file the float32 weights that its name is the digest of. Nothing but `log verify --replay` reads them, so losing one loses no more.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesFloat, floatBytes, weightsDigest } from '../core/digest.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { writeAtomically } from './files.ts'
import type { Log } from './log.ts'
import type { Room } from './room.ts'

const STUDY_DIGITS = 16 // tells studies apart, and keeps paths short
const BLOCK_BYTES = 4_096 // what the smallest file takes on most disks
const FILES_MAX = 65_536 // an index of 10 MB, listed in a few seconds; with updates of the largest size 4 GB
const WAITING_MAX = 256 // updates that wait for the disk: 16 MB of the largest; beyond it they are not kept
const CLOSE_MS = 1_000 // of a stop: what is not written by then is not kept

/** What a store works with. `keepBytes` is what its files may take; `room` refuses where others' bytes may not grow. */
export interface InputStoreParts {
  readonly folder: string
  readonly keepBytes: number
  readonly room: Pick<Room, 'require'>
  readonly log: Log
}

/** One per daemon: `start`, then `close`. Whatever fails is said once of its kind, and keeps nobody from training. */
export class InputStore {
  readonly #parts: InputStoreParts
  /** Bytes by path below the folder, the oldest first. */
  readonly #files = new Map<string, number>()
  #bytes = 0
  readonly #waiting = new Map<string, Float32Array>()
  #state: 'new' | 'open' | 'unusable' | 'closed' = 'new'
  #working = false
  #work: Promise<void> = Promise.resolve()
  readonly #told = new Set<string>()

  constructor(parts: InputStoreParts) {
    this.#parts = parts
  }

  /** Lists what is there, in the background. No other process may be using the folder. */
  start(): void {
    this.#work = this.#run(() => this.#load())
  }

  /** Keeps an update, some time after this returns. The array must not change any more. */
  keep(study: StudyId, digest: Digest, weights: Float32Array): void {
    const path = pathOf(study, digest)
    if (this.#parts.keepBytes === 0 || this.#state === 'unusable' || this.#state === 'closed') return
    if (this.#files.has(path)) return
    if (this.#waiting.size >= WAITING_MAX)
      return this.#tell('inputs-waiting', 'the disk is too slow to keep all updates')
    this.#waiting.set(path, weights)
    if (this.#state === 'open' && !this.#working) this.#work = this.#run()
  }

  /** Whether it is stored, as far as is known without opening the file. */
  has(study: StudyId, digest: Digest): boolean {
    return this.#files.has(pathOf(study, digest))
  }

  /** The weights, or null where they are not here; a file whose bytes are not those that its name says is removed. */
  async read(study: StudyId, digest: Digest): Promise<Float32Array | null> {
    const path = pathOf(study, digest)
    if (!this.#files.has(path)) return null
    const bytes = await readFile(join(this.#parts.folder, path)).catch((error: unknown) => this.#lost(path, error))
    if (bytes === null) return null
    const weights = bytes.length % Float32Array.BYTES_PER_ELEMENT === 0 ? bytesFloat(bytes) : null
    if (weights !== null && weightsDigest(weights) === digest) return weights
    this.#parts.log('warn', 'input-damaged', { file: join(this.#parts.folder, path), removed: true })
    await this.#remove(path).catch((error: unknown) => this.#failed(error))
    return null
  }

  /** Resolves when everything that `keep` was given so far is stored, or is known not to be. */
  async settled(): Promise<void> {
    do await this.#work
    while (this.#working)
  }

  /** Takes nothing more and ends what is under way; idempotent. */
  async close(): Promise<void> {
    if (this.#state === 'new') this.#waiting.clear()
    const late = setTimeout(() => this.#waiting.clear(), CLOSE_MS)
    this.#state = 'closed'
    await this.settled()
    clearTimeout(late)
  }

  async #run(first?: () => Promise<void>): Promise<void> {
    this.#working = true
    await first?.()
    for (const [path, weights] of this.#waiting) {
      await this.#store(path, weights).catch((error: unknown) => this.#failed(error))
      this.#waiting.delete(path)
    }
    this.#working = false
  }

  async #store(path: string, weights: Float32Array): Promise<void> {
    const { folder, keepBytes, room } = this.#parts
    const bytes = floatBytes(weights)
    const size = sizeOnDisk(bytes.length)
    if (this.#files.has(path) || size > keepBytes) return
    await this.#dropTo(keepBytes - size, FILES_MAX - 1) // before, so that the bound holds at any moment
    await room.require(size)
    await writeAtomically(join(folder, path), bytes, 0o600)
    this.#add(path, size)
  }

  /** What an earlier run left, in the order in which it was written, and no more of it than may be kept now. */
  async #load(): Promise<void> {
    try {
      const found: { path: string; size: number; atMs: number }[] = []
      for (const study of (await namesIn(this.#parts.folder)).filter((name) => STUDY.test(name))) {
        for (const name of await namesIn(join(this.#parts.folder, study))) {
          const path = join(study, name)
          const file = join(this.#parts.folder, path)
          if (UNFINISHED.test(name)) await rm(file, { force: true })
          if (!DIGEST.test(name)) continue
          const { size, mtimeMs } = await stat(file)
          found.push({ path, size: sizeOnDisk(size), atMs: mtimeMs })
        }
      }
      found.sort((a, b) => a.atMs - b.atMs || (a.path < b.path ? -1 : 1))
      for (const { path, size } of found) this.#add(path, size)
      await this.#dropTo(this.#parts.keepBytes, FILES_MAX)
      if (this.#state === 'new') this.#state = 'open'
    } catch (error) {
      this.#failed(error)
      this.#waiting.clear()
      this.#state = 'unusable' // what is not counted cannot be bounded
    }
  }

  async #dropTo(bytesMax: number, filesMax: number): Promise<void> {
    for (const path of this.#files.keys()) {
      if (this.#bytes <= bytesMax && this.#files.size <= filesMax) return
      await this.#remove(path)
    }
  }

  async #remove(path: string): Promise<void> {
    await rm(join(this.#parts.folder, path), { force: true })
    this.#forget(path)
  }

  #add(path: string, size: number): void {
    this.#files.set(path, size)
    this.#bytes += size
  }

  #forget(path: string): void {
    this.#bytes -= this.#files.get(path) ?? 0
    this.#files.delete(path)
  }

  #lost(path: string, error: unknown): null {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') this.#forget(path)
    else this.#failed(error)
    return null
  }

  #failed(error: unknown): void {
    this.#tell(error instanceof ConsiliumError ? error.code : 'inputs-failed', messageOf(error))
  }

  #tell(code: string, why: string): void {
    if (this.#told.has(code)) return
    this.#told.add(code)
    this.#parts.log('warn', 'inputs-not-kept', { code, why, means: 'log verify --replay will miss some merges' })
  }
}

const STUDY = new RegExp(`^[0-9a-f]{${STUDY_DIGITS}}$`)
const DIGEST = /^[0-9a-f]{64}$/
const UNFINISHED = /^[0-9a-f]{64}\.new$/ // a stop came while it was written

function pathOf(study: StudyId, digest: Digest): string {
  return join(study.slice(0, STUDY_DIGITS), digest)
}

function sizeOnDisk(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
