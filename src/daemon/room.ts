/** Room on the disk for what other members write: theirs ends before our own does. */
import { statfs } from 'node:fs/promises'
import { ConsiliumError } from '../core/errors.ts'

const RESERVE_BYTES = 256 * 1024 * 1024 // months of own entries, and time to notice
const RESERVE_SHARE = 0.05 // of a small disk
const MEASURE_MS = 5_000 // between two looks; at 40 MB/s that is 200 MB, less than the reserve

/** Free and total bytes of the file system that holds a folder. */
export type Measure = (folder: string) => Promise<{ readonly free: number; readonly total: number }>

/** By statfs; `free` is what is left to this user, without the part that is kept for root. */
export async function measureDisk(folder: string): Promise<{ free: number; total: number }> {
  const { bavail, bsize, blocks } = await statfs(folder)
  return { free: bavail * bsize, total: blocks * bsize }
}

/** Between two looks at the disk it counts down what was asked for. `folder` is any on the disk of the database; `nowMs` is monotonic. */
export class Room {
  readonly #folder: string
  readonly #measure: Measure
  readonly #nowMs: () => number
  #free = 0
  #reserve = 0
  #measuredMs = Number.NEGATIVE_INFINITY

  constructor(folder: string, measure: Measure = measureDisk, nowMs: () => number = () => performance.now()) {
    this.#folder = folder
    this.#measure = measure
    this.#nowMs = nowMs
  }

  /** Throws `disk-low` where `bytes` more of others' entries would eat into what is kept for this node's own. */
  async require(bytes: number): Promise<void> {
    if (this.#nowMs() >= this.#measuredMs + MEASURE_MS) {
      const { free, total } = await this.#measure(this.#folder)
      this.#free = free
      this.#reserve = Math.min(RESERVE_BYTES, total * RESERVE_SHARE)
      this.#measuredMs = this.#nowMs()
    }
    this.#free -= bytes
    if (this.#free >= this.#reserve) return
    const left = `${Math.max(0, Math.round(this.#free / 1e6))} MB are left`
    throw new ConsiliumError({
      code: 'disk-low',
      message: `the disk of ${this.#folder}: ${left}, and ${Math.round(this.#reserve / 1e6)} MB are kept for this node's own log; make room, and the others' logs go on`,
    })
  }
}
