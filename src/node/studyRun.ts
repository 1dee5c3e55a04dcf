/**
 * One study at one node: bind → statistics → scaling → rounds → end. A round is base, train, record, publish, merge, evaluate,
 * record (ARCHITECTURE §2); what depends on a durable write waits for its `committed`.
 */
import { invariant } from '../core/errors.ts'
import type { LocalFigures } from '../core/figures.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { UpdateTopic } from '../gossip/cells.ts'
import type { Judgement, MergeInput } from '../gossip/exchange.ts'
import { RETRY_MS, Rounds } from '../gossip/rounds.ts'
import { TRAINING_DIVERGED, type UpdateFacts, type UpdateHeader } from '../gossip/update.ts'
import type { Standing as ModelStanding } from '../governance/lineage.ts'
import type { Permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import { Arrivals } from './arrivals.ts'
import { CellTopics } from './cellTopics.ts'
import { type Checkpoint, roundsBehind } from './checkpoint.ts'
import { Company } from './company.ts'
import type { Context } from './context.ts'
import { Descent } from './descent.ts'
import { deadlineOf, whyOver } from './ending.ts'
import { Epilogue, newestOf } from './epilogue.ts'
import type { BoundDataset, NodeEvent, SetAside } from './events.ts'
import { expectationOf, writingFault } from './expectation.ts'
import { Freezing } from './freezing.ts'
import { Keeping } from './keeping.ts'
import { Leave } from './leave.ts'
import { Outliers } from './outliers.ts'
import { PrivacyBudget } from './privacyBudget.ts'
import { bindingDrafts, endedDrafts, lacksStatistics, mergedDrafts, trainedDrafts } from './roundEntries.ts'
import { Standing } from './standing.ts'

type Of<T extends NodeEvent['type']> = Extract<NodeEvent, { type: T }>

const NOT_RUNNING = { verdict: 'ignore', reason: 'study-not-running' } as const

/** One per known study. `advance` after every event; what the learner reports of another round or phase is ignored. */
export class StudyRun {
  readonly id: StudyId
  readonly #context: Context
  readonly #rounds: Rounds
  readonly #topics: CellTopics
  readonly #leaves: Leave
  #dataset: BoundDataset | null = null
  readonly #freezing = new Freezing()
  #checkpoint: Checkpoint | null = null
  #permit: Permit | null = null
  #parameters = 0
  /** Of the own update. */
  #head: Digest | null = null
  /** Of the newest merge, for people to see. */
  #inputs: readonly MergeInput[] = []
  #outcome: Extract<NodeEvent, { type: 'merged' }> | null = null
  readonly #outliers = new Outliers()
  /** Of the inputs of this round's merge. */
  #left: readonly SetAside[] = []
  /** Members whose updates are not merged here, by the operator's word. */
  readonly #excluded = new Set<MemberId>()
  #metrics: Metrics | null = null
  /** What was merged makes training diverge: it begins anew, and meets the others in the next merge. */
  #afresh = false
  readonly #company = new Company()
  /** What the operator asked for last; null before that. */
  #pauseAsked: boolean | null = null
  readonly #keeping = new Keeping()
  readonly #descent = new Descent()
  readonly #budget = new PrivacyBudget()
  readonly epilogue: Epilogue
  readonly #standing = new Standing()
  /** Its own word that the study is enough is on its way into the log. */
  #saidEnough = false
  readonly arrivals: Arrivals
  /** The newest round that went out before a start whose folder did not know of it; −1 where none. */
  #published = -1

  constructor(id: StudyId, context: Context) {
    this.id = id
    this.#context = context
    this.#rounds = new Rounds(context.self)
    this.#topics = new CellTopics(id)
    this.epilogue = new Epilogue(id, context)
    this.#leaves = new Leave(context, id)
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
    this.#standing.restore(checkpoint.standing)
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

  /** The operator's recorded word; it counts from the next merge on. */
  exclude(member: MemberId, excluded: boolean): void {
    if (excluded) this.#excluded.add(member)
    else this.#excluded.delete(member)
  }

  isExcluded(member: MemberId): boolean {
    return this.#excluded.has(member)
  }

  /** The operator's word, or the node's own: once said it stands. */
  sayEnough(reason: 'operator' | 'plateau'): void {
    if (this.#saidEnough || this.#context.studies.get(this.id)?.enough.has(this.#context.self)) return
    this.#saidEnough = true
    this.#context.record(`enough:${this.id}`, [this.#context.draft('study.enough', this.id, { reason })])
    this.#context.tell('info', 'study-enough', { study: this.id, reason })
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
    if (phase === 'ended') {
      this.#topics.end(this.#context)
      return this.epilogue.advance(state, this.#ended())
    }
    if (this.#permit !== null) this.#topics.follow(this.#context, state, this.#permit, this.#rounds)
    if (phase === 'idle' || phase === 'statistics') this.#freezeOrOpen(state)
    else if (phase === 'resting' && this.#isOver(state)) this.#endEarly(state)
    else if (phase === 'resting' && this.#context.now >= this.#dueMs(state)) this.#startRound(state)
    else if (phase === 'failed' && this.#context.now >= (retryAtMs ?? 0)) this.#open(state)
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
    if (phase === 'statistics') return this.#freezing.wakeAtMs()
    if (phase === 'ended' && this.#dataset !== null) return this.epilogue.wakeAtMs(state, this.#rounds.base)
    const atMs = phase === 'resting' ? Math.min(this.#dueMs(state), deadlineOf(state) ?? Infinity) : retryAtMs
    // what is due but refused waits for an event; a refusal noted before it was due may be lifted by then
    return atMs !== null && (this.#leaves.refusal === null || atMs > this.#context.now) ? atMs : null
  }

  judge(header: UpdateHeader, facts: UpdateFacts, cell: UpdateTopic): Judgement {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#permit === null || this.#rounds.phase === 'idle') return NOT_RUNNING
    this.arrivals.arrived(header.author, header.digest)
    const expected = expectationOf(state, this.#permit)
    const fault = writingFault(state.study, header, null)
    const judgement = fault ?? this.#topics.judge(header, facts, cell, expected, this.#rounds)
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
    return this.arrivals.announced(state.study, this.#rounds.exchange, expectationOf(state, this.#permit), event)
  }

  opened({ scaling, base, parameters, roundsWithin }: Of<'opened'>): void {
    this.epilogue.opened()
    const state = this.#context.studies.get(this.id)
    if (this.#rounds.phase !== 'opening' || scaling !== this.#permit?.scaling || state === undefined) return
    this.#parameters = parameters
    this.#budget.opened(roundsWithin ?? null)
    this.#keeping.add(base)
    const checkpoint = this.#checkpoint
    const stale = checkpoint === null || checkpoint.round < this.#published
    if (!stale && checkpoint.stage === 'trained' && checkpoint.scaling === scaling && !this.#afresh) {
      const { shared, examples, parents, head } = checkpoint
      this.#head = head
      this.#budget.recall(checkpoint.privacy ?? null)
      this.#rounds.resume(this.#context.now, checkpoint.base, parents, { update: shared, examples })
      return this.#publishAndMerge()
    }
    this.#rounds.begin(Math.max((checkpoint?.round ?? -1) + 1, this.#published + 1), base)
    this.#release()
    if (this.#rounds.round >= state.study.rounds.count) this.#endUnmerged(state, scaling, base)
  }

  trained({ round, update, head, examples, loss, privacy }: Of<'trained'>): void {
    this.#budget.trained(round, privacy ?? null)
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
      drafts: [
        ...trainedDrafts(this.#context, this.id, {
          ...{ round, base, update, head, examples, loss, dataset },
          privacy: this.#budget.claim,
        }),
        ...this.#budget.drafts(this.#context, this.id),
      ],
      checkpoint: this.#checkpointOf('trained', scaling, update, head),
    })
  }

  committed(tag: string): void {
    if (tag === `trained:${this.id}` && this.#rounds.phase === 'recording') this.#publishAndMerge()
    else if (tag === `merged:${this.id}` && this.#rounds.phase === 'closing') this.#completeRound()
  }

  merged(outcome: Extract<NodeEvent, { type: 'merged' }>): void {
    const { round, result } = outcome
    const aside = [...outcome.aside, ...this.#left]
    const without = new Set(aside.flatMap(({ author, reason }) => (reason === 'outlying' ? [] : [author])))
    if (this.#permit === null || !this.#rounds.mergedInto(round, result, without)) return
    this.#keeping.add(result)
    this.#outcome = { ...outcome, aside }
    this.#context.out.push({ type: 'evaluate', permit: this.#permit, round, model: result })
  }

  evaluated(round: number, model: Digest, metrics: Metrics, local: LocalFigures): void {
    if (!this.#rounds.evaluated(round, model)) return
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined && this.#head !== null && this.#permit !== null, 'evaluated what was merged')
    this.#metrics = metrics
    const { plateau } = state.study.end
    this.#standing.note(round, model, metrics, local, plateau?.delta ?? 0)
    const { state: standing } = this.#standing
    invariant(standing !== null, 'just noted')
    const last = this.#rounds.isLast(state.study.rounds.count)
    invariant(this.#outcome !== null, 'evaluated what was merged')
    const facts = { outcome: this.#outcome, taken: this.#rounds.inputs, known: this.#inputs, metrics, standing, last }
    this.#context.out.push({
      type: 'record',
      tag: `merged:${this.id}`,
      drafts: mergedDrafts(this.#context, state, facts),
      checkpoint: this.#checkpointOf(last ? 'ended' : 'merged', this.#permit.scaling, model, this.#head),
    })
    const known = this.#inputs.map(({ author }) => author)
    this.#outliers.note(this.#context, this.id, round, known, this.#outcome.aside)
    if (plateau !== null && !last && this.#standing.isPlateau(plateau.rounds)) this.sayEnough('plateau')
  }

  traced(trace: number, standings: readonly ModelStanding[]): void {
    this.#descent.traced(trace, standings)
  }

  /** What an operator asks for at any time; false where there is no model to evaluate, or no leave. */
  evaluateNow(): boolean {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#checkpoint === null || roundsBehind(this.#checkpoint) === 0) return false
    return this.epilogue.demand(state, this.#ended(), this.#rounds.phase === 'ended')
  }

  failed(round: number, code: string): void {
    if (this.#rounds.phase === 'ended') return this.epilogue.openingFailed(code)
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
      cell: this.#topics.view(),
      behind: roundsBehind(this.#checkpoint),
      rows: this.#dataset?.rows ?? null,
      refusal: this.#leaves.refusal,
      metrics: this.#metrics,
      standing: this.#standing.state,
      model: base,
      inputs: this.#inputs,
      roundsLeft: this.#budget.roundsLeft,
      privacy: this.#budget.claim,
      outliers: this.#outliers.repeated(),
      excluded: [...this.#excluded].sort(),
      evaluating: this.#isEvaluating(),
      held: exchange.held.map(({ author, round }) => ({ author, round })),
      ...this.arrivals.view(),
    }
  }

  #excludedOf(inputs: readonly MergeInput[]): SetAside[] {
    const out = inputs.filter(({ author }) => this.#excluded.has(author))
    return out.map(({ author }) => ({ author, reason: 'excluded' }))
  }

  #isEvaluating(): boolean {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#dataset === null || this.#rounds.phase !== 'ended') return false
    return this.epilogue.isPending(state, this.#rounds.base)
  }

  #ended() {
    const leave = (): Permit | null => this.#leave(this.#context.studies.get(this.id))
    return { model: this.#rounds.base, scaling: this.#checkpoint?.scaling ?? null, others: this.#others(), leave }
  }

  #others() {
    return newestOf(this.#checkpoint?.others ?? [], this.#rounds.exchange.held)
  }

  /** Frozen already: open. Everybody's statistics here, or the deadline past: freeze. */
  #freezeOrOpen(state: StudyState): void {
    if (!state.accepted.has(this.#context.self)) return
    if (this.#checkpoint === null && this.#isOver(state))
      return this.#leaves.refuse('study-over', 'it was over before it began here')
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
    this.#topics.follow(this.#context, state, leave, this.#rounds)
    this.#rounds.wait('opening')
    this.#context.out.push({
      type: 'open-study',
      permit: leave,
      start: this.#checkpoint === null || this.#afresh ? 'initial' : 'resume',
      ...this.#budget.spent(this.#context, state),
    })
  }

  #startRound(state: StudyState): void {
    const leave = this.#leave(state, this.#budget.roundsLeft)
    if (leave === null) return
    if (leave.scaling !== this.#permit?.scaling || leave.dataset !== this.#permit.dataset) return this.#open(state)
    this.#permit = leave
    this.#rounds.start(this.#context.now)
    const { round, base } = this.#rounds
    const spent = this.#budget.spent(this.#context, state)
    this.#context.out.push({ type: 'train', permit: leave, round, base, ...spent })
  }

  /** The permit, or null with the refusal noted; what is refused is tried again when something changes. `roundsLeft` of who would train. */
  #leave(state: StudyState | undefined, roundsLeft: number | null = null): Permit | null {
    const dataset = this.#dataset?.commitment ?? null
    const base = this.#rounds.base ?? this.#checkpoint?.shared ?? null
    const withdrawn = this.#descent.refusal(this.#context, this.id, base, () => this.#rounds.exchange.held)
    return this.#leaves.ask({ study: state, dataset, pauseAsked: this.#pauseAsked === true, withdrawn, roundsLeft })
  }

  #isOver(state: StudyState): boolean {
    const { roll, now } = this.#context
    return whyOver(state, (member) => roll.isMember(member), now) !== null
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
    const { round, base, parents, own } = this.#rounds.publish(
      state.study.merge.ageRoundsMax,
      undefined,
      this.#descent.mayMerge(),
    )
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
      privacy: this.#budget.claim,
    }
    this.#context.out.push({ type: 'publish-update', permit: this.#permit, claims })
    const { inputs } = this.#rounds
    this.#inputs = inputs
    this.#company.note(this.#context, this.id, round, inputs.length - 1)
    this.#left = this.#excludedOf(inputs)
    const merging = inputs.filter(({ author }) => !this.#excluded.has(author))
    this.#context.out.push({
      type: 'merge',
      permit: this.#permit,
      round,
      own: this.#context.self,
      base,
      inputs: merging,
    })
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

  /** The last round's update cannot be merged any more, for its scaling was replaced or its weights are lost: the study ends with what was trained. */
  #endUnmerged(state: StudyState, scaling: Digest, model: Digest): void {
    this.#rounds.wait('ended')
    this.#end(state, scaling, model)
  }

  #end(state: StudyState, scaling: Digest, model: Digest): void {
    if (this.#checkpoint !== null) this.#checkpoint = { ...this.#checkpoint, stage: 'ended', scaling, shared: model }
    const rounds = this.#rounds.round
    const drafts = endedDrafts(this.#context, state, rounds, model, this.#standing.state)
    this.#context.out.push({ type: 'record', tag: `ended:${this.id}`, drafts, checkpoint: this.#checkpoint })
    this.#context.tell('info', 'study-ended', { study: this.id, rounds, model })
    this.#release()
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
      ...(this.#budget.claim === null ? {} : { privacy: this.#budget.claim }),
      ...(stage === 'ended' ? { others: this.#rounds.exchange.held } : {}),
      standing: this.#standing.state,
    }
    this.#checkpoint = checkpoint
    return checkpoint
  }

  /** Lets the shell forget the weights that nothing refers to any more. */
  #release(): void {
    const { base, own, merged, phase, inputs, exchange } = this.#rounds
    const used = new Set<Digest | null | undefined>([base, own?.update, merged])
    for (const { digest } of exchange.held) used.add(digest)
    for (const digest of this.#topics.held) used.add(digest)
    if (phase === 'merging') for (const { digest } of inputs) used.add(digest)
    const forget = this.#keeping.release(this.id, used)
    if (forget !== null) this.#context.out.push(forget)
  }
}
