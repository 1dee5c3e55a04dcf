/**
 * What a hospital's own log has for its patients: rounds by the set of patients that they rest on, and where words are told. In columns: a
 * hospital that trains each hour for thirty years has 260,000 rounds, and a patient who asks waits for them.
 */
import type { Digest, StudyId } from '../core/ids.ts'
import { Column } from './columns.ts'
import type { Trace } from './traces.ts'

/** A round whose entry has a root over patients. */
export interface OwnRound {
  readonly seq: number
  readonly round: number
  readonly timeMs: number
  readonly update: Digest
}

/** One per shell, of one log, given from its beginning, in order and once; it is only a reading, and can be made anew. */
export class OwnRounds {
  readonly #seq = new Column(Float64Array)
  readonly #round = new Column(Float64Array)
  readonly #timeMs = new Column(Float64Array)
  readonly #update: Digest[] = []
  readonly #rounds = new Map<string, number[]>()
  /** Entries that tell of words: the first word of each, and how many. Ascending, for words are told in their order. */
  readonly #told: { readonly from: number; readonly count: number; readonly seq: number }[] = []

  /** What the next entry tells. */
  take(trace: Trace): void {
    if (trace.type === 'told') {
      const { from, count, seq } = trace
      this.#told.push({ from, count, seq })
    } else if (trace.type === 'trained' && trace.root !== null) {
      const { seq, round, timeMs, update, study, root } = trace
      const known = this.#rounds.get(study + root)
      if (known === undefined) this.#rounds.set(study + root, [this.size])
      else known.push(this.size)
      this.#seq.push(seq)
      this.#round.push(round)
      this.#timeMs.push(timeMs)
      this.#update.push(update)
    }
  }

  /** Rounds are numbered from 0 to this, in the order of their entries. */
  get size(): number {
    return this.#update.length
  }

  /** Numbers of the rounds of a study that rest on the set of that root, oldest first. */
  on(study: StudyId, root: Digest): readonly number[] {
    return this.#rounds.get(study + root) ?? []
  }

  /** A round by its number. */
  at(number: number): OwnRound {
    const update = this.#update[number] as Digest
    return { seq: this.#seq.at(number), round: this.#round.at(number), timeMs: this.#timeMs.at(number), update }
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
}
