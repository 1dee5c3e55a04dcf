/**
 * One study at one node: bind → statistics → scaling → rounds → end. A round is base, train, record, publish, merge, evaluate,
 * record (ARCHITECTURE §2); what depends on a durable write waits for its `committed`.
 */
import { invariant } from '../core/errors.ts'
import type { LocalFigures } from '../core/figures.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { UpdateTopic } from '../gossip/cells.ts'
import type { Judgement } from '../gossip/exchange.ts'
import { RETRY_MS, Rounds } from '../gossip/rounds.ts'
import { TRAINING_DIVERGED, type UpdateFacts, type UpdateHeader } from '../gossip/update.ts'
import type { Permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import { Arrivals } from './arrivals.ts'
import { CellTopics } from './cellTopics.ts'
import type { Checkpoint } from './checkpoint.ts'
import { claimsOf } from './claims.ts'
import type { Context } from './context.ts'
import { deadlineOf, Ending, mayVote } from './ending.ts'
import { Epilogue, newestOf } from './epilogue.ts'
import type { BoundDataset, NodeEvent } from './events.ts'
import { expectationOf, writingFault } from './expectation.ts'
import { Freezing, HEARING_MS } from './freezing.ts'
import { Keeping } from './keeping.ts'
import { Leave } from './leave.ts'
import { Merging, type Outcome } from './merging.ts'
import { PrivacyBudget } from './privacyBudget.ts'
import { Progress } from './progress.ts'
import { mergedDrafts, trainedDrafts } from './roundEntries.ts'
import { Table } from './table.ts'

type Of<T extends NodeEvent['type']> = Extract<NodeEvent, { type: T }>

const NOT_RUNNING = { verdict: 'ignore', reason: 'study-not-running' } as const

/** One per known study. `advance` after every event; what the learner reports of another round or phase is ignored. */
export class StudyRun {
  readonly id: StudyId
  readonly #context: Context
  readonly #rounds: Rounds
  readonly #topics: CellTopics
  readonly leaves: Leave
  readonly #progress: Progress
  readonly merging: Merging
  readonly ending: Ending
  readonly table: Table
  readonly #freezing = new Freezing()
  #permit: Permit | null = null
  #parameters = 0
  /** What was merged makes training diverge: it begins anew, and meets the others in the next merge. */
  #afresh = false
  readonly #keeping: Keeping
  readonly #budget = new PrivacyBudget()
  readonly epilogue: Epilogue
  readonly arrivals: Arrivals
  #published = -1 // the newest round that went out before a start whose folder did not know of it

  constructor(id: StudyId, context: Context) {
    this.id = id
    this.#context = context
    this.#rounds = new Rounds(context.self)
    this.#topics = new CellTopics(id)
    this.epilogue = new Epilogue(id, context)
    this.table = new Table(context, id)
    this.#keeping = new Keeping(context, id)
    this.leaves = new Leave(context, id)
    this.#progress = new Progress(id)
    this.merging = new Merging(context, id)
    this.ending = new Ending(context, id)
    this.arrivals = new Arrivals(id)
  }

  /** Takes up what was stored: a bound table, and how far the rounds had come. */
  restore(dataset: BoundDataset | null, checkpoint: Checkpoint | null): void {
    this.table.restore(dataset)
    this.#progress.restore(checkpoint)
    const ended = this.#context.studies.get(this.id)?.ended.has(this.#context.self)
    if (ended) this.#rounds.wait('ended') // also where its checkpoint was lost
    if (checkpoint === null) return
    this.#budget.recall(checkpoint.privacy ?? null)
    this.#rounds.recall(checkpoint.round, checkpoint.stage === 'ended' ? checkpoint.shared : null)
  }

  /** The own log, fetched back at a start, says that this round went out: it is not trained again, for it would come out otherwise. */
  published(round: number): void {
    this.#published = Math.max(this.#published, round)
  }

  /** Moves on wherever that is possible now; called after every event that may have changed something. */
  advance(connected: readonly MemberId[]): void {
    this.arrivals.catchUp(this.#context, this.#rounds.phase, connected)
    const state = this.#context.studies.get(this.id)
    if (state === undefined) return
    const { phase, retryAtMs } = this.#rounds
    // the proposal may come back after the own log that tells of the end
    if (phase === 'idle' && state.ended.has(this.#context.self)) return this.#rounds.wait('ended')
    if (this.table.bound === null) return
    if (phase === 'ended') {
      this.#topics.end(this.#context)
      return this.epilogue.advance(state, this.#ended())
    }
    if (this.#permit !== null) this.#topics.follow(this.#context, state, this.#permit, this.#rounds)
    const replaced = this.table.bound.commitment !== this.#permit?.dataset // what failed with the table before need not wait
    if (phase === 'idle' || phase === 'statistics') this.#freezeOrOpen(state)
    else if (phase === 'resting' && this.ending.isOver(state)) this.#endEarly(state)
    else if (phase === 'resting' && this.#context.now >= this.#dueMs(state)) this.#startRound(state)
    else if (phase === 'failed' && (replaced || this.#context.now >= (retryAtMs ?? 0))) this.#open(state)
    else if (phase === 'withheld') this.#publishAndMerge()
  }

  /** When `advance` has something to do without any other event; null when only an event can help. */
  wakeAtMs(): number | null {
    const [own, topics] = [this.#roundAtMs(), this.#topics.wakeAtMs()]
    return own === null || topics === null ? (own ?? topics) : Math.min(own, topics)
  }

  #roundAtMs(): number | null {
    const state = this.#context.studies.get(this.id)
    if (state === undefined) return null
    const { phase, retryAtMs } = this.#rounds
    if (this.leaves.waitsUntilMs !== null) return this.leaves.waitsUntilMs
    if (phase === 'statistics') return this.#freezing.wakeAtMs()
    if (phase === 'ended' && this.table.bound !== null) return this.epilogue.wakeAtMs(state, this.#rounds.base)
    const atMs = phase === 'resting' ? Math.min(this.#dueMs(state), deadlineOf(state) ?? Infinity) : retryAtMs
    // what is due but refused waits for an event; a refusal noted before it was due may be lifted by then
    return atMs !== null && (this.leaves.refusal === null || atMs > this.#context.now) ? atMs : null
  }

  judge(header: UpdateHeader, facts: UpdateFacts, cell: UpdateTopic): Judgement {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#permit === null || this.#rounds.phase === 'idle') return NOT_RUNNING
    this.arrivals.arrived(this.#context, header.author, header.digest)
    const expected = expectationOf(state, this.#permit, this.#context)
    const judgement =
      writingFault(state.study, header, null) ?? this.#topics.judge(header, facts, cell, expected, this.#rounds)
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
    const { header, cell } = event
    const elsewhere = this.#topics.refuses(header.author, cell)
    if (elsewhere !== null) return elsewhere
    const expected = expectationOf(state, this.#permit, this.#context)
    return this.arrivals.announced(state.study, this.#rounds.exchange, expected, event)
  }

  opened({ scaling, base, parameters, roundsWithin }: Of<'opened'>): void {
    this.epilogue.opened()
    const state = this.#context.studies.get(this.id)
    if (this.#rounds.phase !== 'opening' || scaling !== this.#permit?.scaling || state === undefined) return
    this.#parameters = parameters
    this.#budget.opened(roundsWithin ?? null)
    this.#keeping.add(base)
    const { checkpoint } = this.#progress
    if (checkpoint !== null) this.arrivals.waitUntilMs(this.#context.now + HEARING_MS)
    const stale = checkpoint === null || checkpoint.round < this.#published
    if (!stale && checkpoint.stage === 'trained' && checkpoint.scaling === scaling && !this.#afresh) {
      const { shared, examples, parents, head } = checkpoint
      this.#progress.trained(head)
      this.#rounds.resume(checkpoint.base, parents, { update: shared, examples })
      return this.#publishAndMerge()
    }
    this.#rounds.begin(Math.max((checkpoint?.round ?? -1) + 1, this.#published + 1), base)
    this.#release()
    if (this.#rounds.round < state.study.rounds.count) return
    // the last round's update cannot be merged any more, for its scaling was replaced or its weights are lost: what was trained is the end
    this.#rounds.wait('ended')
    this.#end(state, scaling, base)
  }

  consulted(event: Of<'consulted'>): void {
    this.leaves.consulting.consulted(event)
    if (event.roundsWithin !== undefined) this.#budget.opened(event.roundsWithin)
  }

  trained(event: Of<'trained'>): void {
    const { round, update, head, examples } = event
    this.#budget.trained(round, event.privacy ?? null)
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
    this.#progress.trained(head)
    this.#afresh = false
    const permit = this.#permit // of the table that was trained on, though another may be bound by now
    const drafts = trainedDrafts(this.#context, permit, { ...event, base, privacy: this.#budget.claim })
    drafts.push(...this.#budget.drafts(this.#context, this.id))
    const checkpoint = this.#checkpointOf('trained', permit.scaling, update)
    this.#context.out.push({ type: 'record', tag: `trained:${this.id}`, drafts, checkpoint })
  }

  committed(tag: string): void {
    if (tag === `trained:${this.id}` && this.#rounds.phase === 'recording') this.#publishAndMerge()
    else if (tag === `merged:${this.id}` && this.#rounds.phase === 'closing') this.#completeRound()
  }

  merged(outcome: Outcome): void {
    const { round, result } = outcome
    const permit = this.#permit
    if (permit === null || !this.merging.finish(outcome, (without) => this.#rounds.mergedInto(round, result, without)))
      return
    this.arrivals.merged(this.merging.considered.taken)
    this.#keeping.add(result)
    this.#context.out.push({ type: 'evaluate', permit, round, model: result })
  }

  evaluated(round: number, model: Digest, metrics: Metrics, local: LocalFigures): void {
    if (!this.#rounds.evaluated(round, model)) return
    const state = this.#context.studies.get(this.id)
    const { outcome, considered } = this.merging
    invariant(state !== undefined && outcome !== null && this.#permit !== null, 'evaluated what was merged')
    const { plateau } = state.study.end
    const standing = this.#progress.evaluated(round, model, metrics, local, plateau?.delta ?? 0)
    const last = this.#rounds.isLast(state.study.rounds.count)
    const facts = { outcome, inputs: this.#rounds.inputs, considered, metrics, standing, last }
    this.#context.out.push({
      type: 'record',
      tag: `merged:${this.id}`,
      drafts: mergedDrafts(this.#context, state, facts),
      checkpoint: this.#checkpointOf(last ? 'ended' : 'merged', this.#permit.scaling, model),
    })
    this.merging.count(outcome)
    const stands = plateau !== null && !last && this.#progress.isPlateau(plateau.rounds)
    if (stands && mayVote(state.study, local)) this.ending.sayEnough('plateau')
  }

  /** What an operator asks for at any time; null, or why not: no model to evaluate, no leave, or it is told already. */
  evaluateNow(): ReturnType<Epilogue['demand']> {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#progress.roundsBehind === 0) return 'model-missing'
    return this.epilogue.demand(state, this.#ended(), this.#rounds.phase === 'ended')
  }

  failed(round: number, code: string): void {
    if (this.leaves.consulting.failed(code)) return
    if (this.#rounds.phase === 'ended') return this.epilogue.openingFailed(code)
    if (!this.#rounds.failed(this.#context.now, round)) return
    this.#afresh ||= code === TRAINING_DIVERGED // until it has trained, whatever else fails
    this.#context.tell('warn', 'study-failed', { study: this.id, round: this.#rounds.round, code, retryInMs: RETRY_MS })
  }

  /** For people and tests; plain data. */
  view() {
    const { phase, round, base, exchange } = this.#rounds
    return {
      phase,
      round,
      cell: this.#topics.view(),
      rows: this.table.bound?.rows ?? null,
      refusal: this.leaves.refusal,
      model: base,
      ...this.#progress.view(),
      ...this.merging.view(),
      roundsLeft: this.#budget.roundsLeft,
      privacy: this.#budget.claim,
      evaluating: phase === 'ended' && this.table.bound !== null && this.epilogue.isAtWork(base),
      held: exchange.held.map(({ author, round }) => ({ author, round })),
      ...this.arrivals.view(),
    }
  }

  #ended() {
    return {
      model: this.#rounds.base,
      scaling: this.#progress.checkpoint?.scaling ?? null,
      others: () => newestOf(this.#progress.checkpoint?.others ?? [], this.#rounds.exchange.held),
      leave: () => this.#leave(this.#context.studies.get(this.id)),
      consulting: this.leaves.consulting,
    }
  }

  /** Frozen already: open. Everybody's statistics here, or the deadline past: freeze. */
  #freezeOrOpen(state: StudyState): void {
    if (!state.accepted.has(this.#context.self)) return
    if (this.#progress.checkpoint === null && this.ending.isOver(state))
      return this.leaves.refuse('study-over', 'it was over before it began here')
    if (state.scaling !== null) return this.#open(state)
    if (!state.statistics.has(this.#context.self)) return
    this.#rounds.wait('statistics')
    this.#freezing.propose(this.#context, state)
  }

  #open(state: StudyState): void {
    const leave = this.#leave(state)
    if (leave === null) return
    const spent = this.#budget.spent(this.#context, state)
    if (!this.leaves.consulting.isFresh(state, leave, spent)) return this.#rounds.withhold()
    const before = this.#permit?.scaling ?? this.#progress.checkpoint?.scaling ?? null
    if (before !== null && before !== leave.scaling) {
      this.#context.tell('info', 'scaling-replaced', { study: this.id, scaling: leave.scaling })
      this.#rounds.exchange.clear()
      this.arrivals.restart()
      this.#release()
    }
    this.#permit = leave
    this.#topics.follow(this.#context, state, leave, this.#rounds)
    this.#rounds.wait('opening')
    this.#context.out.push({
      type: 'open-study',
      permit: leave,
      start: this.#progress.checkpoint === null || this.#afresh ? 'initial' : 'resume',
      ...spent,
    })
  }

  #startRound(state: StudyState): void {
    const leave = this.#leave(state, this.#budget.roundsLeft)
    if (leave === null) return
    if (leave.scaling !== this.#permit?.scaling || leave.dataset !== this.#permit.dataset) return this.#open(state)
    const spent = this.#budget.spent(this.#context, state)
    if (!this.leaves.consulting.isFresh(state, leave, spent)) return
    this.leaves.consulting.use()
    this.#permit = leave
    this.epilogue.roundBegins(state, leave, this.#ended())
    this.#rounds.start(this.#context.now)
    const { round, base } = this.#rounds
    this.#context.out.push({ type: 'train', permit: leave, round, base, ...spent })
  }

  /** The permit, or null; `roundsLeft` of who would train. */
  #leave(state: StudyState | undefined, roundsLeft: number | null = null): Permit | null {
    const dataset = this.table.bound?.commitment ?? null
    const base = this.#rounds.base ?? this.#progress.checkpoint?.shared ?? null
    const held = () => this.#rounds.exchange.held
    const facts = { round: this.#rounds.round, epsilon: this.#budget.epsilon, rows: this.table.rows }
    return this.leaves.ask(state, { dataset, registered: this.table.registered, base, held, roundsLeft, facts })
  }

  /** Between two rounds: the newest merge is the last. */
  #endEarly(state: StudyState): void {
    const { base } = this.#rounds
    invariant(base !== null && this.#permit !== null, 'a node that rests was opened')
    this.#rounds.recall(this.#rounds.round, base)
    this.#end(state, this.#permit.scaling, base)
  }

  /** Publishes the recorded update, if that is still allowed, and merges. */
  #publishAndMerge(): void {
    invariant(this.#permit !== null, 'published what was recorded')
    const state = this.#context.studies.get(this.id)
    const leave = this.#leave(state)
    if (leave === null || state === undefined) return this.#rounds.wait('withheld')
    if (leave.scaling !== this.#permit.scaling) return this.#open(state) // what was trained belongs to a scaling that is no more
    const { ageRoundsMax } = state.study.merge
    const allowed = this.leaves.mayMerge()
    const published = this.#rounds.publish(ageRoundsMax, undefined, this.#topics.mayMerge(allowed))
    const { round, base } = published
    const terms = { scaling: this.#permit.scaling, parameters: this.#parameters, privacy: this.#budget.claim }
    const claims = claimsOf(this.#context.self, this.id, published, terms)
    this.#context.out.push({ type: 'publish-update', permit: this.#permit, claims })
    const partial = this.arrivals.partial(ageRoundsMax, this.#topics, allowed)
    this.merging.begin({ permit: this.#permit, round, base }, this.#rounds.inputs, partial)
  }

  #completeRound(): void {
    const state = this.#context.studies.get(this.id)
    const { round, inputs, merged: model } = this.#rounds
    invariant(state !== undefined && model !== null, 'a complete round was merged')
    this.#context.tell('info', 'round-complete', { study: this.id, round, merged: inputs.length, model })
    const { ended, caughtUpTo } = this.#rounds.complete(state.study.rounds.count)
    if (ended) this.#context.tell('info', 'study-ended', { study: this.id, rounds: round + 1, model })
    if (caughtUpTo !== null) this.#topics.shift(caughtUpTo - round - 1)
    if (caughtUpTo !== null)
      this.#context.tell('info', 'rounds-caught-up', { study: this.id, from: round, to: caughtUpTo })
    this.#release()
  }

  #end(state: StudyState, scaling: Digest, model: Digest): void {
    this.ending.record(state, this.#rounds.round, scaling, model, this.#progress)
    this.#release()
  }

  #dueMs(state: StudyState): number {
    const dueMs = this.#rounds.dueMs(state.study.rounds.periodSeconds * 1000)
    return Math.max(dueMs, this.arrivals.hearsUntilMs)
  }

  #checkpointOf(stage: Checkpoint['stage'], scaling: Digest, shared: Digest): Checkpoint {
    return this.#progress.store({ stage, scaling, shared, privacy: this.#budget.claim }, this.#rounds)
  }

  /** Lets the shell forget the weights that nothing refers to any more. */
  #release(): void {
    this.#keeping.release(this.#rounds, this.#topics)
  }
}
