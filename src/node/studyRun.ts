/**
 * One study at one node: bind → statistics → scaling → rounds → end. A round is base, train, record, publish, merge, evaluate,
 * record (ARCHITECTURE §2); what depends on a durable write waits for its `committed`.
 */
import { fromHex } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Judgement, MergeInput } from '../gossip/exchange.ts'
import { RETRY_MS, Rounds } from '../gossip/rounds.ts'
import { TRAINING_DIVERGED, type UpdateFacts, type UpdateHeader } from '../gossip/update.ts'
import { type Permit, permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import { Arrivals } from './arrivals.ts'
import { type Checkpoint, roundsBehind } from './checkpoint.ts'
import { Company } from './company.ts'
import type { Context } from './context.ts'
import type { BoundDataset, NodeEvent } from './events.ts'
import { expectationOf, writingFault } from './expectation.ts'
import { Freezing } from './freezing.ts'
import { Keeping } from './keeping.ts'
import { bindingDrafts, lacksStatistics, mergedDrafts, trainedDrafts } from './roundEntries.ts'

const NOT_RUNNING = { verdict: 'ignore', reason: 'study-not-running' } as const

/** One per known study. `advance` after every event; what the learner reports of another round or phase is ignored. */
export class StudyRun {
  readonly id: StudyId
  readonly #context: Context
  readonly #rounds: Rounds
  #dataset: BoundDataset | null = null
  readonly #freezing = new Freezing()
  #checkpoint: Checkpoint | null = null
  #permit: Permit | null = null
  #parameters = 0
  /** Of the own update. */
  #head: Digest | null = null
  /** Of the newest merge, for people to see. */
  #inputs: readonly MergeInput[] = []
  /** Of the merge, in the order of its inputs. */
  #coefficients: readonly number[] = []
  #metrics: Metrics | null = null
  #refusal: string | null = null
  /** What was merged makes training diverge: it begins anew, and meets the others in the next merge. */
  #afresh = false
  readonly #company = new Company()
  /** What the operator asked for last; null before that. */
  #pauseAsked: boolean | null = null
  readonly #keeping = new Keeping()
  readonly arrivals: Arrivals
  /** The newest round that went out before a start whose folder did not know of it; −1 where none. */
  #published = -1

  constructor(id: StudyId, context: Context) {
    this.id = id
    this.#context = context
    this.#rounds = new Rounds(context.self)
    this.arrivals = new Arrivals(id)
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
    if (state?.ended.has(this.#context.self)) this.#rounds.wait('ended') // also where its checkpoint was lost
    if (checkpoint === null) return
    this.#metrics = checkpoint.metrics
    this.#rounds.recall(checkpoint.round, checkpoint.stage === 'ended' ? checkpoint.shared : null)
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
  advance(connected: readonly MemberId[]): void {
    this.arrivals.catchUp(this.#context, this.#rounds.phase, connected)
    const state = this.#context.studies.get(this.id)
    if (state === undefined) return
    const { phase, retryAtMs } = this.#rounds
    // the proposal may come back after the own log that tells of the end
    if (phase === 'idle' && state.ended.has(this.#context.self)) return this.#rounds.wait('ended')
    if (this.#dataset === null) return
    if (phase === 'idle' || phase === 'statistics') this.#freezeOrOpen(state)
    else if (phase === 'resting' && this.#context.now >= this.#dueMs(state)) this.#startRound(state)
    else if (phase === 'failed' && this.#context.now >= (retryAtMs ?? 0)) this.#open(state)
    else if (phase === 'withheld') this.#publishAndMerge()
  }

  /** When `advance` has something to do without any other event; null when only an event can help. */
  wakeAtMs(): number | null {
    const state = this.#context.studies.get(this.id)
    if (state === undefined) return null
    const { phase, retryAtMs } = this.#rounds
    if (phase === 'statistics') return this.#freezing.wakeAtMs()
    const atMs = phase === 'resting' ? this.#dueMs(state) : retryAtMs
    // what is due but refused waits for an event; a refusal noted before it was due may be lifted by then
    return atMs !== null && (this.#refusal === null || atMs > this.#context.now) ? atMs : null
  }

  judge(header: UpdateHeader, facts: UpdateFacts): Judgement {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#permit === null || this.#rounds.phase === 'idle') return NOT_RUNNING
    this.arrivals.arrived(header.author, header.digest)
    const fault = writingFault(state.study, header, null)
    const judgement = fault ?? this.#rounds.judge(header, facts, expectationOf(state, this.#permit))
    if (judgement.verdict === 'accept') {
      this.#keeping.add(header.digest)
      this.#release()
    }
    return judgement
  }

  /** An update whose weights are not here; what is accepted is fetched. */
  announced(event: Extract<NodeEvent, { type: 'update-announced' }>): Judgement {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#permit === null || this.#rounds.phase === 'idle') return NOT_RUNNING
    return this.arrivals.announced(state.study, this.#rounds.exchange, expectationOf(state, this.#permit), event)
  }

  opened(scaling: Digest, base: Digest, parameters: number): void {
    const state = this.#context.studies.get(this.id)
    if (this.#rounds.phase !== 'opening' || scaling !== this.#permit?.scaling || state === undefined) return
    this.#parameters = parameters
    this.#keeping.add(base)
    const checkpoint = this.#checkpoint
    const stale = checkpoint === null || checkpoint.round < this.#published
    if (!stale && checkpoint.stage === 'trained' && checkpoint.scaling === scaling && !this.#afresh) {
      const { shared, examples, parents, head } = checkpoint
      this.#head = head
      this.#rounds.resume(this.#context.now, checkpoint.base, parents, { update: shared, examples })
      return this.#publishAndMerge()
    }
    this.#rounds.begin(Math.max((checkpoint?.round ?? -1) + 1, this.#published + 1), base)
    this.#release()
    if (this.#rounds.round >= state.study.rounds.count) this.#endUnmerged(scaling, base)
  }

  trained(round: number, update: Digest, head: Digest, examples: number, loss: number): void {
    if (!this.#rounds.isTraining(round)) return
    this.#keeping.add(update)
    const leave = this.#leave(this.#context.studies.get(this.id))
    if (leave === null || leave.scaling !== this.#permit?.scaling) {
      this.#release() // restricted or rescaled while training: nothing is recorded or published
      return this.#rounds.drop()
    }
    const { base } = this.#rounds
    invariant(base !== null, 'a round has a base')
    this.#rounds.record({ update, examples })
    this.#head = head
    this.#afresh = false
    const { dataset, scaling } = this.#permit // the table that was trained on, though another may be bound by now
    this.#context.out.push({
      type: 'record',
      tag: `trained:${this.id}`,
      drafts: trainedDrafts(this.#context, this.id, { round, base, update, head, examples, loss, dataset }),
      checkpoint: this.#checkpointOf('trained', scaling, update, head),
    })
  }

  committed(tag: string): void {
    if (tag === `trained:${this.id}` && this.#rounds.phase === 'recording') this.#publishAndMerge()
    else if (tag === `merged:${this.id}` && this.#rounds.phase === 'closing') this.#completeRound()
  }

  merged(round: number, result: Digest, coefficients: readonly number[]): void {
    if (this.#permit === null || !this.#rounds.mergedInto(round, result)) return
    this.#keeping.add(result)
    this.#coefficients = coefficients
    this.#context.out.push({ type: 'evaluate', permit: this.#permit, round, model: result })
  }

  evaluated(round: number, model: Digest, metrics: Metrics): void {
    if (!this.#rounds.evaluated(round, model)) return
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined && this.#head !== null && this.#permit !== null, 'evaluated what was merged')
    this.#metrics = metrics
    const last = this.#rounds.isLast(state.study.rounds.count)
    const { inputs } = this.#rounds
    const facts = { round, inputs, result: model, coefficients: this.#coefficients, metrics, last }
    this.#context.out.push({
      type: 'record',
      tag: `merged:${this.id}`,
      drafts: mergedDrafts(this.#context, state, facts),
      checkpoint: this.#checkpointOf(last ? 'ended' : 'merged', this.#permit.scaling, model, this.#head),
    })
  }

  failed(round: number, code: string): void {
    if (!this.#rounds.failed(this.#context.now, round)) return
    this.#afresh = code === TRAINING_DIVERGED
    this.#context.tell('warn', 'study-failed', { study: this.id, round: this.#rounds.round, code, retryInMs: RETRY_MS })
  }

  /** For people and tests; plain data. */
  view() {
    const { phase, round, base, exchange } = this.#rounds
    return {
      phase,
      round,
      behind: roundsBehind(this.#checkpoint),
      rows: this.#dataset?.rows ?? null,
      refusal: this.#refusal,
      metrics: this.#metrics,
      model: base,
      inputs: this.#inputs,
      held: exchange.held.map(({ author, round }) => ({ author, round })),
      ...this.arrivals.view(),
    }
  }

  /** Frozen already: open. Everybody's statistics here, or the deadline past: freeze. */
  #freezeOrOpen(state: StudyState): void {
    if (!state.accepted.has(this.#context.self)) return
    if (state.scaling !== null) return this.#open(state)
    if (!state.statistics.has(this.#context.self)) return
    this.#rounds.wait('statistics')
    this.#freezing.propose(this.#context, state)
  }

  #open(state: StudyState): void {
    const leave = this.#leave(state)
    if (leave === null) return
    const before = this.#permit?.scaling ?? this.#checkpoint?.scaling ?? null
    if (before !== null && before !== leave.scaling) {
      this.#context.tell('info', 'scaling-replaced', { study: this.id, scaling: leave.scaling })
      this.#rounds.exchange.clear()
      this.arrivals.restart()
      this.#release()
    }
    this.#permit = leave
    this.#rounds.wait('opening')
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
    this.#rounds.start(this.#context.now)
    const { round, base } = this.#rounds
    this.#context.out.push({ type: 'train', permit: leave, round, base })
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
    invariant(this.#permit !== null, 'published what was recorded')
    const state = this.#context.studies.get(this.id)
    const leave = this.#leave(state)
    if (leave === null || state === undefined) return this.#rounds.wait('withheld')
    if (leave.scaling !== this.#permit.scaling) return this.#open(state) // what was trained belongs to a scaling that is no more
    const { round, base, parents, own } = this.#rounds.publish(state.study.merge.ageRoundsMax)
    const claims = {
      study: this.id,
      author: this.#context.self,
      round,
      examples: own.examples,
      scaling: this.#permit.scaling,
      base,
      parents: [...parents],
      digest: own.update,
      parameters: this.#parameters,
      privacy: null,
    }
    this.#context.out.push({ type: 'publish-update', permit: this.#permit, claims })
    const { inputs } = this.#rounds
    this.#inputs = inputs
    this.#company.note(this.#context, this.id, round, inputs.length - 1)
    this.#context.out.push({ type: 'merge', permit: this.#permit, round, inputs })
  }

  #completeRound(): void {
    const state = this.#context.studies.get(this.id)
    const { round, inputs, merged: model } = this.#rounds
    invariant(state !== undefined && model !== null, 'a complete round was merged')
    this.#context.tell('info', 'round-complete', { study: this.id, round, merged: inputs.length, model })
    const { ended, caughtUpTo } = this.#rounds.complete(state.study.rounds.count)
    if (ended) this.#context.tell('info', 'study-ended', { study: this.id, rounds: round + 1, model })
    if (caughtUpTo !== null)
      this.#context.tell('info', 'rounds-caught-up', { study: this.id, from: round, to: caughtUpTo })
    this.#release()
  }

  /** The last round's update cannot be merged any more, for its scaling was replaced or its weights are lost: the study ends with what was trained. */
  #endUnmerged(scaling: Digest, model: Digest): void {
    this.#rounds.wait('ended')
    if (this.#checkpoint !== null) this.#checkpoint = { ...this.#checkpoint, stage: 'ended', scaling, shared: model }
    const rounds = this.#rounds.round
    const drafts = [this.#context.draft('study.ended', this.id, { rounds, model: fromHex(model) })]
    this.#context.out.push({ type: 'record', tag: `ended:${this.id}`, drafts, checkpoint: this.#checkpoint })
    this.#context.tell('info', 'study-ended', { study: this.id, rounds, model })
  }

  #dueMs(state: StudyState): number {
    return this.#rounds.dueMs(state.study.rounds.periodSeconds * 1000)
  }

  #checkpointOf(stage: Checkpoint['stage'], scaling: Digest, shared: Digest, head: Digest): Checkpoint {
    const { round, base, own, parents, inputs } = this.#rounds
    invariant(base !== null && own !== null, 'a checkpoint has a base and an update')
    const checkpoint: Checkpoint = {
      study: this.id,
      stage,
      round,
      scaling,
      base,
      parents: stage === 'trained' ? [...parents] : inputs.map((input) => input.digest),
      shared,
      head,
      examples: own.examples,
      metrics: this.#metrics,
    }
    this.#checkpoint = checkpoint
    return checkpoint
  }

  /** Lets the shell forget the weights that nothing refers to any more. */
  #release(): void {
    const { base, own, merged, phase, inputs, exchange } = this.#rounds
    const used = new Set<Digest | null | undefined>([base, own?.update, merged])
    for (const { digest } of exchange.held) used.add(digest)
    if (phase === 'merging') for (const { digest } of inputs) used.add(digest)
    const forget = this.#keeping.release(this.id, used)
    if (forget !== null) this.#context.out.push(forget)
  }
}
