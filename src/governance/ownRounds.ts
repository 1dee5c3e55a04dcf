/** What a hospital's own log has for its patients: rounds by the set of patients that they rest on, and where words are told. */
import { toHex } from '../core/bytes.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { decodeEntry, type Entry, glanceAt } from '../ledger/entry.ts'
import { readBody } from './kinds.ts'

/** A round whose entry has a root over patients. */
export interface OwnRound {
  readonly seq: number
  readonly round: number
  readonly timeMs: number
  readonly update: Digest
}

/** One per shell, of one log, given from its beginning, in order and once; it is only a reading, and can be made anew. */
export class OwnRounds {
  readonly #rounds = new Map<string, OwnRound[]>()
  /** Entries that tell of words: the first word of each, and how many. Ascending, for words are told in their order. */
  readonly #told: { readonly from: number; readonly count: number; readonly seq: number }[] = []
  #read = 0

  /** Up to which entry the log was read. */
  get read(): number {
    return this.#read
  }

  /** The next entries of the log. Bodies that were dropped tell nothing. Errors: those of `decodeEntry`, where the store is damaged. */
  take(raws: readonly Uint8Array[]): void {
    for (const raw of raws) {
      const { kind } = glanceAt(raw)
      if (kind === 'round.trained' || kind === 'consent.recorded') this.#tell(decodeEntry(raw))
    }
    this.#read += raws.length
  }

  /** Rounds of a study that rest on the set of that root, oldest first. */
  on(study: StudyId, root: Digest): readonly OwnRound[] {
    return this.#rounds.get(study + root) ?? []
  }

  /** The place of the entry that tells of a word, or null where none does yet. */
  placeOf(word: number): number | null {
    let [low, high] = [0, this.#told.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#told[middle]?.from ?? 0) <= word) low = middle + 1
      else high = middle
    }
    const told = this.#told[low - 1]
    return told === undefined || word >= told.from + told.count ? null : told.seq
  }

  #tell({ kind, study, seq, timeMs, body }: Entry): void {
    if (kind === 'consent.recorded') {
      const told = readBody(kind, body)
      if (told !== null) this.#told.push({ from: told.from, count: told.items.length, seq })
      return
    }
    const trained = study === null ? null : readBody('round.trained', body)
    if (study === null || trained?.consent === undefined) return
    const key = study + toHex(trained.consent.root)
    const round = { seq, round: trained.round, timeMs, update: toHex(trained.update) as Digest }
    const known = this.#rounds.get(key)
    if (known === undefined) this.#rounds.set(key, [round])
    else known.push(round)
  }
}
