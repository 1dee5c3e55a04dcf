/** Carries out the machine's study actions for any shell: opens the learner on the hospital's table, trains, merges, evaluates, checkpoints. */
import { modelOf, type Study } from '../config/study.ts'
import { floatBytes, taggedDigest } from '../core/digest.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { Scaling } from '../core/statistics.ts'
import type { Dataset } from '../data/dataset.ts'
import { designMatrix } from '../data/design.ts'
import { checkTrained } from '../gossip/update.ts'
import type { Learner } from '../learn/learner.ts'
import { initialWeights } from '../learn/model.ts'
import type { Action } from '../node/actions.ts'
import type { Checkpoint } from '../node/checkpoint.ts'
import type { NodeEvent } from '../node/events.ts'
import { type CompleteModel, Evaluator } from './evaluator.ts'
import { mergeJudged } from './mergeJudged.ts'
import { privateTraining } from './privateTraining.ts'
import type { StoredCheckpoint } from './storedCheckpoint.ts'
import type { WeightStore } from './weightStore.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

/** What is private to this hospital in one study. */
interface Private {
  readonly head: Float32Array
  readonly optimiser: Uint8Array
}

/** What a trainer works with. `study` is asked for studies with a permit alone; `tell` writes to the log, so no rows and no weights. */
export interface TrainerParts {
  readonly learner: Learner
  readonly weights: WeightStore
  readonly loadDataset: (study: StudyId) => Promise<Dataset>
  readonly study: (study: StudyId) => { readonly study: Study; readonly scaling: Scaling }
  /** The hospital's own bound on ε in private studies, or null. */
  readonly epsilonMax: number | null
  /** Salts the digests of private heads, so that a head of one number cannot be guessed from its digest. */
  readonly headSalt: Uint8Array
  /** Weights of an update that are in memory no more, from where they are kept; null where they are lost. */
  readonly kept: (study: StudyId, digest: Digest) => Promise<Float32Array | null>
  /** Awaited every few milliseconds of work in this thread. */
  readonly breathe: () => Promise<void>
  readonly tell: (level: 'info', event: string, facts: Record<string, string | number>) => void
}

/** Work to be done now or later, whose weights are taken already. Its event is for the machine. Errors: the learner's, `data-…`, `training-diverged`. */
export type Job = () => Promise<NodeEvent>

/** One per start of a node; `stored` is what the last one left. */
export class Trainer {
  readonly #parts: TrainerParts
  readonly #evaluator: Evaluator
  readonly #private = new Map<StudyId, Private>()
  /** Labels of the rows that merges are judged on. */
  readonly #validation = new Map<StudyId, Uint8Array>()
  readonly #stored = new Map<StudyId, StoredCheckpoint>()
  /** The newest of each study that is not in the middle of a round. */
  readonly #complete = new Map<StudyId, StoredCheckpoint>()

  constructor(parts: TrainerParts, stored: readonly StoredCheckpoint[]) {
    this.#parts = parts
    this.#evaluator = new Evaluator({ ...parts, model: (study) => this.model(study) })
    for (const one of stored) {
      const { study } = one.checkpoint
      this.#keep(one)
      this.#private.set(study, { head: one.head, optimiser: one.optimiser })
      parts.weights.put(study, one.shared)
    }
  }

  open({ permit, start, spent = [] }: Of<'open-study'>): Job {
    const { study, scaling } = this.#parts.study(permit.study)
    const model = modelOf(study)
    return async () => {
      const dataset = await this.#parts.loadDataset(permit.study)
      const train = designMatrix(study, dataset, dataset.trainRows, scaling)
      const test = designMatrix(study, dataset, dataset.testRows, scaling)
      const validating = dataset.validationRows.length > 0
      const validation = validating ? designMatrix(study, dataset, dataset.validationRows, scaling) : undefined
      const parts = validation === undefined ? { train, test } : { train, test, validation }
      const { epsilonMax } = this.#parts
      const given = { rows: train.rows, spent, roundsMax: study.rounds.count, epsilonMax }
      const privacy = study.privacy === null ? {} : { privacy: privateTraining(study.privacy, given) }
      const opened = { study: permit.study, model, training: study.training, ...parts, ...privacy }
      const { backend, why, roundsWithin } = await this.#parts.learner.open(opened)
      invariant((roundsWithin === undefined) === (study.privacy === null), 'a private study has a private learner')
      this.#validation.set(permit.study, (validation ?? train).y)
      const first = initialWeights(model, train.columns, permit.study)
      const stored = start === 'resume' ? this.#stored.get(permit.study) : undefined
      if (stored === undefined) this.#private.set(permit.study, { head: first.head, optimiser: new Uint8Array(0) })
      const base = this.#parts.weights.put(permit.study, stored?.shared ?? first.shared)
      const rows = {
        trainRows: train.rows,
        validationRows: validation?.rows ?? 0,
        testRows: test.rows,
        columns: train.columns,
      }
      this.#parts.tell('info', 'study-opened', { study: permit.study, backend, why, ...rows })
      const { study: id, scaling: digest } = permit
      const event = { type: 'opened', study: id, scaling: digest, base, parameters: first.shared.length } as const
      return roundsWithin === undefined ? event : { ...event, roundsWithin }
    }
  }

  train({ permit, round, base, spent }: Of<'train'>): Job {
    invariant(base !== null, 'an opened study has a base')
    const { study } = permit
    const { head, optimiser } = this.#privateOf(study)
    const shared = this.#parts.weights.get(study, base)
    const seed = `${study}/${permit.dataset}/${round}`
    return async () => {
      const asked = { study, base: { shared, head }, optimiser, seed, ...(spent === undefined ? {} : { spent }) }
      const trained = await this.#parts.learner.train(asked)
      const { weights, examples, loss, privacy } = trained
      checkTrained(weights.shared, loss)
      this.#private.set(study, { head: weights.head, optimiser: trained.optimiser })
      const update = this.#parts.weights.put(study, weights.shared)
      const headDigest = taggedDigest('head', this.#parts.headSalt, floatBytes(weights.head))
      const event = { type: 'trained', study, round, update, head: headDigest, examples, loss } as const
      return privacy === undefined ? event : { ...event, privacy }
    }
  }

  merge({ permit, round, inputs, own, base }: Of<'merge'>): Job {
    const { study } = this.#parts.study(permit.study)
    const { weights } = this.#parts
    const weighed = inputs.map((input) => ({ ...input, weights: weights.get(permit.study, input.digest) }))
    const mine = weighed.find(({ author }) => author === own)
    invariant(mine !== undefined, 'the own update is merged')
    const reference = weights.has(permit.study, base) ? weights.get(permit.study, base) : mine.weights // lost with a stop
    const { head } = this.#privateOf(permit.study)
    const labels = this.#validation.get(permit.study) ?? null
    const merging = { rule: study.merge, inputs: weighed, own, reference, labels }
    const logits = (shared: Float32Array) => this.#parts.learner.logits(permit.study, { shared, head }, 'validation')
    return async () => {
      const { merged, left } = await mergeJudged(merging, logits)
      const result = weights.put(permit.study, merged.weights)
      const { coefficients, applied: by } = merged
      const aside = [...left, ...merged.outlying.map((author) => ({ author, reason: 'outlying' as const }))]
      return { type: 'merged', study: permit.study, round, result, coefficients, by, aside }
    }
  }

  evaluate({ permit, round, model }: Of<'evaluate'>): Job {
    const { study } = permit
    const weights = { shared: this.#parts.weights.get(study, model), head: this.#privateOf(study).head }
    return async () => {
      const metrics = await this.#parts.learner.evaluate(study, weights)
      return { type: 'evaluated', study, round, model, metrics }
    }
  }

  /** Of the newest complete model, not of the round that is under way. */
  assess(action: Of<'measure' | 'cross'>): Job {
    return this.#evaluator.begin(action)
  }

  /** A checkpoint with its numbers, taken now, to be kept together with the entries that tell of it. */
  stored(checkpoint: Checkpoint): StoredCheckpoint {
    const shared = this.#parts.weights.get(checkpoint.study, checkpoint.shared)
    const stored = { checkpoint, shared, ...this.#privateOf(checkpoint.study) }
    this.#keep(stored)
    return stored
  }

  /** The newest complete model of a study at this hospital: merged weights with the private head. */
  model(study: StudyId): CompleteModel | null {
    const stored = this.#complete.get(study)
    if (stored === undefined) return null
    const { checkpoint, shared, head } = stored
    return { round: checkpoint.round, digest: checkpoint.shared, weights: { shared, head } }
  }

  #keep(stored: StoredCheckpoint): void {
    const { study, stage } = stored.checkpoint
    this.#stored.set(study, stored)
    if (stage !== 'trained') this.#complete.set(study, stored)
  }

  #privateOf(study: StudyId): Private {
    const mine = this.#private.get(study)
    invariant(mine !== undefined, 'an opened study has a private head')
    return mine
  }
}
