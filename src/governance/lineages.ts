/** The lineages of all studies, as the members' logs tell of them. */
import type { MemberId, StudyId } from '../core/ids.ts'
import type { Entry } from '../ledger/entry.ts'
import { Lineage } from './lineage.ts'
import { type Trace, traceIn, traceOf } from './traces.ts'

/** One per shell. It is told of each log from its beginning, in order and once; it is only a reading, and can be made anew. */
export class Lineages {
  readonly #studies = new Map<StudyId, Lineage>()

  /** Of one study; empty where no log tells of it. */
  of(study: StudyId): Lineage {
    const known = this.#studies.get(study) ?? new Lineage()
    this.#studies.set(study, known)
    return known
  }

  /** Of which any log tells. */
  get studies(): readonly StudyId[] {
    return [...this.#studies.keys()]
  }

  /** One entry of a log, after those before it. Bodies that were dropped tell nothing. */
  tell(entry: Pick<Entry, 'kind' | 'study' | 'author' | 'seq' | 'body'>): void {
    const trace = traceIn(entry)
    if (trace !== null) this.add(entry.author, trace)
  }

  /** The next entries of a log. Errors: those of `decodeEntry`, where the store is damaged. */
  take(author: MemberId, raws: readonly Uint8Array[]): void {
    for (const raw of raws) {
      const trace = traceOf(raw)
      if (trace !== null) this.add(author, trace)
    }
  }

  /** What one entry of an author's log tells, after those before it. */
  add(author: MemberId, trace: Trace): void {
    if (trace.type === 'told') return
    const { study, seq, round } = trace
    if (trace.type === 'trained') {
      const base = { author, model: trace.base }
      this.of(study).tell({ author, model: trace.update, making: 'trained', round, seq }, [base])
    } else this.of(study).tell({ author, model: trace.result, making: 'merged', round, seq }, trace.inputs)
  }
}
