/**
 * What a hospital's own log has for its patients: rounds by the set of patients that they rest on, those that asked nobody, and where words are
 * told. In columns: a
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
  readonly #unasked = new Map<StudyId, { readonly seq: Column<Float64Array>; readonly timeMs: Column<Float64Array> }>()
  /** Entries that tell of words: the first word of each, and how many. Ascending, for words are told in their order. */
  readonly #told: { readonly from: number; readonly count: number; readonly seq: number }[] = []

  /** What the next entry tells. */
  take(trace: Trace): void {
    if (trace.type === 'told') {
      const { from, count, seq } = trace
      this.#told.push({ from, count, seq })
    } else if (trace.type === 'trained') {
      const { seq, round, timeMs, update, study, root } = trace
      if (root === null) return this.#takeUnasked(study, seq, timeMs)
      const known = this.#rounds.get(study + root)
      if (known === undefined) this.#rounds.set(study + root, [this.size])
      else known.push(this.size)
      this.#seq.push(seq)
      this.#round.push(round)
      this.#timeMs.push(timeMs)
      this.#update.push(update)
    }
  }

  #takeUnasked(study: StudyId, seq: number, timeMs: number): void {
    const columns = this.#unasked.get(study) ?? { seq: new Column(Float64Array), timeMs: new Column(Float64Array) }
    this.#unasked.set(study, columns)
    columns.seq.push(seq)
    columns.timeMs.push(timeMs)
  }

  /** Rounds of a study that asked nobody, oldest first. */
  unasked(study: StudyId): { readonly seq: number; readonly timeMs: number }[] {
    const columns = this.#unasked.get(study)
    return Array.from({ length: columns?.seq.length ?? 0 }, (_, i) => {
      return { seq: columns?.seq.at(i) as number, timeMs: columns?.timeMs.at(i) as number }
    })
  }

  /** Rounds that rest on a set are numbered from 0 to this, in the order of their entries. */
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
