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

interface Newest {
  readonly digest: Digest
  readonly written: Written
  readonly state: CoderState
  /** What it was coded from, until it is sent; null from then on. */
  before: CoderState | null
}

/** One per trainer. What was coded counts from when `written` is asked for, to be sent: an update that nobody heard of leaves no trace. */
export class UpdateCoder {
  readonly #studies = new Map<StudyId, Newest>()

  /** Takes up what a checkpoint holds; `digest` is that of the update. */
  restore(study: StudyId, digest: Digest, stored: StoredCoding): void {
    if (stored !== null) this.#studies.set(study, { digest, ...stored, before: null }) // of another stage than `trained` it was sent; of that one it is sent next
  }

  /** Nothing that was sent before counts any more. */
  forget(study: StudyId): void {
    this.#studies.delete(study)
  }

  /** `seed` draws the rounding: the same for the same training, so that a round that is done again comes out alike. */
  code(id: StudyId, study: Study, round: number, trained: Float32Array, seed: string): Coded {
    return codeUpdate(weightFormatOf(study), trained, round, this.#sent(id), Rng.from('coding', seed))
  }

  keep(study: StudyId, digest: Digest, { coding, reference, payload, next }: Coded): void {
    const before = this.#sent(study)
    this.#studies.set(study, { digest, written: { coding, reference, payload }, state: next, before })
  }

  /** How the update with these weights was written, which is sent now. */
  written(study: StudyId, digest: Digest): Written | null {
    const newest = this.#studies.get(study)
    if (newest?.digest !== digest) return null
    newest.before = null
    return newest.written
  }

  stored(study: StudyId): StoredCoding {
    const newest = this.#studies.get(study)
    if (newest === undefined || newest.written.coding === CODING.float32) return null
    const { written, state } = newest
    return { written, state }
  }

  /** What others have heard of, against which the next update is written. */
  #sent(study: StudyId): CoderState {
    const newest = this.#studies.get(study)
    return newest?.before ?? newest?.state ?? NOTHING_SENT
  }
}
