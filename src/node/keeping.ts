/** Which weights the shell holds for one study, so that each is let go of exactly when nothing refers to it any more. */
import type { Digest, StudyId } from '../core/ids.ts'
import type { Action } from './actions.ts'

/** The digests of everything that the shell was given or made; bounded by what is used, at every `release`. */
export class Keeping {
  readonly #kept = new Set<Digest>()

  add(digest: Digest): void {
    this.#kept.add(digest)
  }

  /** Forgets all but `used`; null where nothing is free. */
  release(study: StudyId, used: ReadonlySet<Digest | null | undefined>): Extract<Action, { type: 'forget' }> | null {
    const digests = [...this.#kept].filter((digest) => !used.has(digest))
    for (const digest of digests) this.#kept.delete(digest)
    return digests.length > 0 ? { type: 'forget', study, digests } : null
  }
}
