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
  #forgotten = 0
  #lost: number | null = null

  constructor(study: StudyId) {
    this.#study = study
  }

  take({ kind, study, body }: Pick<Entry, 'kind' | 'study' | 'body'>): void {
    if (kind === 'round.merged' && study === this.#study) this.#before = this.#commitments.length
    if (kind === 'consent.restarted') this.#lost = this.#commitments.length
    if (kind === 'subject.erased') this.#forgotten += readBody(kind, body)?.subjects ?? 0
    const told = kind === 'consent.recorded' ? readBody(kind, body) : null
    if (told === null) return
    this.#missing = Math.max(this.#missing, told.from - this.#commitments.length)
    for (const [, commitment] of told.items) this.#commitments.push(toHex(commitment))
  }

  /** Commitments of the words that count: those that were lost before it began anew do not. */
  get before(): readonly string[] {
    return this.#commitments.slice(this.#lost ?? 0, this.#before)
  }

  /** Whether it began anew to ask everybody, so that no silence is a yes. */
  get anew(): boolean {
    return this.#lost !== null
  }

  /** So many patients were forgotten, by all entries taken: an erasure after a round shuts its leaves too. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** So many words at least stand in entries that were not among those taken. */
  get missing(): number {
    return this.#missing
  }
}
