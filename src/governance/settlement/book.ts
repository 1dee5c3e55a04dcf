/**
 * What settlements are computed from: every member's rounds, whose updates each merge took in and how much of them, and what hospitals
 * measured. An index that grows with the logs and gives the same in whatever order they arrive; what counts is evaluated over a cut.
 */
import { toHex } from '../../core/bytes.ts'
import type { AgreementId, Digest, MemberId, StudyId } from '../../core/ids.ts'
import type { Entry } from '../../ledger/entry.ts'
import { Column } from '../columns.ts'
import { type Body, readBody } from '../kinds.ts'

/** Of one log; what comes after is left out, and told of. Honest ones stay far below. */
const BOUNDS = {
  rounds: 2_000_000, // a round a minute for four years
  inputs: 16_000_000, // of merges: eight for each of those rounds
  measures: 1_000_000,
} as const

const KINDS = ['round.trained', 'round.published', 'round.merged', 'value.measured'] as const
type Counted = (typeof KINDS)[number]
const COUNTED: ReadonlySet<string> = new Set(KINDS)

/** Whether the book reads entries of this kind. */
export const countsInSettlements = (kind: string): kind is Counted => COUNTED.has(kind)

/** What one hospital measured after one round of its own; `values` are pairs of member and millionths. */
export interface Measure {
  readonly measurer: number
  readonly seq: number
  readonly study: number
  readonly round: number
  readonly values: readonly (readonly [member: number, micro: number])[]
}

/** Numbers for names, in the order in which they come; nothing that is evaluated depends on it. */
class Names<Name extends string> {
  readonly #numbers = new Map<Name, number>()
  readonly #names: Name[] = []

  numberOf(name: Name): number {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    this.#numbers.set(name, this.#names.length)
    return this.#names.push(name) - 1
  }

  /** Null of one that was never named. */
  find(name: Name): number | null {
    return this.#numbers.get(name) ?? null
  }

  at(number: number): Name {
    return this.#names[number] as Name
  }

  get length(): number {
    return this.#names.length
  }
}

const NEVER = Number.POSITIVE_INFINITY
const MICRO = 1_000_000

/** Holds about 150 bytes for each round, and 30 for each input of a merge. */
export class SettlementBook {
  readonly members = new Names<MemberId>()
  readonly studies = new Names<StudyId>()
  /** Lists of agreements that rounds were done under, by their digests in a row. */
  readonly #under = new Names<string>()
  readonly #rows = new Map<string, number>()
  /** The row that counts of each author's round of a study: the one that it trained first. */
  readonly #counting = new Map<string, number>()
  readonly #merged = new Set<string>()
  readonly #measured = new Set<string>()
  readonly #read = new Map<MemberId, number>()
  readonly #taken = new Map<number, { rounds: number; inputs: number; measures: number }>()
  /** Entries of these kinds without a body, and those beyond the bounds: by author, places in its log. */
  readonly #missing = new Map<MemberId, number[]>()
  #leftOut = 0

  /** By row: whose update of which study, where it was trained and published, on how many rows, under which agreements. */
  readonly author = new Column(Int32Array)
  readonly study = new Column(Int32Array)
  readonly trained = new Column(Float64Array)
  readonly published = new Column(Float64Array)
  readonly examples = new Column(Float64Array)
  readonly agreed = new Column(Int32Array)
  /** By input of a merge: of which row, who merged it at which place, of which own row, and what part of the result it is. */
  readonly input = new Column(Int32Array)
  readonly merger = new Column(Int32Array)
  readonly mergedAt = new Column(Float64Array)
  readonly ownRow = new Column(Int32Array)
  readonly micro = new Column(Int32Array)
  readonly measures: Measure[] = []

  /** Up to where the log was read. */
  readOf(author: MemberId): number {
    return this.#read.get(author) ?? 0
  }

  /** From here on the next entry that was not read is this one. */
  skipTo(author: MemberId, seq: number): void {
    this.#read.set(author, Math.max(this.readOf(author), seq))
  }

  /** Takes the next entry of its author; one of another kind, and one that was read before, changes nothing. */
  take({ author, seq, kind, study, body }: Pick<Entry, 'author' | 'seq' | 'kind' | 'study' | 'body'>): void {
    if (seq < this.readOf(author)) return
    this.#read.set(author, seq + 1)
    if (!countsInSettlements(kind) || study === null) return
    const [by, of] = [this.members.numberOf(author), this.studies.numberOf(study)]
    if (body === null) return this.#miss(author, seq)
    if (kind === 'round.trained') {
      const read = readBody(kind, body)
      if (read !== null) this.#train(by, of, seq, read)
    } else if (kind === 'round.published') {
      const read = readBody(kind, body)
      if (read !== null) this.#publish(by, of, seq, read)
    } else if (kind === 'round.merged') {
      const read = readBody(kind, body)
      if (read !== null) this.#merge(by, of, seq, read)
    } else {
      const read = readBody(kind, body)
      if (read !== null) this.#measure(by, of, seq, read)
    }
  }

  /** Places below `size` of the author's log that tell nothing here any more. */
  missing(author: MemberId, size: number): number[] {
    return (this.#missing.get(author) ?? []).filter((seq) => seq < size)
  }

  /** Entries beyond what is read of one log. */
  get leftOut(): number {
    return this.#leftOut
  }

  /** The row that counts of an author's round; null where it trained none. */
  rowOf(author: number, study: number, round: number): number | null {
    return this.#counting.get(`${author} ${study} ${round}`) ?? null
  }

  /** Rows that a round was trained on, as its author told; null where it trained none. */
  examplesOf(author: MemberId, study: StudyId, round: number): number | null {
    const [by, of] = [this.members.find(author), this.studies.find(study)]
    const row = by === null || of === null ? null : this.rowOf(by, of, round)
    return row === null ? null : this.examples.at(row)
  }

  /** Which lists of agreements name this one: what `agreed` has of rows that were trained under it. */
  listsNaming(agreement: AgreementId): ReadonlySet<number> {
    const lists = Array.from({ length: this.#under.length }, (_, number) => number)
    return new Set(lists.filter((number) => this.#under.at(number).split(' ').includes(agreement)))
  }

  #miss(author: MemberId, seq: number): void {
    const places = this.#missing.get(author) ?? []
    places.push(seq)
    this.#missing.set(author, places)
  }

  /** Of the same round trained twice the first counts, whatever it was published as. */
  #train(
    by: number,
    of: number,
    seq: number,
    { round, update, examples, agreements = [] }: Body<'round.trained'>,
  ): void {
    const key = `${by} ${of} ${round}`
    if (this.#counting.has(key) || !this.#may(by, 'rounds')) return
    const row = this.#rowAt(by, of, round, toHex(update) as Digest)
    this.#counting.set(key, row)
    this.trained.set(row, seq)
    this.examples.set(row, examples)
    this.agreed.set(row, this.#under.numberOf(agreements.map((one) => toHex(one)).join(' ')))
  }

  #publish(by: number, of: number, seq: number, { round, update }: Body<'round.published'>): void {
    const row = this.rowOf(by, of, round)
    if (row === null || row !== this.#rows.get(keyOf(by, of, round, toHex(update) as Digest))) return
    if (this.published.at(row) === NEVER) this.published.set(row, seq)
  }

  #merge(by: number, of: number, seq: number, { round, inputs: whole, partial }: Body<'round.merged'>): void {
    const key = `${by} ${of} ${round}`
    const own = this.rowOf(by, of, round)
    const inputs = partial === undefined ? whole : [...whole, ...partial.updates]
    const sum = inputs.reduce((all, [, , , coefficient]) => all + Math.round(coefficient * MICRO), 0)
    // of one round one merge, of what was trained in it, and of one whole
    if (own === null || this.#merged.has(key) || sum > MICRO + inputs.length) return
    this.#merged.add(key)
    for (const [member, theirs, update, coefficient] of inputs) {
      const author = this.members.numberOf(toHex(member) as MemberId)
      if (author === by || !this.#may(by, 'inputs')) continue
      this.input.push(this.#rowAt(author, of, theirs, toHex(update) as Digest))
      this.merger.push(by)
      this.mergedAt.push(seq)
      this.ownRow.push(own)
      this.micro.push(Math.round(coefficient * MICRO))
    }
  }

  #measure(by: number, of: number, seq: number, { round, values }: Body<'value.measured'>): void {
    const key = `${by} ${of} ${round}`
    if (this.#measured.has(key) || !this.#may(by, 'measures')) return
    this.#measured.add(key)
    const told = new Map(values.map(([member, micro]) => [this.members.numberOf(toHex(member) as MemberId), micro]))
    this.measures.push({ measurer: by, seq, study: of, round, values: [...told] })
  }

  #may(by: number, what: keyof typeof BOUNDS): boolean {
    const taken = this.#taken.get(by) ?? { rounds: 0, inputs: 0, measures: 0 }
    this.#taken.set(by, taken)
    const may = taken[what] < BOUNDS[what]
    if (may) taken[what]++
    else this.#leftOut++
    return may
  }

  #rowAt(author: number, study: number, round: number, update: Digest): number {
    const key = keyOf(author, study, round, update)
    const known = this.#rows.get(key)
    if (known !== undefined) return known
    const row = this.author.length
    this.#rows.set(key, row)
    this.author.push(author)
    this.study.push(study)
    this.trained.push(NEVER)
    this.published.push(NEVER)
    this.examples.push(0)
    this.agreed.push(-1)
    return row
  }
}

const keyOf = (author: number, study: number, round: number, update: Digest): string =>
  `${author} ${study} ${round} ${update}`
