/** How many bytes a member may be sent in answers: a bucket of tokens for each, so that none takes the line from the others. Pure. */
import type { MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'

interface Bucket {
  /** What may be sent at once; below zero it is owed. */
  bytes: number
  atMs: number
}

/** `now` must not decrease. A member whose bucket is full again takes no memory. */
export class ByteBudget {
  readonly #perSecond: number
  readonly #burst: number
  readonly #buckets = new Map<MemberId, Bucket>()

  constructor(perSecond: number = LIMITS.servedBytesPerSecond, burst: number = LIMITS.servedBytesBurst) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** Notes that `bytes` were sent; gives for how many milliseconds nothing more is to be. */
  spend(member: MemberId, bytes: number, now: number): number {
    const left = this.#left(member, now) - bytes
    this.#buckets.set(member, { bytes: left, atMs: now })
    return left >= 0 ? 0 : (-left / this.#perSecond) * 1_000
  }

  /** Forgets who has sent nothing for so long that its bucket is full. */
  sweep(now: number): void {
    for (const member of this.#buckets.keys()) if (this.#left(member, now) >= this.#burst) this.#buckets.delete(member)
  }

  get size(): number {
    return this.#buckets.size
  }

  #left(member: MemberId, now: number): number {
    const bucket = this.#buckets.get(member)
    if (bucket === undefined) return this.#burst
    return Math.min(this.#burst, bucket.bytes + ((now - bucket.atMs) / 1_000) * this.#perSecond)
  }
}
