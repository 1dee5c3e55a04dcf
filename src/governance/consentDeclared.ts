/** What an author's log had told of its patients' words when a round began: read from its entries, wherever they come from. */
import { toHex } from '../core/bytes.ts'
import type { StudyId } from '../core/ids.ts'
import type { Entry } from '../ledger/entry.ts'
import { readBody } from './kinds.ts'

/** Takes an author's entries in their order, up to a round's. Words that were told before its newest merge in the study before that count. */
export class ToldWords {
  readonly #study: StudyId
  readonly #commitments: string[] = []
  #before = 0
  #missing = 0

  constructor(study: StudyId) {
    this.#study = study
  }

  take({ kind, study, body }: Pick<Entry, 'kind' | 'study' | 'body'>): void {
    if (kind === 'round.merged' && study === this.#study) this.#before = this.#commitments.length
    const told = kind === 'consent.recorded' ? readBody(kind, body) : null
    if (told === null) return
    this.#missing = Math.max(this.#missing, told.from - this.#commitments.length)
    for (const [, commitment] of told.items) this.#commitments.push(toHex(commitment))
  }

  /** Commitments of the words that count. */
  get before(): readonly string[] {
    return this.#commitments.slice(0, this.#before)
  }

  /** So many words at least stand in entries that were not among those taken. */
  get missing(): number {
    return this.#missing
  }
}
