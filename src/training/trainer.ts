/** Carries out the machine's study actions for any shell: opens the learner on the hospital's table, trains, merges, evaluates, checkpoints. */
import { toldCount } from '../config/consent.ts'
import { modelOf, type Study } from '../config/study.ts'
import { floatBytes, taggedDigest } from '../core/digest.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { PrivacySteps } from '../core/privacy.ts'
import type { Scaling } from '../core/statistics.ts'
import { toldOf } from '../core/told.ts'
import type { Dataset } from '../data/dataset.ts'
import { CODING, encodeFloat32 } from '../gossip/coding/coding.ts'
import type { Parts } from '../gossip/partial.ts'
import { checkTrained } from '../gossip/update.ts'
import { evaluate, evaluateTold } from '../learn/evaluate.ts'
import { labelsInUse } from '../learn/inUse.ts'
import type { OpenRequest, TrainResult, Weights } from '../learn/learner.ts'
import { initialWeights } from '../learn/model.ts'
import { driftOf, steered, UNSTEERED } from '../learn/steering.ts'
import type { Action } from '../node/actions.ts'
import type { Checkpoint } from '../node/checkpoint.ts'
import type { NodeEvent } from '../node/events.ts'
import type { AloneParts } from './alone.ts'
import { assess, type Labels } from './assess.ts'
import { type CompleteModel, Evaluator } from './evaluator.ts'
import { type LocalState, NO_LOCAL_STATE } from './localState.ts'
import { mergeJudged } from './mergeJudged.ts'
import { type AskPermitted, openRequest, type PermittedTable } from './openRequest.ts'
import { partsAmong, partsTaken } from './partialInputs.ts'
import { trainRound } from './roundTraining.ts'
import type { StoredCheckpoint } from './storedCheckpoint.ts'
import { UpdateCoder, type Written } from './updateCoder.ts'
import type { WeightStore } from './weightStore.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

/** What is private to this hospital in one study. */
interface Private {
  readonly head: Float32Array
  readonly optimiser: Uint8Array
  readonly local: LocalState
}

/** What is known of a study since it was opened. */
interface Opened {
  readonly backend: string
  readonly why: string
  readonly rows: number
  readonly labels: Labels
  readonly dataset: Dataset
  /** What it was opened with, of which table, and how that was scaled. */
  readonly request: OpenRequest
  readonly table: Dataset | null
  readonly scaling: Scaling
  /** Whose word it rests on; null where the study asks nobody. */
  readonly root: Digest | null
}

const OTHERS_BYTES_MAX = 8_388_608 // of updates in the last checkpoint of a study: 128 hospitals' of 16,000 parameters each

/** What a trainer works with. `study` is asked for studies with a permit alone; `tell` writes to the log, so no rows and no weights. */
export interface TrainerParts extends AloneParts {
  readonly weights: WeightStore
  readonly loadDataset: (study: StudyId) => Promise<Dataset>
  /** Null where no study asks patients. */
  readonly permitted: AskPermitted | null
  readonly study: (study: StudyId) => { readonly study: Study; readonly scaling: Scaling }
  /** The hospital's own bound on ε in private studies, or null. */
  readonly epsilonMax: number | null
  /** Salts the digests of private heads, so that a head of one number cannot be guessed from its digest. */
  readonly headSalt: Uint8Array
  /** Weights of an update that are in memory no more, from where they are kept; null where they are lost. */
  readonly kept: (study: StudyId, digest: Digest) => Promise<Float32Array | null>
  /** What is here, at this moment, of an update that is being fetched; null where nothing can be read of it yet. */
  readonly partsOf: (study: StudyId, author: MemberId, digest: Digest) => Parts | null
  /** Awaited every few milliseconds of work in this thread. */
  readonly breathe: () => Promise<void>
}

/** Work to be done now or later, whose weights are taken already. Its event is for the machine. Errors: the learner's, `data-…`, `training-diverged`. */
export type Job = () => Promise<NodeEvent>

/** One per start of a node; `stored` is what the last one left. */
export class Trainer {
  readonly #parts: TrainerParts
  readonly #evaluator: Evaluator
  readonly #private = new Map<StudyId, Private>()
  readonly #coder = new UpdateCoder()
  readonly #stored = new Map<StudyId, StoredCheckpoint>()
  readonly #opened = new Map<StudyId, Opened>()
  /** What patients said when they were last asked. */
  readonly #permitted = new Map<StudyId, Pick<PermittedTable, 'dataset' | 'table' | 'root'>>()
  /** The newest of each study that is not in the middle of a round. */
  readonly #complete = new Map<StudyId, StoredCheckpoint>()

  constructor(parts: TrainerParts, stored: readonly StoredCheckpoint[]) {
    this.#parts = parts
    this.#evaluator = new Evaluator({
      ...parts,
      opened: (study) => this.#openedOf(study),
      model: (study) => this.model(study, 'newest'),
    })
    for (const one of stored) {
      const { study } = one.checkpoint
      this.#keep(one)
      this.#private.set(study, { head: one.head, optimiser: one.optimiser, local: one.local })
      this.#coder.restore(study, one.checkpoint.shared, one.coding)
      for (const weights of [one.shared, ...one.others]) parts.weights.put(study, weights)
    }
  }

  /** Whose rows may be used now; where they are others than before, and enough, the learner goes on with those. */
  consult({ permit, atMs, words, spent = [] }: Of<'consult-consent'>): Job {
    const { study } = permit
    return async () => {
      invariant(this.#parts.permitted !== null, 'who asks patients can ask the vault')
      const { dataset, table, changesAtMs, ...consulted } = await this.#parts.permitted({ study, atMs, words })
      this.#permitted.set(study, { dataset, table, root: consulted.root })
      const event = { type: 'consulted', study, dataset: permit.dataset, consulted, changesAtMs } as const
      const opened = this.#opened.get(study)
      const isEnough = consulted.patients >= this.#parts.study(study).study.minimumCohort && consulted.testRows > 0
      if (opened === undefined || !isEnough) return event
      if (opened.dataset === dataset) {
        this.#opened.set(study, { ...opened, root: consulted.root }) // the same rows, on other words
        return event
      }
      const { roundsWithin } = await this.#openLearner(study, spent)
      return roundsWithin === undefined ? event : { ...event, roundsWithin }
    }
  }

  open({ permit, start, spent = [] }: Of<'open-study'>): Job {
    const { study } = this.#parts.study(permit.study)
    const model = modelOf(study)
    return async () => {
      const { roundsWithin, columns } = await this.#openLearner(permit.study, spent)
      const first = initialWeights(model, columns, permit.study)
      const stored = start === 'resume' ? this.#stored.get(permit.study) : undefined
      if (stored === undefined) {
        this.#private.set(permit.study, { head: first.head, optimiser: new Uint8Array(0), local: NO_LOCAL_STATE })
        this.#coder.forget(permit.study)
      }
      const base = this.#parts.weights.put(permit.study, stored?.shared ?? first.shared)
      const { study: id, scaling: digest } = permit
      const event = { type: 'opened', study: id, scaling: digest, base, parameters: first.shared.length } as const
      return roundsWithin === undefined ? event : { ...event, roundsWithin }
    }
  }

  train({ permit, round, base, spent }: Of<'train'>): Job {
    invariant(base !== null, 'an opened study has a base')
    const { study } = permit
    const { training } = this.#parts.study(study).study
    const own = this.#privateOf(study)
    const shared = this.#parts.weights.get(study, base)
    const described = this.#parts.study(study).study
    const seed = `${study}/${permit.dataset}/${round}`
    const { backend, rows, root } = this.#openedOf(study)
    invariant(root === permit.consent, 'what trains is what patients permitted')
    // after rounds away from the others what was merged last says nothing of the next step
    const steering = own.local.steeredRound === round - 1 ? own.local.steering : UNSTEERED
    const drift = driftOf(training, steering)
    const request = {
      ...{ study, base: { shared, head: own.head }, optimiser: own.optimiser, seed },
      ...(training.proximal > 0 ? { pull: { anchor: shared, strength: training.proximal } } : {}),
      ...(drift === undefined ? {} : { drift }),
      ...(spent === undefined ? {} : { spent }),
    }
    const onWhat = root === null ? '' : `/${root}` // what was begun on other patients' words is begun anew
    return async () => {
      const mark = `${seed}/${base}/${backend}${onWhat}`
      const trained = await trainRound(this.#parts, { request, training, rows, mark })
      const { weights, loss, privacy } = trained
      const examples = toldCount(described, trained.examples)
      checkTrained(weights.shared, loss)
      const coded = this.#coder.code(study, described, round, weights.shared, seed)
      checkTrained(coded.weights, loss)
      const update = this.#parts.weights.put(study, coded.weights) // what merges here is what the others read
      this.#coder.keep(study, update, coded)
      const made = { base: training.momentum > 0 ? shared : null, update, steps: trained.place.steps }
      const local = { ...own.local, steering, made }
      this.#private.set(study, { head: weights.head, optimiser: trained.optimiser, local })
      const headDigest = taggedDigest('head', this.#parts.headSalt, floatBytes(weights.head))
      const event = { type: 'trained', study, round, update, head: headDigest, examples, loss } as const
      return privacy === undefined ? event : { ...event, privacy }
    }
  }

  /** The parts of what is on its way are those that are here now. */
  merge({ permit, round, inputs, partial = [], own, base }: Of<'merge'>): Job {
    const { study } = this.#parts.study(permit.study)
    const { weights } = this.#parts
    const weighed = inputs.map((input) => ({ ...input, weights: weights.get(permit.study, input.digest) }))
    const mine = weighed.find(({ author }) => author === own)
    invariant(mine !== undefined, 'the own update is merged')
    const reference = weights.has(permit.study, base) ? weights.get(permit.study, base) : mine.weights // lost with a stop
    const { head } = this.#privateOf(permit.study)
    const labels = this.#judging(permit.study, study)
    const parts = partsAmong(partial, ({ author, digest }) => this.#parts.partsOf(permit.study, author, digest))
    const merging = { rule: study.merge, inputs: weighed, partial: parts, own, reference, labels }
    const logits = (shared: Float32Array) => this.#parts.learner.logits(permit.study, { shared, head }, 'validation')
    return async () => {
      const { merged, left } = await mergeJudged(merging, logits)
      this.#steer(permit.study, round, merged.weights)
      const result = weights.put(permit.study, merged.weights)
      const { coefficients, applied: by } = merged
      const aside = [...left, ...merged.outlying.map((author) => ({ author, reason: 'outlying' as const }))]
      const event = { type: 'merged', study: permit.study, round, result, coefficients, by, aside } as const
      return merged.partial.length === 0 ? event : { ...event, parts: partsTaken(merged, parts) }
    }
  }

  evaluate({ permit, round, model }: Of<'evaluate'>): Job {
    const { study } = permit
    const weights = { shared: this.#parts.weights.get(study, model), head: this.#privateOf(study).head }
    return async () => {
      const metrics = await this.#measured(study, weights)
      const { labels } = this.#openedOf(study)
      const figures = await assess(this.#parts.learner, study, weights, labels, (logits) => this.#judged(study, logits))
      const personal = await this.#personal(study, `${study}/${permit.dataset}/${round}/personal`, weights)
      return { type: 'evaluated', study, round, model, metrics, local: { ...figures, personal } }
    }
  }

  /** Opens the learner on the rows that may be used: all of the table, or those that patients permitted when they were last asked. */
  async #openLearner(id: StudyId, spent: readonly PrivacySteps[]) {
    const { study, scaling } = this.#parts.study(id)
    const permitted = study.consent === null ? null : this.#permitted.get(id)
    invariant(permitted !== undefined, 'patients were asked before their rows are opened')
    const dataset = permitted?.dataset ?? (await this.#parts.loadDataset(id))
    const { epsilonMax } = this.#parts
    const table = permitted?.table ?? null
    const last = this.#opened.get(id)
    const before = table !== null && last?.table === table && last.scaling === scaling ? last.request : null
    const request = openRequest({ id, study, scaling, dataset, table, before, spent, epsilonMax })
    const { backend, why, roundsWithin } = await this.#parts.learner.open(request)
    invariant((roundsWithin === undefined) === (study.privacy === null), 'a private study has a private learner')
    const { trainRows, labels } = labelsInUse(request)
    const of = { dataset, table, scaling, root: permitted?.root ?? null }
    this.#opened.set(id, { backend, why, rows: trainRows, labels, request, ...of })
    const { columns } = request.train
    const validationRows = labels.apart ? labels.validation.length : 0
    const rows = { trainRows, validationRows, testRows: labels.test.length }
    this.#parts.tell('info', 'study-opened', { study: id, backend, why, ...rows, columns })
    return { roundsWithin, columns }
  }

  /** Of the newest complete model, not of the round that is under way. */
  assess(action: Of<'measure' | 'cross'>): Job {
    return this.#evaluator.begin(action)
  }

  /**
   * One round of the personal model, drawn to the merged one (Ditto, Li et al. 2021, Alg. 1), and its measures; null where the study wants none.
   * Where it diverges it begins anew from the merged model.
   */
  async #personal(study: StudyId, seed: string, merged: Weights): Promise<Metrics | null> {
    const { personal: wanted } = this.#parts.study(study).study
    const own = this.#privateOf(study)
    if (wanted === null) return null
    const { weights: base, optimiser } = own.local.personal ?? { weights: merged, optimiser: new Uint8Array(0) }
    const pull = { anchor: merged.shared, strength: wanted.proximal }
    const stepsMax = own.local.made?.steps ?? Number.MAX_SAFE_INTEGER // no longer than the shared one had
    let trained: Pick<TrainResult, 'weights' | 'optimiser'>
    try {
      trained = await this.#parts.learner.train({ study, base, optimiser, seed, pull, stepsMax })
    } catch (error) {
      if (!(error instanceof ConsiliumError) || error.code !== 'learner-diverged') throw error
      trained = { weights: merged, optimiser: new Uint8Array(0) }
    }
    const { weights } = trained
    const personal = { weights, optimiser: trained.optimiser }
    this.#private.set(study, { ...own, local: { ...own.local, personal } })
    return this.#measured(study, weights)
  }

  /** On the held-out rows: where patients are asked, on those that may be told of. */
  async #measured(study: StudyId, weights: Weights): Promise<Metrics> {
    const { learner } = this.#parts
    if (this.#parts.study(study).study.consent === null) return learner.evaluate(study, weights)
    return this.#judged(study, await learner.logits(study, weights, 'test'))
  }

  #judged(id: StudyId, logits: ArrayLike<number>): Metrics {
    const { consent, minimumCohort } = this.#parts.study(id).study
    const { labels, dataset } = this.#openedOf(id)
    if (consent === null) return evaluate(logits, labels.test)
    return evaluateTold(logits, labels.test, toldOf(labels.test, dataset.testRows, minimumCohort))
  }

  /** Momentum and correction after this round's merge. */
  #steer(study: StudyId, round: number, merged: Float32Array): void {
    const { training } = this.#parts.study(study).study
    const own = this.#privateOf(study)
    const { made, steering } = own.local
    if (made === null || (training.momentum === 0 && training.tracking === 0)) return
    const update = this.#parts.weights.get(study, made.update)
    const next = steered(training, steering, { ...made, update, merged })
    this.#private.set(study, { ...own, local: { ...own.local, steering: next, steeredRound: round } })
  }

  /** Labels of the rows that a merge is judged on. What is taken shows in the log, which ε does not cover: of a private study no row that trains. */
  #judging(id: StudyId, { privacy }: Study): Uint8Array | null {
    const labels = this.#opened.get(id)?.labels
    return labels === undefined || (privacy !== null && !labels.apart) ? null : labels.validation
  }

  /** A checkpoint with its numbers, taken now, to be kept together with the entries that tell of it. */
  stored(checkpoint: Checkpoint): StoredCheckpoint {
    const { study, standing } = checkpoint
    const shared = this.#parts.weights.get(study, checkpoint.shared)
    const own = this.#privateOf(study)
    const before = this.#stored.get(study)
    const same = standing?.best.model === before?.checkpoint.standing?.best.model
    // the best changes with a merge alone, and is that merge then
    const best = standing === null ? null : same ? (before?.best ?? null) : { shared, head: own.head }
    const local = { ...own.local, made: checkpoint.stage === 'trained' ? own.local.made : null }
    const coding = this.#coder.stored(study)
    const others = this.#othersOf(checkpoint)
    const stored = { checkpoint, shared, head: own.head, optimiser: own.optimiser, local, best, coding, others }
    this.#keep(stored)
    return stored
  }

  /** The updates that are still to be tested after the end, as far as there is room. */
  #othersOf({ study, others = [] }: Checkpoint): Float32Array[] {
    const found: Float32Array[] = []
    let bytes = 0
    for (const { digest } of others) {
      if (!this.#parts.weights.has(study, digest)) continue
      const weights = this.#parts.weights.get(study, digest)
      bytes += weights.byteLength
      if (bytes > OTHERS_BYTES_MAX) break
      found.push(weights)
    }
    return found
  }

  /** How the own update with these weights was written; float32 is the weights themselves. */
  written(study: StudyId, update: Digest): Written {
    const written = this.#coder.written(study, update)
    if (written !== null) return written
    const payload = encodeFloat32(this.#parts.weights.get(study, update))
    return { coding: CODING.float32, reference: null, payload }
  }

  /** The newest complete model of a study at this hospital, or the best so far: merged weights with the private head. */
  model(study: StudyId, which: 'newest' | 'best'): CompleteModel | null {
    const stored = this.#complete.get(study)
    if (stored === undefined) return null
    const { checkpoint, shared, head, best } = stored
    const { standing } = checkpoint
    if (which === 'best' && best !== null && standing !== null)
      return { round: standing.best.round, digest: standing.best.model, weights: best }
    return { round: checkpoint.round, digest: checkpoint.shared, weights: { shared, head } }
  }

  /** What trains a study, and why; null before it is opened. */
  learner(study: StudyId): { readonly backend: string; readonly why: string } | null {
    return this.#opened.get(study) ?? null
  }

  /** The newest personal model; null where there is none. */
  personal(study: StudyId): Weights | null {
    return this.#complete.get(study)?.local.personal?.weights ?? null
  }

  #keep(stored: StoredCheckpoint): void {
    const { study, stage } = stored.checkpoint
    this.#stored.set(study, stored)
    if (stage !== 'trained') this.#complete.set(study, stored)
  }

  #openedOf(study: StudyId): Opened {
    const opened = this.#opened.get(study)
    invariant(opened !== undefined, 'what trains was opened')
    return opened
  }

  #privateOf(study: StudyId): Private {
    const mine = this.#private.get(study)
    invariant(mine !== undefined, 'an opened study has a private head')
    return mine
  }
}
