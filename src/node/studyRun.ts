/**
 * One study at one node: bind → statistics → scaling → rounds → end. A round is base, train, record, publish, merge, evaluate,
 * record (ARCHITECTURE §2); what depends on a durable write waits for its `committed`.
 */
import { fromHex } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { Metrics } from '../core/metrics.ts'
import { Exchange, type Judgement, type MergeInput, nextRound } from '../gossip/exchange.ts'
import { TRAINING_DIVERGED, type UpdateFacts, type UpdateHeader } from '../gossip/update.ts'
import { type Permit, permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import { type Checkpoint, roundsBehind } from './checkpoint.ts'
import { Company } from './company.ts'
import type { Context } from './context.ts'
import type { BoundDataset } from './events.ts'
import { expectationOf } from './expectation.ts'
import { Freezing } from './freezing.ts'
import { Keeping } from './keeping.ts'
import { LEARNING, type Phase, TAKEN } from './phase.ts'
import { bindingDrafts, lacksStatistics, mergedDrafts, trainedDrafts } from './roundEntries.ts'

/** After a failure of the learner, how long until it is tried again: long enough not to spin, short enough for an unattended night. */
const RETRY_MS = 30_000

/** One per known study. `advance` after every event; what the learner reports of another round or phase is ignored. */
export class StudyRun {
  readonly id: StudyId
  readonly #context: Context
  readonly #exchange = new Exchange()
  #phase: Phase = 'idle'
  #dataset: BoundDataset | null = null
  readonly #freezing = new Freezing()
  #checkpoint: Checkpoint | null = null
  #permit: Permit | null = null
  #parameters = 0
  #round = 0
  #roundStartedMs = 0
  #base: Digest | null = null
  #parents: readonly Digest[] = []
  #own: { update: Digest; examples: number; head: Digest } | null = null
  #inputs: readonly MergeInput[] = []
  #merged: { result: Digest; coefficients: readonly number[] } | null = null
  #metrics: Metrics | null = null
  #refusal: string | null = null
  #retryAtMs: number | null = null
  /** What was merged makes training diverge: it begins anew, and meets the others in the next merge. */
  #afresh = false
  readonly #company = new Company()
  /** What the operator asked for last; null before that. */
  #pauseAsked: boolean | null = null
  readonly #keeping = new Keeping()
  /** The newest round that went out before a start whose folder did not know of it; −1 where none. */
  #published = -1

  constructor(id: StudyId, context: Context) {
    this.id = id
    this.#context = context
  }

  /** Takes up what was stored: a bound table, and how far the rounds had come. A binding cut short by a stop is recorded now. */
  restore(dataset: BoundDataset | null, checkpoint: Checkpoint | null): void {
    this.#dataset = dataset
    this.#checkpoint = checkpoint
    const state = this.#context.studies.get(this.id)
    if (dataset !== null && state?.accepted.has(this.#context.self) === true) {
      const recorded = state.commitments.get(this.#context.self) === dataset.commitment
      if (!recorded || lacksStatistics(state, this.#context.self)) this.bind(dataset)
    }
    if (state?.ended.has(this.#context.self)) this.#phase = 'ended' // also where its checkpoint was lost
    if (checkpoint === null) return
    this.#round = checkpoint.round
    this.#metrics = checkpoint.metrics
    if (checkpoint.stage === 'ended') {
      this.#phase = 'ended'
      this.#base = checkpoint.shared
    }
  }

  /** The own log, fetched back at a start, says that this round went out: it is not trained again, for it would come out otherwise. */
  published(round: number): void {
    this.#published = Math.max(this.#published, round)
  }

  bind(dataset: BoundDataset): void {
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined, 'a table is bound to a known study')
    this.#dataset = dataset
    this.#context.record(
      `bound:${this.id}`,
      bindingDrafts(this.#context, this.id, dataset, lacksStatistics(state, this.#context.self)),
    )
  }

  /** The operator's wish: a pause binds at once, its end when it is recorded. Returns whether there is something to record. */
  pause(paused: boolean): boolean {
    const before = this.#pauseAsked ?? this.#context.studies.get(this.id)?.paused.has(this.#context.self)
    this.#pauseAsked = paused
    return before !== paused
  }

  /** Moves on wherever that is possible now; called after every event that may have changed something. */
  advance(): void {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#dataset === null) return
    if (this.#phase === 'idle' || this.#phase === 'statistics') this.#freezeOrOpen(state)
    else if (this.#phase === 'resting' && this.#context.now >= this.#dueMs(state)) this.#startRound(state)
    else if (this.#phase === 'failed' && this.#context.now >= (this.#retryAtMs ?? 0)) this.#open(state)
    else if (this.#phase === 'withheld') this.#publishAndMerge()
  }

  /** When `advance` has something to do without any other event; null when only an event can help. */
  wakeAtMs(): number | null {
    const state = this.#context.studies.get(this.id)
    if (state === undefined) return null
    if (this.#phase === 'statistics') return this.#freezing.wakeAtMs()
    const atMs = this.#phase === 'resting' ? this.#dueMs(state) : this.#phase === 'failed' ? this.#retryAtMs : null
    // what is due but refused waits for an event; a refusal noted before it was due may be lifted by then
    return atMs !== null && (this.#refusal === null || atMs > this.#context.now) ? atMs : null
  }

  judge(header: UpdateHeader, facts: UpdateFacts): Judgement {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#permit === null || this.#phase === 'idle')
      return { verdict: 'ignore', reason: 'study-not-running' }
    const heardAtRound = TAKEN.has(this.#phase) ? this.#round + 1 : this.#round
    const judgement = this.#exchange.judge(
      header,
      facts,
      expectationOf(state, this.#permit, this.#context.self),
      heardAtRound,
    )
    if (judgement.verdict === 'accept') {
      this.#keeping.add(header.digest)
      this.#release()
    }
    return judgement
  }

  opened(scaling: Digest, base: Digest, parameters: number): void {
    const state = this.#context.studies.get(this.id)
    if (this.#phase !== 'opening' || scaling !== this.#permit?.scaling || state === undefined) return
    this.#parameters = parameters
    this.#base = base
    this.#keeping.add(base)
    this.#merged = null
    const checkpoint = this.#checkpoint
    const stale = checkpoint === null || checkpoint.round < this.#published
    if (!stale && checkpoint.stage === 'trained' && checkpoint.scaling === scaling && !this.#afresh) {
      this.#base = checkpoint.base
      this.#parents = checkpoint.parents
      this.#own = { update: checkpoint.shared, examples: checkpoint.examples, head: checkpoint.head }
      this.#roundStartedMs = this.#context.now
      this.#publishAndMerge()
      return
    }
    this.#own = null
    this.#round = Math.max(this.#round, (checkpoint?.round ?? -1) + 1, this.#published + 1)
    this.#release()
    if (this.#round >= state.study.rounds.count) this.#endUnmerged(scaling, base)
    else this.#rest()
  }

  trained(round: number, update: Digest, head: Digest, examples: number, loss: number): void {
    if (this.#phase !== 'training' || round !== this.#round) return
    this.#keeping.add(update)
    const leave = this.#leave(this.#context.studies.get(this.id))
    if (leave === null || leave.scaling !== this.#permit?.scaling) {
      this.#release() // restricted or rescaled while training: nothing is recorded or published
      return this.#rest()
    }
    invariant(this.#base !== null, 'a round has a base')
    this.#own = { update, examples, head }
    this.#afresh = false
    this.#phase = 'recording'
    const { dataset, scaling } = this.#permit // the table that was trained on, though another may be bound by now
    this.#context.out.push({
      type: 'record',
      tag: `trained:${this.id}`,
      drafts: trainedDrafts(this.#context, this.id, { round, base: this.#base, update, head, examples, loss, dataset }),
      checkpoint: this.#checkpointOf('trained', scaling, update, head),
    })
  }

  committed(tag: string): void {
    if (tag === `trained:${this.id}` && this.#phase === 'recording') this.#publishAndMerge()
    else if (tag === `merged:${this.id}` && this.#phase === 'closing') this.#completeRound()
  }

  merged(round: number, result: Digest, coefficients: readonly number[]): void {
    if (this.#phase !== 'merging' || round !== this.#round || this.#permit === null) return
    this.#keeping.add(result)
    this.#merged = { result, coefficients }
    this.#phase = 'evaluating'
    this.#context.out.push({ type: 'evaluate', permit: this.#permit, round, model: result })
  }

  evaluated(round: number, model: Digest, metrics: Metrics): void {
    if (this.#phase !== 'evaluating' || round !== this.#round || model !== this.#merged?.result) return
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined && this.#own !== null && this.#permit !== null, 'evaluated what was merged')
    this.#metrics = metrics
    this.#phase = 'closing'
    const last = this.#isLast(state)
    const facts = { round, inputs: this.#inputs, ...this.#merged, metrics, last }
    this.#context.out.push({
      type: 'record',
      tag: `merged:${this.id}`,
      drafts: mergedDrafts(this.#context, state, facts),
      checkpoint: this.#checkpointOf(last ? 'ended' : 'merged', this.#permit.scaling, model, this.#own.head),
    })
  }

  failed(round: number, code: string): void {
    if (!LEARNING.has(this.#phase) || (this.#phase !== 'opening' && round !== this.#round)) return
    this.#phase = 'failed'
    this.#afresh = code === TRAINING_DIVERGED
    this.#retryAtMs = this.#context.now + RETRY_MS
    this.#context.tell('warn', 'study-failed', { study: this.id, round: this.#round, code, retryInMs: RETRY_MS })
  }

  /** For people and tests; plain data. */
  view() {
    return {
      phase: this.#phase,
      round: this.#round,
      behind: roundsBehind(this.#checkpoint),
      rows: this.#dataset?.rows ?? null,
      refusal: this.#refusal,
      metrics: this.#metrics,
      model: this.#base,
      inputs: this.#inputs,
      held: [...this.#exchange.held].map(([author, { round }]) => ({ author, round })),
    }
  }

  /** Frozen already: open. Everybody's statistics here, or the deadline past: freeze. */
  #freezeOrOpen(state: StudyState): void {
    if (!state.accepted.has(this.#context.self)) return
    if (state.scaling !== null) return this.#open(state)
    if (!state.statistics.has(this.#context.self)) return
    this.#phase = 'statistics'
    this.#freezing.propose(this.#context, state)
  }

  #open(state: StudyState): void {
    const leave = this.#leave(state)
    if (leave === null) return
    const before = this.#permit?.scaling ?? this.#checkpoint?.scaling ?? null
    if (before !== null && before !== leave.scaling) {
      this.#context.tell('info', 'scaling-replaced', { study: this.id, scaling: leave.scaling })
      this.#exchange.clear()
      this.#release()
    }
    this.#permit = leave
    this.#phase = 'opening'
    this.#context.out.push({
      type: 'open-study',
      permit: leave,
      start: this.#checkpoint === null || this.#afresh ? 'initial' : 'resume',
    })
  }

  #startRound(state: StudyState): void {
    const leave = this.#leave(state)
    if (leave === null) return
    if (leave.scaling !== this.#permit?.scaling || leave.dataset !== this.#permit.dataset) return this.#open(state)
    this.#permit = leave
    this.#phase = 'training'
    this.#roundStartedMs = this.#context.now
    this.#context.out.push({ type: 'train', permit: leave, round: this.#round, base: this.#base })
  }

  /** The permit, or null with the refusal noted; what is refused is tried again when something changes. */
  #leave(state: StudyState | undefined): Permit | null {
    const { self } = this.#context
    const dataset = this.#dataset?.commitment ?? null
    const decision = permit({ self, study: state, dataset, pauseAsked: this.#pauseAsked === true })
    if ('permit' in decision) {
      this.#refusal = null
      return decision.permit
    }
    if (this.#refusal !== decision.refusal.code)
      this.#context.tell('info', 'round-refused', { study: this.id, ...decision.refusal })
    this.#refusal = decision.refusal.code
    return null
  }

  /** Publishes the recorded update, if that is still allowed, and merges. */
  #publishAndMerge(): void {
    invariant(this.#permit !== null && this.#own !== null && this.#base !== null, 'published what was recorded')
    const state = this.#context.studies.get(this.id)
    const leave = this.#leave(state)
    if (leave === null || state === undefined) {
      this.#phase = 'withheld'
      return
    }
    if (leave.scaling !== this.#permit.scaling) return this.#open(state) // what was trained belongs to a scaling that is no more
    const { update, examples } = this.#own
    const { scaling } = this.#permit
    const parents = this.#parents.slice(0, LIMITS.updateParentsMax)
    const [study, author, round, base] = [this.id, this.#context.self, this.#round, this.#base]
    const header = {
      study,
      author,
      round,
      examples,
      scaling,
      base,
      parents,
      digest: update,
      parameters: this.#parameters,
    }
    this.#context.out.push({ type: 'publish-update', permit: this.#permit, header })
    const own = { author: this.#context.self, round: this.#round, digest: update, examples, ageRounds: 0 }
    this.#inputs = this.#exchange.inputs(own, state.study.merge.ageRoundsMax)
    this.#company.note(this.#context, this.id, this.#round, this.#inputs.length - 1)
    this.#phase = 'merging'
    this.#context.out.push({ type: 'merge', permit: this.#permit, round: this.#round, inputs: this.#inputs })
  }

  #completeRound(): void {
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined && this.#merged !== null && this.#own !== null, 'a complete round was merged')
    const merged = this.#inputs.length
    this.#context.tell('info', 'round-complete', {
      study: this.id,
      round: this.#round,
      merged,
      model: this.#merged.result,
    })
    this.#base = this.#merged.result
    this.#parents = this.#inputs.map((input) => input.digest)
    if (this.#isLast(state)) {
      this.#phase = 'ended'
      this.#context.tell('info', 'study-ended', { study: this.id, rounds: this.#round + 1, model: this.#base })
    } else {
      const heard = this.#inputs.filter((input) => input.author !== this.#context.self).map((input) => input.round)
      const next = Math.min(nextRound(this.#round, heard), state.study.rounds.count - 1)
      this.#exchange.shift(this.#round + 1, next)
      if (next > this.#round + 1)
        this.#context.tell('info', 'rounds-caught-up', { study: this.id, from: this.#round, to: next })
      this.#round = next
      this.#rest()
    }
    this.#own = null
    this.#merged = null
    this.#release()
  }

  /** The last round's update cannot be merged any more, for its scaling was replaced or its weights are lost: the study ends with what was trained. */
  #endUnmerged(scaling: Digest, model: Digest): void {
    this.#phase = 'ended'
    if (this.#checkpoint !== null) this.#checkpoint = { ...this.#checkpoint, stage: 'ended', scaling, shared: model }
    const rounds = this.#round
    const drafts = [this.#context.draft('study.ended', this.id, { rounds, model: fromHex(model) })]
    this.#context.out.push({ type: 'record', tag: `ended:${this.id}`, drafts, checkpoint: this.#checkpoint })
    this.#context.tell('info', 'study-ended', { study: this.id, rounds, model })
  }

  #rest(): void {
    this.#phase = 'resting'
  }

  #isLast(state: StudyState): boolean {
    return this.#round + 1 >= state.study.rounds.count
  }

  #dueMs(state: StudyState): number {
    return this.#roundStartedMs + state.study.rounds.periodSeconds * 1000
  }

  #checkpointOf(stage: Checkpoint['stage'], scaling: Digest, shared: Digest, head: Digest): Checkpoint {
    invariant(this.#base !== null && this.#own !== null, 'a checkpoint has a base and an update')
    const checkpoint: Checkpoint = {
      study: this.id,
      stage,
      round: this.#round,
      scaling,
      base: this.#base,
      parents: stage === 'trained' ? this.#parents : this.#inputs.map((input) => input.digest),
      shared,
      head,
      examples: this.#own.examples,
      metrics: this.#metrics,
    }
    this.#checkpoint = checkpoint
    return checkpoint
  }

  /** Lets the shell forget the weights that nothing refers to any more. */
  #release(): void {
    const used = new Set<Digest | null | undefined>([this.#base, this.#own?.update, this.#merged?.result])
    for (const { digest } of this.#exchange.held.values()) used.add(digest)
    if (this.#phase === 'merging') for (const { digest } of this.#inputs) used.add(digest)
    const forget = this.#keeping.release(this.id, used)
    if (forget !== null) this.#context.out.push(forget)
  }
}
