/**
 * The rounds of one study at one node, as a pure state machine: resting → training → recording → merging → evaluating → closing → resting.
 * Its driver (the machine with its permits and entries; a simulator without a ledger) carries out what a phase asks for, and reports back.
 */
import { invariant } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import {
  type AuthorId,
  Exchange,
  type Expectation,
  type Judgement,
  type MergeInput,
  nextRound,
  type Offer,
} from './exchange.ts'
import { LEARNING, type Phase, TAKEN } from './phase.ts'
import type { UpdateFacts } from './update.ts'

/** The own update of a round. */
export interface OwnUpdate<R = Digest> {
  readonly update: R
  readonly examples: number
}

/** What is to be published: `UpdateHeader` without what is the same in every round. */
export interface Publication<R = Digest> {
  readonly round: number
  readonly base: R
  /** Until the round is complete: who keeps them longer copies them. */
  readonly parents: readonly R[]
  readonly own: OwnUpdate<R>
}

/** How a round ended. */
export interface Completion {
  readonly ended: boolean
  /** Where rounds were skipped, for the others are ahead: the next round. */
  readonly caughtUpTo: number | null
}

/** After a failure of the learner, how long until it is tried again: long enough not to spin, short enough for an unattended night. */
export const RETRY_MS = 30_000

const NO_INPUTS: readonly never[] = []
const NOBODY: ReadonlySet<never> = new Set()

/**
 * One per study and node. `R` names weights: their digest, or a simulator's handle. What is reported of another round or phase is ignored
 * (false is returned). Times are milliseconds of whatever one clock its driver has.
 */
export class Rounds<A extends AuthorId = MemberId, R = Digest> {
  readonly #self: A
  readonly #exchange: Exchange<A, R>
  #phase: Phase = 'idle'
  #round = 0
  #startedMs = 0
  #retryAtMs = 0
  #base: R | null = null
  readonly #parents: R[] = []
  #own: OwnUpdate<R> | null = null
  #inputs: readonly MergeInput<A, R>[] = NO_INPUTS
  #merged: R | null = null
  /** The next round need not wait: this one came to nothing, or went out from a model older than what is still merged. */
  #atOnce = false

  constructor(self: A, heldMax?: number) {
    this.#self = self
    this.#exchange = new Exchange(self, heldMax)
  }

  get phase(): Phase {
    return this.#phase
  }
  get round(): number {
    return this.#round
  }
  get base(): R | null {
    return this.#base
  }
  /** What was merged into the base; until the round is complete. */
  get parents(): readonly R[] {
    return this.#parents
  }
  get own(): OwnUpdate<R> | null {
    return this.#own
  }
  /** Of this round's merge, ascending by author; none before it and when the round is complete. */
  get inputs(): readonly MergeInput<A, R>[] {
    return this.#inputs
  }
  /** The result of this round's merge. */
  get merged(): R | null {
    return this.#merged
  }
  get exchange(): Exchange<A, R> {
    return this.#exchange
  }

  /** The driver's own phases: before the first round, or where it may not go on. */
  wait(phase: 'statistics' | 'opening' | 'withheld' | 'ended'): void {
    this.#phase = phase
  }

  /** What is recorded is not published yet, for something has to be found out first. */
  withhold(): void {
    if (this.#phase === 'recording') this.#phase = 'withheld'
  }

  /** The rounds that lie behind are known from before a restart; and, once ended, the last model. */
  recall(round: number, ended: R | null): void {
    this.#round = round
    if (ended === null) return
    this.#phase = 'ended'
    this.#base = ended
  }

  /** The learner is ready: round `round`, or a later one that was known already, starts from `base`. */
  begin(round: number, base: R): void {
    this.#round = Math.max(this.#round, round)
    this.#base = base
    this.#merged = null
    this.#own = null
    this.#phase = 'resting'
  }

  /** The learner is ready, and a round had been trained before a stop: `publish` comes next, and the next round at once, as after any start. */
  resume(base: R, parents: readonly R[], own: OwnUpdate<R>): void {
    this.#base = base
    this.#merged = null
    this.#parents.length = 0
    this.#parents.push(...parents)
    this.#own = own
    this.#phase = 'recording'
  }

  /**
   * When the next round may start, by the shortest time between rounds. After one that came to nothing it may at once, and after one that began
   * from an outdated model: what went out then is to be replaced before the others merge it.
   */
  dueMs(periodMs: number): number {
    return this.#atOnce ? this.#startedMs : this.#startedMs + periodMs
  }

  /** When a failed learner is tried again; null where it has not failed. */
  get retryAtMs(): number | null {
    return this.#phase === 'failed' ? this.#retryAtMs : null
  }

  /** Training of this round on `base` begins. */
  start(now: number): void {
    this.#phase = 'training'
    this.#startedMs = now
    this.#atOnce = false
  }

  /** What training gave is to be recorded: `record` where that is allowed now, `drop` where not. */
  isTraining(round: number): boolean {
    return this.#phase === 'training' && round === this.#round
  }

  record(own: OwnUpdate<R>): void {
    this.#own = own
    this.#phase = 'recording'
  }

  drop(): void {
    this.#phase = 'resting'
    this.#atOnce = true
  }

  /**
   * The record is durable. The update goes out, and is merged with what is held now and `mayMerge` allows: the `inputs`. Weights that are too
   * old are let go. Where most others are more than `ageRoundsMax` rounds ahead, the node was away, and its own update counts as old as an update can be.
   */
  publish(
    ageRoundsMax: number,
    letGo?: (weights: R) => void,
    mayMerge: ((input: MergeInput<A, R>) => boolean) | null = null,
  ): Publication<R> {
    const { base, own } = { base: this.#base, own: this.#own }
    invariant(own !== null && base !== null, 'published what was recorded')
    const mine = { author: this.#self, round: this.#round, digest: own.update, examples: own.examples, ageRounds: 0 }
    const inputs = this.#exchange.inputs(mine, ageRoundsMax, letGo)
    this.#inputs = mayMerge === null ? inputs : inputs.filter((one) => one === mine || mayMerge(one))
    this.#atOnce = this.#next() - this.#round - 1 > ageRoundsMax
    if (this.#atOnce)
      this.#inputs = this.#inputs.map((one) => (one === mine ? { ...mine, ageRounds: ageRoundsMax } : one))
    this.#phase = 'merging'
    return { round: this.#round, base, parents: this.#parents, own }
  }

  /** `without`: whose updates were left out after all; they are inputs no more. */
  mergedInto(round: number, result: R, without: ReadonlySet<A> = NOBODY): boolean {
    if (this.#phase !== 'merging' || round !== this.#round) return false
    if (without.size > 0) this.#inputs = this.#inputs.filter(({ author }) => !without.has(author))
    this.#merged = result
    this.#phase = 'evaluating'
    return true
  }

  evaluated(round: number, model: R): boolean {
    if (this.#phase !== 'evaluating' || round !== this.#round || model !== this.#merged) return false
    this.#phase = 'closing'
    return true
  }

  /** The merge is recorded: on to the next round, of `count` in all. A node that was away skips to where the others are. */
  complete(count: number): Completion {
    invariant(this.#phase === 'closing' && this.#merged !== null, 'a complete round was merged')
    this.#base = this.#merged
    const named = Math.min(this.#inputs.length, LIMITS.updateParentsMax)
    for (let i = 0; i < named; i++) this.#parents[i] = (this.#inputs[i] as MergeInput<A, R>).digest
    this.#parents.length = named
    const next = this.#next()
    this.#inputs = NO_INPUTS
    this.#own = null
    this.#merged = null
    if (this.isLast(count)) {
      this.#phase = 'ended'
      return ENDED
    }
    const own = this.#round
    this.#round = Math.min(next, count - 1)
    this.#exchange.shift(own + 1, this.#round)
    this.#phase = 'resting'
    this.#atOnce &&= this.#round > own + 1 // not where it stayed with its own after all
    return this.#round > own + 1 ? { ended: false, caughtUpTo: this.#round } : GOES_ON
  }

  isLast(count: number): boolean {
    return this.#round + 1 >= count
  }

  /** The learner failed. False where it was not at work on this round. */
  failed(now: number, round: number): boolean {
    if (!LEARNING.has(this.#phase) || (this.#phase !== 'opening' && round !== this.#round)) return false
    this.#phase = 'failed'
    this.#atOnce = true
    this.#retryAtMs = now + RETRY_MS
    return true
  }

  /** Checks what was heard, and holds it where nothing is wrong. `heardRound`: it is no younger than what was heard in that round. */
  judge(
    offer: Offer<A, R>,
    facts: UpdateFacts,
    expected: Expectation<A>,
    heardRound: number = Number.POSITIVE_INFINITY,
  ): Judgement<R> {
    return this.#exchange.judge(offer, facts, expected, Math.min(heardRound, this.hearingRound))
  }

  /** The round for whose merge it is what is heard now: the next one where this round's inputs were taken. */
  get hearingRound(): number {
    return TAKEN.has(this.#phase) ? this.#round + 1 : this.#round
  }

  #next(): number {
    const heard: number[] = []
    for (const { author, round } of this.#inputs) if (author !== this.#self) heard.push(round)
    return nextRound(this.#round, heard)
  }
}

const ENDED: Completion = { ended: true, caughtUpTo: null }
const GOES_ON: Completion = { ended: false, caughtUpTo: null }
