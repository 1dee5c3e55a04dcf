/** The table that this hospital has bound to a study, and its entries in the log. */
import { invariant } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { Context } from './context.ts'
import type { BoundDataset } from './events.ts'
import { bindingDrafts, lacksStatistics } from './roundEntries.ts'

/** One per study run. */
export class Table {
  readonly #context: Context
  readonly #id: StudyId
  #bound: BoundDataset | null = null

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
  }

  /** Null where none is bound. */
  get bound(): BoundDataset | null {
    return this.#bound
  }

  /** The registered dataset that it is of; null of a table that is none. */
  get registered(): Digest | null {
    return this.#bound?.registered?.dataset ?? null
  }

  get rows(): number {
    return this.#bound?.rows ?? 0
  }

  /** Takes up what was stored. A binding cut short by a stop is recorded now. */
  restore(bound: BoundDataset | null): void {
    this.#bound = bound
    const { self, studies } = this.#context
    const state = studies.get(this.#id)
    if (bound === null || state?.accepted.has(self) !== true) return
    const recorded = state.commitments.get(self) === bound.commitment
    if (!recorded || lacksStatistics(state, self)) this.bind(bound)
  }

  bind(bound: BoundDataset): void {
    const { self, studies } = this.#context
    const state = studies.get(this.#id)
    invariant(state !== undefined, 'a table is bound to a known study')
    this.#bound = bound
    const drafts = bindingDrafts(this.#context, this.#id, bound, lacksStatistics(state, self))
    this.#context.record(`bound:${this.#id}`, drafts)
  }
}
