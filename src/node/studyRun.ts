/**
 * One study at one node: bind → statistics → scaling → rounds → end. A round is base, train, record, publish, merge, evaluate,
 * record (ARCHITECTURE §2); what depends on a durable write waits for its `committed`.
 */
import { fromHex } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { Exchange, type Expectation, type Judgement, type MergeInput, nextRound } from '../gossip/exchange.ts'
import type { UpdateFacts, UpdateHeader } from '../gossip/update.ts'
import { type Permit, permit } from '../governance/permit.ts'
import { betterScaling, proposalFrom, type StudyState } from '../governance/studies.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Context } from './context.ts'
import type { BoundDataset, Metrics } from './events.ts'

export type Phase = 'idle' | 'statistics' | 'opening' | 'training' | 'recording' | 'merging' | 'evaluating' | 'closing' | 'resting' | 'failed' | 'ended'

/** After a failure of the learner, how long until it is tried again: long enough not to spin, short enough for an unattended night. */
const RETRY_MS = 30_000

export class StudyRun {
  readonly id: StudyId
  readonly #context: Context
  readonly #exchange = new Exchange()
  #phase: Phase = 'idle'
  #dataset: BoundDataset | null = null
  #statisticsDeadlineMs: number | null = null
  #proposed = false
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
  #aloneSince: number | null = null

  constructor(id: StudyId, context: Context) {
    this.id = id
    this.#context = context
  }

  /** Takes up what was stored: a bound table, and how far the rounds had come. */
  restore(dataset: BoundDataset | null, checkpoint: Checkpoint | null): void {
    this.#dataset = dataset
    this.#checkpoint = checkpoint
    if (checkpoint === null) return
    this.#round = checkpoint.round
    if (checkpoint.stage === 'ended') {
      this.#phase = 'ended'
      this.#base = checkpoint.shared
    }
  }

  bind(dataset: BoundDataset): void {
    const { drafts } = this.#bindingEntries(dataset)
    this.#dataset = dataset
    this.#context.record(`bound:${this.id}`, drafts)
  }

  /** Moves on wherever that is possible now; called after every event that may have changed something. */
  advance(): void {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#dataset === null) return
    if (this.#phase === 'idle' || this.#phase === 'statistics') this.#freezeOrOpen(state)
    else if (this.#phase === 'resting' && this.#context.now >= this.#dueMs(state)) this.#startRound(state)
    else if (this.#phase === 'failed' && this.#context.now >= (this.#retryAtMs ?? 0)) this.#open(state)
  }

  /** When `advance` has something to do without any other event; null when only an event can help. */
  wakeAtMs(): number | null {
    const state = this.#context.studies.get(this.id)
    if (state === undefined) return null
    if (this.#phase === 'statistics') return this.#proposed ? null : this.#statisticsDeadlineMs
    if (this.#phase === 'resting' && this.#refusal === null) return this.#dueMs(state)
    if (this.#phase === 'failed') return this.#retryAtMs
    return null
  }

  judge(header: UpdateHeader, facts: UpdateFacts): Judgement {
    const state = this.#context.studies.get(this.id)
    if (state === undefined || this.#permit === null || this.#phase === 'idle') return { verdict: 'ignore', reason: 'study-not-running' }
    const judgement = this.#exchange.judge(header, facts, this.#expectation(state), this.#round)
    if (judgement.verdict === 'accept' && judgement.displaced !== null) this.#forgetUnused([judgement.displaced])
    return judgement
  }

  opened(scaling: Digest, base: Digest, parameters: number): void {
    if (this.#phase !== 'opening' || scaling !== this.#permit?.scaling) return
    this.#parameters = parameters
    this.#base = base
    const checkpoint = this.#checkpoint
    if (checkpoint?.stage === 'trained' && checkpoint.scaling === scaling) {
      this.#base = checkpoint.base
      this.#parents = checkpoint.parents
      this.#own = { update: checkpoint.shared, examples: checkpoint.examples, head: checkpoint.head }
      this.#roundStartedMs = this.#context.now
      this.#publishAndMerge()
      return
    }
    if (checkpoint !== null) this.#round = checkpoint.round + 1
    this.#rest()
  }

  trained(round: number, update: Digest, head: Digest, examples: number, loss: number): void {
    if (this.#phase !== 'training' || round !== this.#round) return
    const state = this.#context.studies.get(this.id)
    const leave = this.#leave(state)
    if (leave === null || state === undefined) return this.#rest() // restricted while training: nothing is published
    invariant(this.#base !== null && this.#dataset !== null, 'a round has a base and a table')
    this.#own = { update, examples, head }
    this.#phase = 'recording'
    const dataset = fromHex(this.#dataset.commitment)
    const base = fromHex(this.#base)
    this.#context.out.push({
      type: 'record',
      tag: `trained:${this.id}`,
      drafts: [
        this.#context.draft('round.trained', this.id, { round, base, update: fromHex(update), head: fromHex(head), examples, loss, dataset }),
        this.#context.draft('round.published', this.id, { round, update: fromHex(update) }),
      ],
      checkpoint: this.#checkpointOf('trained', leave.scaling, update, head),
    })
  }

  committed(tag: string): void {
    if (tag === `trained:${this.id}` && this.#phase === 'recording') this.#publishAndMerge()
    else if (tag === `merged:${this.id}` && this.#phase === 'closing') this.#completeRound()
  }

  merged(round: number, result: Digest, coefficients: readonly number[]): void {
    if (this.#phase !== 'merging' || round !== this.#round || this.#permit === null) return
    this.#merged = { result, coefficients }
    this.#phase = 'evaluating'
    this.#context.out.push({ type: 'evaluate', permit: this.#permit, round, model: result })
  }

  evaluated(round: number, model: Digest, metrics: Metrics): void {
    if (this.#phase !== 'evaluating' || round !== this.#round) return
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined && this.#merged !== null && this.#own !== null && this.#permit !== null, 'evaluated what was merged')
    this.#metrics = metrics
    this.#phase = 'closing'
    const { result, coefficients } = this.#merged
    const inputs = this.#inputs.map(
      (input, i) => [fromHex(input.author), input.round, fromHex(input.digest), coefficients[i] as number] as [Uint8Array, number, Uint8Array, number],
    )
    const shown = metrics.examples >= state.study.minimumCohort
    const { auc, accuracy, logLoss, calibrationError } = metrics
    const measures = shown
      ? { examples: metrics.examples, auc, accuracy, logLoss, calibrationError }
      : { examples: null, auc: null, accuracy: null, logLoss: null, calibrationError: null }
    this.#context.out.push({
      type: 'record',
      tag: `merged:${this.id}`,
      drafts: [
        this.#context.draft('round.merged', this.id, { round, rule: state.study.merge.rule, inputs, result: fromHex(result) }),
        this.#context.draft('round.evaluated', this.id, { round, model: fromHex(model), ...measures }),
        ...(this.#isLast(state) ? [this.#context.draft('study.ended', this.id, { rounds: round + 1, model: fromHex(result) })] : []),
      ],
      checkpoint: this.#checkpointOf(this.#isLast(state) ? 'ended' : 'merged', this.#permit.scaling, result, this.#own.head),
    })
  }

  failed(code: string): void {
    if (this.#phase === 'ended') return
    this.#phase = 'failed'
    this.#retryAtMs = this.#context.now + RETRY_MS
    this.#context.tell('warn', 'study-failed', { study: this.id, round: this.#round, code, retryInMs: RETRY_MS })
  }

  /** For people and tests; plain data. */
  view(): {
    phase: Phase
    round: number
    rows: number | null
    refusal: string | null
    metrics: Metrics | null
    model: Digest | null
    inputs: readonly MergeInput[]
    held: { author: MemberId; round: number }[]
  } {
    return {
      phase: this.#phase,
      round: this.#round,
      rows: this.#dataset?.rows ?? null,
      refusal: this.#refusal,
      metrics: this.#metrics,
      model: this.#base,
      inputs: this.#inputs,
      held: [...this.#exchange.held].map(([author, { round }]) => ({ author, round })),
    }
  }

  #bindingEntries(dataset: BoundDataset) {
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined, 'a table is bound to a known study')
    const { rows, trainRows, commitment, statistics } = dataset
    const drafts = [this.#context.draft('dataset.bound', this.id, { rows, trainRows, commitment: fromHex(commitment) })]
    const contribute = state.scaling === null && !state.statistics.has(this.#context.self)
    if (contribute) {
      const { count, sum, sumOfSquares } = statistics
      const body = { rows: trainRows, count: [...count], sum: [...sum], sumOfSquares: [...sumOfSquares] }
      drafts.push(this.#context.draft('study.statistics', this.id, body))
    }
    return { drafts }
  }

  /** Frozen already: open. Everybody's statistics here, or the deadline past: freeze. */
  #freezeOrOpen(state: StudyState): void {
    if (!state.accepted.has(this.#context.self)) return
    if (state.scaling !== null) return this.#open(state)
    if (!state.statistics.has(this.#context.self)) return
    this.#phase = 'statistics'
    this.#statisticsDeadlineMs ??= this.#context.now + state.study.statistics.deadlineSeconds * 1000
    const complete = state.statistics.size === this.#context.members.length
    if (this.#proposed || (!complete && this.#context.now < this.#statisticsDeadlineMs)) return
    this.#proposed = true
    const { proposal, refs } = proposalFrom(state)
    if (!betterScaling(proposal, state.scaling)) return
    this.#context.record(`scaling:${this.id}`, [this.#context.draft('study.scaling', this.id, { digest: fromHex(proposal.digest) }, refs)])
    this.#context.tell('info', 'scaling-proposed', { study: this.id, contributions: refs.length, complete })
  }

  #open(state: StudyState): void {
    const leave = this.#leave(state)
    if (leave === null) return
    const before = this.#permit?.scaling ?? this.#checkpoint?.scaling ?? null
    if (before !== null && before !== leave.scaling) {
      this.#context.tell('info', 'scaling-replaced', { study: this.id, scaling: leave.scaling })
      this.#forgetUnused(this.#exchange.clear())
    }
    this.#permit = leave
    this.#phase = 'opening'
    this.#context.out.push({ type: 'open-study', permit: leave, start: this.#checkpoint === null ? 'initial' : 'resume' })
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
    const decision = permit({ self: this.#context.self, study: state, dataset: this.#dataset?.commitment ?? null })
    if ('permit' in decision) {
      this.#refusal = null
      return decision.permit
    }
    if (this.#refusal !== decision.refusal.code) this.#context.tell('info', 'round-refused', { study: this.id, ...decision.refusal })
    this.#refusal = decision.refusal.code
    return null
  }

  #publishAndMerge(): void {
    invariant(this.#permit !== null && this.#own !== null && this.#base !== null, 'published what was recorded')
    const { update, examples } = this.#own
    const header: UpdateHeader = {
      study: this.id,
      author: this.#context.self,
      round: this.#round,
      examples,
      scaling: this.#permit.scaling,
      base: this.#base,
      parents: this.#parents.slice(0, LIMITS.updateParentsMax),
      digest: update,
      parameters: this.#parameters,
    }
    this.#context.out.push({ type: 'publish-update', permit: this.#permit, header })
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined, 'the study of a round is known')
    const own = { author: this.#context.self, round: this.#round, digest: update, examples, ageRounds: 0 }
    this.#inputs = this.#exchange.inputs(own, state.study.merge.ageRoundsMax)
    this.#noteCompany()
    this.#phase = 'merging'
    this.#context.out.push({ type: 'merge', permit: this.#permit, round: this.#round, inputs: this.#inputs })
  }

  /** Says once when a node begins to train alone, and once when others are heard again. */
  #noteCompany(): void {
    const alone = this.#inputs.length === 1
    if (alone && this.#aloneSince === null) {
      this.#aloneSince = this.#round
      this.#context.tell('info', 'training-alone', { study: this.id, round: this.#round })
    } else if (!alone && this.#aloneSince !== null) {
      this.#aloneSince = null
      this.#context.tell('info', 'training-together', { study: this.id, round: this.#round, others: this.#inputs.length - 1 })
    }
  }

  #completeRound(): void {
    const state = this.#context.studies.get(this.id)
    invariant(state !== undefined && this.#merged !== null && this.#own !== null, 'a complete round was merged')
    const free = [this.#base, this.#own.update].filter((digest): digest is Digest => digest !== null)
    this.#base = this.#merged.result
    this.#parents = this.#inputs.map((input) => input.digest)
    if (this.#isLast(state)) {
      this.#phase = 'ended'
      this.#context.tell('info', 'study-ended', { study: this.id, rounds: this.#round + 1, model: this.#base })
    } else {
      const heard = this.#inputs.filter((input) => input.author !== this.#context.self).map((input) => input.round)
      const next = Math.min(nextRound(this.#round, heard), state.study.rounds.count - 1)
      this.#exchange.shift(this.#round + 1, next)
      if (next > this.#round + 1) this.#context.tell('info', 'rounds-caught-up', { study: this.id, from: this.#round, to: next })
      this.#round = next
      this.#rest()
    }
    this.#own = null
    this.#merged = null
    this.#forgetUnused(free)
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

  #expectation(state: StudyState): Expectation {
    invariant(this.#permit !== null, 'a running study has a permit')
    const { study } = state
    return {
      parameters: this.#parameters,
      scaling: this.#permit.scaling,
      rounds: study.rounds.count,
      accepted: state.accepted,
      ageRoundsMax: study.merge.ageRoundsMax,
    }
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
    }
    this.#checkpoint = checkpoint
    return checkpoint
  }

  /** Forgets weights unless a merge under way still reads them. */
  #forgetUnused(digests: readonly Digest[]): void {
    const used = new Set<Digest>([...this.#inputs.map((input) => input.digest), ...[this.#base, this.#own?.update, this.#merged?.result].filter((d) => d != null)])
    for (const held of this.#exchange.held.values()) used.add(held.digest)
    const free = digests.filter((digest) => !used.has(digest))
    if (free.length > 0) this.#context.out.push({ type: 'forget', study: this.id, digests: free })
  }
}
