/** The lineages of all studies, read from the members' logs as they grow. */
import { toHex } from '../core/bytes.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { decodeEntry, type Entry, glanceAt } from '../ledger/entry.ts'
import { readBody } from './kinds.ts'
import { Lineage } from './lineage.ts'

/** One per shell. It is given each log from its beginning, in order and once; it is only a reading, and can be made anew. */
export class Lineages {
  readonly #studies = new Map<StudyId, Lineage>()
  readonly #read = new Map<MemberId, number>()

  /** Up to which entry an author's log was read. */
  readOf(author: MemberId): number {
    return this.#read.get(author) ?? 0
  }

  /** The next entries of a log. Bodies that were dropped tell nothing. Errors: those of `decodeEntry`, where the store is damaged. */
  take(author: MemberId, raws: readonly Uint8Array[]): void {
    for (const raw of raws) {
      const { kind } = glanceAt(raw)
      if (kind === 'round.trained' || kind === 'round.merged') this.tell(decodeEntry(raw))
    }
    this.#read.set(author, this.readOf(author) + raws.length)
  }

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

  /** One entry of a log, after those before it. */
  tell({ kind, study, author, seq, body }: Pick<Entry, 'kind' | 'study' | 'author' | 'seq' | 'body'>): void {
    if (study === null) return
    if (kind === 'round.trained') {
      const trained = readBody('round.trained', body)
      if (trained === null) return
      const base = { author, model: toHex(trained.base) as Digest }
      const model = toHex(trained.update) as Digest
      return this.of(study).tell({ author, model, making: 'trained', round: trained.round, seq }, [base])
    }
    const merged = readBody('round.merged', body)
    if (merged === null) return
    const inputs = [...merged.inputs, ...(merged.partial?.updates ?? [])].map(([member, , update]) => {
      return { author: toHex(member) as MemberId, model: toHex(update) as Digest }
    })
    const model = toHex(merged.result) as Digest
    this.of(study).tell({ author, model, making: 'merged', round: merged.round, seq }, inputs)
  }
}
