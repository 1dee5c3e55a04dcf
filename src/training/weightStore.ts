/** Shared weights by study and digest, in memory: bases, own updates, and the newest update of each member. */
import { weightsDigest } from '../core/digest.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'

/** One per node. Keeps references, not copies, until they are forgotten; the machine says when. */
export class WeightStore {
  readonly #weights = new Map<string, Float32Array>()

  /** Keeps weights and returns their digest; callers must not change the array afterwards. */
  put(study: StudyId, weights: Float32Array): Digest {
    const digest = weightsDigest(weights)
    this.#weights.set(`${study} ${digest}`, weights)
    return digest
  }

  /** The machine never asks for what it has let go: a missing digest is our own bug. */
  get(study: StudyId, digest: Digest): Float32Array {
    const weights = this.#weights.get(`${study} ${digest}`)
    invariant(weights !== undefined, `weights ${digest.slice(0, 12)} are held`)
    return weights
  }

  has(study: StudyId, digest: Digest): boolean {
    return this.#weights.has(`${study} ${digest}`)
  }

  forget(study: StudyId, digests: readonly Digest[]): void {
    for (const digest of digests) this.#weights.delete(`${study} ${digest}`)
  }

  /** How many are held. */
  get size(): number {
    return this.#weights.size
  }
}
