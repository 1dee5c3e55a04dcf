/** What goes into a node's merges and what stays out, by the operator's word or by the merge itself, and who is set aside again and again. */
import { compareIds, type MemberId, type StudyId } from '../core/ids.ts'
import type { MergeInput } from '../gossip/exchange.ts'
import type { Action } from './actions.ts'
import { Company } from './company.ts'
import type { Context } from './context.ts'
import type { NodeEvent, SetAside } from './events.ts'
import { Outliers } from './outliers.ts'

/** A merge as it came out; `aside` with those that the operator excludes. */
export type Outcome = Extract<NodeEvent, { type: 'merged' }>

/** What its action says of a merge beside its inputs. */
type Beginning = Pick<Extract<Action, { type: 'merge' }>, 'permit' | 'round' | 'base'>

/** An update some parts of which went into a merge. */
export interface TakenInPart extends MergeInput {
  readonly coefficient: number
  readonly chunks: Uint8Array
}

/** The updates of one merge. */
export interface Considered {
  /** All that it knew of, also those that were left out; ascending by author. */
  readonly known: readonly MergeInput[]
  readonly taken: readonly TakenInPart[]
}

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
  /** Updates that were on their way when it began, of which it could take parts. */
  #offered: readonly MergeInput[] = []
  /** Those of them whose authors were excluded when it began. */
  #left: readonly SetAside[] = []
  #outcome: Outcome | null = null
  #considered: Considered = { known: [], taken: [] }

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

  /** Of the newest merge that was finished; null before the first. */
  get outcome(): Outcome | null {
    return this.#outcome
  }

  /** The updates of that merge. */
  get considered(): Considered {
    return this.#considered
  }

  /** A round's merge begins, of `inputs` and of what is here of `partial` by then. */
  begin({ permit, round, base }: Beginning, inputs: readonly MergeInput[], partial: readonly MergeInput[]): void {
    const { self, out } = this.#context
    this.#known = inputs
    const suspended = new Set(this.#context.suspended())
    const isIn = ({ author }: MergeInput): boolean =>
      author === self || (!this.#excluded.has(author) && !suspended.has(author))
    this.#left = inputs
      .filter((one) => !isIn(one))
      .map(({ author }) => ({ author, reason: this.#excluded.has(author) ? 'excluded' : 'suspended' }))
    const rounds = new Map(inputs.map((input) => [input.author, input.round]))
    const isNewer = ({ author, round }: MergeInput): boolean => round > (rounds.get(author) ?? -1)
    this.#offered = partial.filter((one) => isIn(one) && isNewer(one))
    const others = new Set([...inputs, ...this.#offered].map(({ author }) => author)).size - 1
    this.#company.note(this.#context, this.#id, round, others)
    const taking = { inputs: inputs.filter(isIn), ...(this.#offered.length === 0 ? {} : { partial: this.#offered }) }
    out.push({ type: 'merge', permit, round, own: self, base, ...taking })
  }

  /** The merge is computed. `accept` says whether it was the one that is waited for, given the authors of whom nothing is in it. */
  finish(outcome: Outcome, accept: (without: ReadonlySet<MemberId>) => boolean): boolean {
    const aside = [...outcome.aside, ...this.#left]
    const without = new Set(aside.flatMap(({ author, reason }) => (reason === 'outlying' ? [] : [author])))
    if (!accept(without)) return false
    this.#outcome = { ...outcome, aside }
    this.#considered = consider(this.#outcome, this.#known, this.#offered)
    const updates = this.#considered.taken.length
    const { round } = outcome
    if (updates > 0) this.#context.tell('info', 'merged-in-part', { study: this.#id, round, updates })
    return true
  }

  /** The merge is complete: counts whom it set aside. */
  count({ round, aside }: Outcome): void {
    const known = this.#considered.known.map(({ author }) => author)
    this.#outliers.note(this.#context, this.#id, round, known, aside)
  }

  /** For people and tests; plain data. */
  view() {
    return { inputs: this.#known, outliers: this.#outliers.repeated(), excluded: [...this.#excluded].sort() }
  }
}

/** Of what was on its way that alone counts which was merged, or left out by the merge itself. */
function consider(outcome: Outcome, held: readonly MergeInput[], offered: readonly MergeInput[]): Considered {
  const updates = new Map(outcome.parts?.updates.map((one) => [one.author, one]))
  const taken = offered.flatMap((one): TakenInPart[] => {
    const update = updates.get(one.author)
    return update === undefined ? [] : [{ ...one, coefficient: update.coefficient, chunks: update.chunks }]
  })
  if (offered.length === 0) return { known: held, taken }
  const before = new Set(held.map(({ author }) => author))
  const heard = new Set([...updates.keys(), ...outcome.aside.map(({ author }) => author)])
  const news = offered.filter(({ author }) => heard.has(author) && !before.has(author))
  return { known: [...held, ...news].sort((a, b) => compareIds(a.author, b.author)), taken }
}
