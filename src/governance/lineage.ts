/**
 * What each model of one study was made of, as its members' logs declare it: an update from its base, a merge from its inputs. A year of
 * hourly rounds of twelve hospitals is 100,000 merges: so models are numbers, and everything lies in flat lists.
 */
import type { Digest, MemberId } from '../core/ids.ts'
import { Column } from './columns.ts'
import type { Made } from './withdrawals.ts'

/** How a model came to be: an update was trained, a model was merged. */
export type Making = 'trained' | 'merged'

/** A model with the entry that tells of it. */
export interface MadeModel extends Made {
  readonly making: Making
  readonly round: number
  /** Of the entry, in its author's log. */
  readonly seq: number
}

/** Where a subject stands to given roots: which one it descends from (or is), none, or not told of by any log here. */
export type Standing = number | 'none' | 'unknown'

const NOT_TOLD = -1
const NO_RUN = -1

/** One study's. The first thing that a log says of a model counts; a second making of the same weights adds its inputs. */
export class Lineage {
  readonly #authors: MemberId[] = []
  readonly #authorNumbers = new Map<MemberId, number>()
  /** One each per model, in the order in which they were named. */
  readonly #author = new Column(Int32Array)
  readonly #seq = new Column(Int32Array)
  readonly #round = new Column(Int32Array)
  readonly #making = new Column(Int32Array)
  /** The run of inputs that was told last. */
  readonly #lastRun = new Column(Int32Array)
  readonly #digests: Digest[] = []
  /** Inputs of all models. Each making adds one run, and knows the one before: so a model that is told of again and again costs no copies. */
  readonly #inputs = new Column(Int32Array)
  readonly #runAt = new Column(Int32Array)
  readonly #runCount = new Column(Int32Array)
  readonly #runBefore = new Column(Int32Array)
  /** By author: a map of the engine's own, for who writes digests into a log can choose them. */
  readonly #places: Map<Digest, number>[] = []
  /** Of each author, the newest model that it merged. */
  readonly #newest = new Map<MemberId, number>()

  /** How many models are named here. */
  get size(): number {
    return this.#author.length
  }

  /** An author's log says that it made this model out of `inputs`. */
  tell({ author, model, making, round, seq }: MadeModel, inputs: readonly Made[]): void {
    const at = this.#numberOf(author, model)
    const given = inputs.map((input) => this.#numberOf(input.author, input.model)).filter((input) => input !== at)
    if (this.#seq.at(at) === NOT_TOLD) {
      this.#seq.set(at, seq)
      this.#round.set(at, round)
      this.#making.set(at, making === 'merged' ? 1 : 0)
    } else {
      // weights merged alone are those that were trained; the newer making is what people look for
      this.#making.set(at, making === 'merged' ? 1 : this.#making.at(at))
    }
    this.#keepInputs(at, given)
    if (making === 'merged') this.#newest.set(author, at)
  }

  /** A model by its maker, where a log here tells of it. */
  find({ author, model }: Made): MadeModel | null {
    const at = this.#lookUp({ author, model })
    return at < 0 || this.#seq.at(at) === NOT_TOLD ? null : this.#show(at)
  }

  /** All models whose digest begins with these hex digits, in the order in which they were named. */
  withDigits(digits: string): MadeModel[] {
    return this.#where((at) => (this.#digests[at] as Digest).startsWith(digits))
  }

  /** What `author` merged in `round`. */
  mergedIn(author: MemberId, round: number): MadeModel[] {
    const number = this.#authorNumbers.get(author)
    return this.#where(
      (at) => this.#author.at(at) === number && this.#round.at(at) === round && this.#making.at(at) === 1,
    )
  }

  /** The newest model that each member merged. */
  newest(): MadeModel[] {
    return [...this.#newest.values()].map((at) => this.#show(at))
  }

  /** How many models it was made of, directly; how many were merged in all, and by whom, on the way to it. */
  ancestry(made: Made): {
    readonly inputs: readonly Made[]
    readonly models: number
    readonly authors: readonly MemberId[]
  } {
    const start = this.#lookUp(made)
    if (start < 0) return { inputs: [], models: 0, authors: [] }
    const authors = new Set<number>()
    let models = 0
    const seen = this.#ancestors(start)
    for (let at = 0; at < seen.length; at++) {
      if (seen[at] === 0 || this.#seq.at(at) === NOT_TOLD) continue
      models++
      authors.add(this.#author.at(at))
    }
    const inputs = this.#inputsOf(start).map((at) => this.#name(at))
    return { inputs, models, authors: [...authors].map((number) => this.#authors[number] as MemberId).sort() }
  }

  /** Says of any model whether it is `made`, or went into it, directly or through others. Of what is told later it says no. */
  behind(made: Made): (one: Made) => boolean {
    const start = this.#lookUp(made)
    const seen = start < 0 ? new Uint8Array(0) : this.#ancestors(start)
    return (one) => {
      const at = this.#lookUp(one)
      return at >= 0 && seen[at] === 1
    }
  }

  /** 1 for each model that is `start` or went into it. */
  #ancestors(start: number): Uint8Array {
    const seen = new Uint8Array(this.size)
    for (const stack = [start]; stack.length > 0; ) {
      const at = stack.pop() as number
      if (seen[at] === 1) continue
      seen[at] = 1
      stack.push(...this.#inputsOf(at))
    }
    return seen
  }

  /** For each subject the first of `roots` that it descends from. A model whose log is not here, or not that far, is unknown. */
  standings(subjects: readonly Made[], roots: readonly Made[]): Standing[] {
    const from = this.#reach(roots.map((root) => this.#lookUp(root)))
    return subjects.map(({ author, model }) => {
      const at = this.#lookUp({ author, model })
      if (at >= 0 && (from[at] as number) >= 0) return from[at] as number
      return at < 0 || this.#seq.at(at) === NOT_TOLD ? 'unknown' : 'none'
    })
  }

  /** Everything that was made of `root`, itself left out, in the order in which it was named. */
  descendants(root: Made): MadeModel[] {
    const self = this.#lookUp(root)
    const from = this.#reach([self])
    return this.#where((at) => at !== self && from[at] === 0)
  }

  /**
   * What was merged of any of these models of one author, those among them that were merged themselves included, in the order in which it was
   * named. Told one by one: there may be hundreds of thousands.
   */
  eachMergedFrom(
    author: MemberId,
    models: readonly Digest[],
    tell: (author: MemberId, model: Digest, round: number, seq: number) => void,
  ): void {
    const places = this.#places[this.#authorNumbers.get(author) ?? -1]
    const from = this.#reach(models.map((model) => places?.get(model) ?? -1))
    for (let at = 0; at < this.size; at++) {
      if (from[at] === -1 || this.#making.at(at) !== 1 || this.#seq.at(at) === NOT_TOLD) continue
      const maker = this.#authors[this.#author.at(at)] as MemberId
      tell(maker, this.#digests[at] as Digest, this.#round.at(at), this.#seq.at(at))
    }
  }

  /** For each model the number of a root that it descends from, −1 for none: breadth first along the inputs turned round. */
  #reach(roots: readonly number[]): Int32Array {
    const from = new Int32Array(this.size).fill(-1)
    const queue = new Int32Array(this.size)
    let length = 0
    for (const [i, at] of roots.entries()) {
      if (at < 0 || from[at] !== -1) continue
      from[at] = i
      queue[length++] = at
    }
    if (length === 0) return from
    const { starts, uses } = this.#turnedRound()
    for (let next = 0; next < length; next++) {
      const at = queue[next] as number
      for (let i = starts[at] as number; i < (starts[at + 1] as number); i++) {
        const use = uses[i] as number
        if (from[use] !== -1) continue
        from[use] = from[at] as number
        queue[length++] = use
      }
    }
    return from
  }

  /** Who was made of whom: `uses` from `starts[i]` to `starts[i + 1]` are those made of model i. */
  #turnedRound(): { readonly starts: Int32Array; readonly uses: Int32Array } {
    const starts = new Int32Array(this.size + 2) // one place further on than asked for, while they are filled
    let edges = 0
    this.#eachEdge((_, input) => {
      starts[input + 2] = (starts[input + 2] as number) + 1
      edges++
    })
    for (let i = 2; i < starts.length; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number)
    const uses = new Int32Array(edges)
    this.#eachEdge((at, input) => {
      const place = starts[input + 1] as number
      uses[place] = at
      starts[input + 1] = place + 1
    })
    return { starts, uses }
  }

  #eachEdge(visit: (at: number, input: number) => void): void {
    for (let at = 0; at < this.size; at++) this.#eachInput(at, (input) => visit(at, input))
  }

  #inputsOf(at: number): number[] {
    const inputs = new Set<number>()
    this.#eachInput(at, (input) => inputs.add(input))
    return [...inputs]
  }

  /** Those told of last come first; one that was told of twice comes twice. */
  #eachInput(at: number, visit: (input: number) => void): void {
    for (let run = this.#lastRun.at(at); run !== NO_RUN; run = this.#runBefore.at(run)) {
      const start = this.#runAt.at(run)
      for (let i = start; i < start + this.#runCount.at(run); i++) visit(this.#inputs.at(i))
    }
  }

  #keepInputs(at: number, inputs: readonly number[]): void {
    if (inputs.length === 0) return
    this.#runAt.push(this.#inputs.length)
    this.#runCount.push(inputs.length)
    this.#runBefore.push(this.#lastRun.at(at))
    this.#lastRun.set(at, this.#runAt.length - 1)
    for (const input of inputs) this.#inputs.push(input)
  }

  #where(fits: (at: number) => boolean): MadeModel[] {
    const found: MadeModel[] = []
    for (let at = 0; at < this.size; at++) if (this.#seq.at(at) !== NOT_TOLD && fits(at)) found.push(this.#show(at))
    return found
  }

  #show(at: number): MadeModel {
    const making = this.#making.at(at) === 1 ? 'merged' : 'trained'
    return { ...this.#name(at), making, round: this.#round.at(at), seq: this.#seq.at(at) }
  }

  #name(at: number): Made {
    return { author: this.#authors[this.#author.at(at)] as MemberId, model: this.#digests[at] as Digest }
  }

  #numberOf(author: MemberId, model: Digest): number {
    let number = this.#authorNumbers.get(author)
    if (number === undefined) {
      number = this.#authors.push(author) - 1
      this.#authorNumbers.set(author, number)
      this.#places.push(new Map())
    }
    const places = this.#places[number] as Map<Digest, number>
    const known = places.get(model)
    if (known !== undefined) return known
    const at = this.#digests.push(model) - 1
    places.set(model, at)
    this.#author.push(number)
    this.#seq.push(NOT_TOLD)
    this.#lastRun.push(NO_RUN)
    for (const list of [this.#round, this.#making]) list.push(0)
    return at
  }

  #lookUp({ author, model }: Made): number {
    const number = this.#authorNumbers.get(author)
    return (number === undefined ? undefined : this.#places[number]?.get(model)) ?? -1
  }
}
