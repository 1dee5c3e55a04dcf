/** Writes one member's trained weights as its studies say, and remembers what the next update is written against. */
import type { Study } from '../config/study.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { Rng } from '../core/rng.ts'
import { type Coded, type CoderState, codeUpdate, NOTHING_SENT } from '../gossip/coding/coder.ts'
import { CODING } from '../gossip/coding/coding.ts'
import { weightFormatOf } from '../node/expectation.ts'

/** How the newest own update was written, as `UpdateHeader` and payload carry it. */
export type Written = Pick<Coded, 'coding' | 'reference' | 'payload'>

/** What is kept of a study over a restart. Null: float32, which needs nothing, for its payload is the weights. */
export type StoredCoding = { readonly written: Written; readonly state: CoderState } | null

/** One per trainer. What was coded counts from `keep` on, so that an update which is not sent leaves no trace. */
export class UpdateCoder {
  readonly #studies = new Map<
    StudyId,
    { readonly digest: Digest; readonly written: Written; readonly state: CoderState }
  >()

  /** Takes up what a checkpoint holds; `digest` is that of the update. */
  restore(study: StudyId, digest: Digest, stored: StoredCoding): void {
    if (stored !== null) this.#studies.set(study, { digest, ...stored })
  }

  /** Nothing that was sent before counts any more. */
  forget(study: StudyId): void {
    this.#studies.delete(study)
  }

  /** `seed` draws the rounding: the same for the same training, so that a round that is done again comes out alike. */
  code(id: StudyId, study: Study, round: number, trained: Float32Array, seed: string): Coded {
    const state = this.#studies.get(id)?.state ?? NOTHING_SENT
    return codeUpdate(weightFormatOf(study), trained, round, state, Rng.from('coding', seed))
  }

  keep(study: StudyId, digest: Digest, { coding, reference, payload, next }: Coded): void {
    this.#studies.set(study, { digest, written: { coding, reference, payload }, state: next })
  }

  /** How the update with these weights was written. */
  written(study: StudyId, digest: Digest): Written | null {
    const newest = this.#studies.get(study)
    return newest?.digest === digest ? newest.written : null
  }

  stored(study: StudyId): StoredCoding {
    const newest = this.#studies.get(study)
    return newest === undefined || newest.written.coding === CODING.float32 ? null : newest
  }
}
