/**
 * What each party of an agreement did between two cuts. A round counts when its author trained it under the agreement and published it, and so
 * many other parties merged that update that one of them is honest; once, in the first period at whose cut all that is final.
 */
import type { AgreementId, MemberId, StudyId } from '../../core/ids.ts'
import type { SettlementBook } from './book.ts'

/** Sizes of logs: entries below count. Of who is not named none does. */
export type Sizes = ReadonlyMap<MemberId, number>

/** Whose contributions to what are looked at. */
export interface Scope {
  readonly agreement: AgreementId
  readonly studies: readonly StudyId[]
  readonly parties: readonly MemberId[]
  /** Most examples that one update counts for in a merge of the study. */
  readonly examplesCap: (study: StudyId) => number
  /** How many other parties must have measured a party's update. */
  readonly measurers: number
}

/** What one party did. */
export interface Contribution {
  readonly rounds: number
  /** Of those rounds, as their author told, each at most the study's cap: self-declared. */
  readonly examples: number
  /** Of the other parties' merges of rounds that count, in millionths of a merge. */
  readonly merged: number
  /** Medians of what the others measured, in millionths of a nat of log-loss. */
  readonly value: number
  /** Values that count, and rounds that its author told of which do not count, or not yet. */
  readonly measured: number
  readonly waiting: number
  /** The first and the last entry by which a round was trained that counts; null where none does. */
  readonly first: number | null
  readonly last: number | null
}

/** The most parties that may lie; quorums are of the others. */
export const liarsMax = (parties: number): number => Math.floor(Math.max(0, parties - 1) / 3)

/** How many other parties must have merged an update: one more than may lie, as far as there are any. */
export const mergersNeeded = (parties: number): number => Math.min(liarsMax(parties) + 1, Math.max(0, parties - 1))

/** So many that of those who measured another party's update more are honest than lie. */
export const measurersNeeded = (parties: number): number =>
  Math.max(1, Math.min(parties - 1, Math.max(2 * liarsMax(parties) + 1, Math.floor((parties - 1) / 2) + 1)))

/** Of each party, in the order of the scope's parties. `before` must lie within `cut`: nothing of it is counted again. */
export function contributionsBetween(book: SettlementBook, scope: Scope, before: Sizes, cut: Sizes): Contribution[] {
  const places = new Map(scope.parties.map((party, i) => [book.members.find(party), i]))
  const [earlier, now] = [new View(book, scope, before), new View(book, scope, cut)]
  const found = scope.parties.map(() => new Tally())
  for (let row = 0; row < book.author.length; row++) {
    const party = places.get(book.author.at(row))
    if (party === undefined || earlier.counting[row] === 1) continue
    const tally = found[party] as Tally
    if (now.counting[row] === 1)
      tally.round(book.trained.at(row), Math.min(book.examples.at(row), scope.examplesCap(studyOf(book, row))))
    else if (now.told[row] === 1) tally.waiting++
  }
  const [credited, settledBefore] = [now.credits(), earlier.credits()]
  for (let input = 0; input < credited.length; input++) {
    if (credited[input] === 0 || settledBefore[input] === 1) continue
    const party = places.get(book.author.at(book.input.at(input)))
    if (party !== undefined) (found[party] as Tally).merged += book.micro.at(input)
  }
  const settled = new Set(medians(book, scope, earlier).map(({ key }) => key))
  for (const { key, member, value } of medians(book, scope, now)) {
    const party = places.get(member)
    if (party !== undefined && !settled.has(key)) (found[party] as Tally).worth(value)
  }
  return found
}

class Tally implements Contribution {
  rounds = 0
  examples = 0
  merged = 0
  value = 0
  measured = 0
  waiting = 0
  first: number | null = null
  last: number | null = null

  round(seq: number, examples: number): void {
    this.rounds++
    this.examples += examples
    this.first = Math.min(this.first ?? seq, seq)
    this.last = Math.max(this.last ?? seq, seq)
  }

  /** What did harm counts nothing; nobody pays for it. */
  worth(value: number): void {
    this.measured++
    this.value += Math.max(0, value)
  }
}

const studyOf = (book: SettlementBook, row: number): StudyId => book.studies.at(book.study.at(row))

/** The book as far as a cut goes. */
class View {
  readonly #book: SettlementBook
  /** Sizes by the numbers of members; 0 of who is no party. */
  readonly #sizes: Float64Array
  readonly #studies: ReadonlySet<number>
  /** By row: 1 where it was trained under the agreement and published, as its author says; and where it counts. */
  readonly told: Uint8Array
  readonly counting: Uint8Array

  constructor(book: SettlementBook, scope: Scope, sizes: Sizes) {
    this.#book = book
    this.#sizes = new Float64Array(book.members.length)
    for (const party of scope.parties) {
      const number = book.members.find(party)
      if (number !== null) this.#sizes[number] = sizes.get(party) ?? 0
    }
    this.#studies = new Set(scope.studies.map((study) => book.studies.find(study)).filter((one) => one !== null))
    this.told = this.#tell(book.listsNaming(scope.agreement))
    this.counting = this.#count(scope.parties)
  }

  /** Whether entry `seq` of the member with that number lies within the cut. */
  has(member: number, seq: number): boolean {
    return seq < (this.#sizes[member] as number)
  }

  isAbout(study: number): boolean {
    return this.#studies.has(study)
  }

  /** By input of a merge: 1 where it is credited, for both the update and the round that merged it count. */
  credits(): Uint8Array {
    const { length } = this.#book.input
    const [rows, mergers, places, owns] = this.#inputs()
    const credited = new Uint8Array(length)
    for (let at = 0; at < length; at++)
      if (
        (places[at] as number) < (this.#sizes[mergers[at] as number] as number) &&
        this.counting[owns[at] as number] === 1 &&
        this.counting[rows[at] as number] === 1
      )
        credited[at] = 1
    return credited
  }

  #tell(lists: ReadonlySet<number>): Uint8Array {
    const { author, study, trained, published, agreed } = this.#book
    const told = new Uint8Array(author.length)
    for (let row = 0; row < told.length; row++) {
      const by = author.at(row)
      if (!this.has(by, trained.at(row)) || !this.has(by, published.at(row))) continue
      if (this.#studies.has(study.at(row)) && lists.has(agreed.at(row))) told[row] = 1
    }
    return told
  }

  #count(parties: readonly MemberId[]): Uint8Array {
    const { author, input, members } = this.#book
    const [rows, mergers, places, owns] = this.#inputs()
    const [words, needed] = [Math.ceil(parties.length / 32), mergersNeeded(parties.length)]
    const seen = new Uint32Array(author.length * words)
    const counts = new Uint16Array(author.length)
    const numbers = new Int32Array(members.length).fill(-1)
    for (const [i, party] of parties.entries()) {
      const number = members.find(party)
      if (number !== null) numbers[number] = i
    }
    for (let at = 0; at < input.length; at++) {
      const by = mergers[at] as number
      const party = numbers[by] as number
      const within = party >= 0 && (places[at] as number) < (this.#sizes[by] as number)
      if (!within || this.told[owns[at] as number] === 0) continue
      const row = rows[at] as number
      const word = row * words + (party >> 5)
      const bit = (1 << (party & 31)) >>> 0
      if (((seen[word] as number) & bit) !== 0) continue // it merged that before
      seen[word] = (seen[word] as number) | bit
      counts[row] = (counts[row] as number) + 1
    }
    return Uint8Array.from(counts, (count, row) => (count >= needed ? (this.told[row] as number) : 0))
  }

  /** Of each input of a merge its row, who merged it, where, and of which own row. */
  #inputs(): readonly [Int32Array, Int32Array, Float64Array, Int32Array] {
    const { input, merger, mergedAt, ownRow } = this.#book
    return [input.values, merger.values, mergedAt.values, ownRow.values]
  }
}

/**
 * Of each party and round in which enough others measured its update the median, of an even number the lower of the two in the middle: as long as more of them are
 * honest than lie it stands between two that are honest. What a member says of itself is not heard.
 */
function medians(
  book: SettlementBook,
  { parties, measurers }: Scope,
  view: View,
): { readonly key: string; readonly member: number; readonly value: number }[] {
  const numbers = new Set(parties.map((party) => book.members.find(party)))
  const told = new Map<string, { member: number; values: number[] }>()
  for (const { measurer, seq, study, round, values } of book.measures) {
    const own = book.rowOf(measurer, study, round)
    if (!numbers.has(measurer) || !view.isAbout(study) || !view.has(measurer, seq)) continue
    if (own === null || view.told[own] === 0) continue
    for (const [member, micro] of values) {
      if (member === measurer || !numbers.has(member)) continue
      const key = `${study} ${round} ${member}`
      const known = told.get(key)
      if (known === undefined) told.set(key, { member, values: [micro] })
      else known.values.push(micro)
    }
  }
  const enough = [...told].filter(([, { values }]) => values.length >= measurers)
  return enough.map(([key, { member, values }]) => ({ key, member, value: lowerMedian(values) }))
}

function lowerMedian(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[(sorted.length - 1) >> 1] as number
}
