/** What an author's log tells of its patients' words, as far as one of its rounds is held against it: read from its entries, wherever they come from. */
import { toHex } from '../core/bytes.ts'
import type { StudyId } from '../core/ids.ts'
import type { Entry } from '../ledger/entry.ts'
import { type Kind, readBody } from './kinds.ts'

/** Kinds of the entries that are read. */
export const TELLING = [
  'consent.recorded',
  'consent.restarted',
  'dataset.bound',
  'round.merged',
  'subject.erased',
] as const satisfies readonly Kind[]

/**
 * Takes an author's entries in their order, those after the round's too. Words that were told before its newest merge in the study before
 * the round count, and before the first, those that were told before it had a table: whose rows a round may use is asked after that.
 */
export class ToldWords {
  readonly #study: StudyId
  readonly #round: number
  readonly #commitments: string[] = []
  #before = 0
  #sinceMs: number | null = null
  #next = 0
  #missing = 0
  #unread = 0
  #forgotten = 0
  #lost: number | null = null

  /** `round`: place of the round's entry. */
  constructor(study: StudyId, round: number) {
    this.#study = study
    this.#round = round
  }

  take({ kind, study, seq, timeMs, body }: Pick<Entry, 'kind' | 'study' | 'seq' | 'timeMs' | 'body'>): void {
    const isBefore = seq < this.#round
    if (kind === 'consent.recorded') this.#record(readBody(kind, body))
    else if (kind === 'subject.erased') this.#erase(readBody(kind, body))
    else if (kind === 'consent.restarted') this.#restart(readBody(kind, body)?.words, isBefore)
    else if (!isBefore || study !== this.#study) return
    else if (kind === 'round.merged' || (kind === 'dataset.bound' && this.#sinceMs === null)) {
      this.#before = this.#commitments.length
      this.#sinceMs = timeMs
    }
  }

  /** Commitments of the words that count: those that were lost before it began anew do not. */
  get before(): readonly string[] {
    return this.#commitments.slice(this.#lost ?? 0, this.#before)
  }

  /** Of all words that are told, whenever. */
  get all(): ReadonlySet<string> {
    return new Set(this.#commitments)
  }

  /** The time of the entry up to which words count: earlier the round cannot have begun. Null where there is none before it. */
  get sinceMs(): number | null {
    return this.#sinceMs
  }

  /** Whether it had begun anew to ask everybody, so that no silence is a yes. */
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

  /** So many entries tell of words or erasures, and what they tell cannot be read: their bodies were left out. */
  get unread(): number {
    return this.#unread
  }

  #record(told: ReturnType<typeof readBody<'consent.recorded'>>): void {
    if (told === null) return void this.#unread++
    this.#missing += Math.max(0, told.from - this.#next)
    this.#next = Math.max(this.#next, told.from + told.items.length) // what is told once more opens no gap
    for (const [, commitment] of told.items) this.#commitments.push(toHex(commitment))
  }

  #erase(told: ReturnType<typeof readBody<'subject.erased'>>): void {
    if (told === null) this.#unread++
    else this.#forgotten += told.subjects
  }

  /** Where the log is another key's, its first word comes after all that were lost. */
  #restart(words: number | undefined, isBefore: boolean): void {
    if (isBefore) this.#lost = this.#commitments.length
    this.#next = Math.max(this.#next, words ?? 0)
  }
}
