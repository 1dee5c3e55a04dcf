/** What goes into a node's merges and what stays out, by the operator's word or by the merge itself, and who is set aside again and again. */
import type { MemberId, StudyId } from '../core/ids.ts'
import type { MergeInput } from '../gossip/exchange.ts'
import { Company } from './company.ts'
import type { Context } from './context.ts'
import type { NodeEvent, SetAside } from './events.ts'
import { Outliers } from './outliers.ts'

/** A merge as it came out; `aside` with those that the operator excludes. */
export type Outcome = Extract<NodeEvent, { type: 'merged' }>

/** One per study run. Of one merge at a time, the newest. */
export class Merging {
  readonly #context: Context
  readonly #id: StudyId
  /** Members whose updates are not merged here, by the operator's word. */
  readonly #excluded = new Set<MemberId>()
  readonly #outliers = new Outliers()
  readonly #company = new Company()
  /** All updates that the newest merge knew of, also those that were left out. */
  #known: readonly MergeInput[] = []
  /** Those of them whose authors were excluded when it began. */
  #left: readonly SetAside[] = []
  #outcome: Outcome | null = null

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
  }

  /** The operator's recorded word; it counts from the next merge on. */
  exclude(member: MemberId, excluded: boolean): void {
    if (excluded) this.#excluded.add(member)
    else this.#excluded.delete(member)
  }

  isExcluded(member: MemberId): boolean {
    return this.#excluded.has(member)
  }

  get known(): readonly MergeInput[] {
    return this.#known
  }

  /** Of the newest merge that was finished; null before the first. */
  get outcome(): Outcome | null {
    return this.#outcome
  }

  /** A round's merge begins; returns what it is computed from. */
  begin(round: number, inputs: readonly MergeInput[]): readonly MergeInput[] {
    this.#known = inputs
    this.#company.note(this.#context, this.#id, round, inputs.length - 1)
    const out = inputs.filter(({ author }) => this.#excluded.has(author))
    this.#left = out.map(({ author }) => ({ author, reason: 'excluded' }))
    return inputs.filter(({ author }) => !this.#excluded.has(author))
  }

  /** The merge is computed. `accept` says whether it was the one that is waited for, given the authors of whom nothing is in it. */
  finish(outcome: Outcome, accept: (without: ReadonlySet<MemberId>) => boolean): boolean {
    const aside = [...outcome.aside, ...this.#left]
    const without = new Set(aside.flatMap(({ author, reason }) => (reason === 'outlying' ? [] : [author])))
    if (!accept(without)) return false
    this.#outcome = { ...outcome, aside }
    return true
  }

  /** The merge is complete: counts whom it set aside. */
  count({ round, aside }: Outcome): void {
    const known = this.#known.map(({ author }) => author)
    this.#outliers.note(this.#context, this.#id, round, known, aside)
  }

  /** For people and tests; plain data. */
  view() {
    return { inputs: this.#known, outliers: this.#outliers.repeated(), excluded: [...this.#excluded].sort() }
  }
}
