/** Carries out the machine's study actions for any shell: opens the learner on the hospital's table, trains, merges, evaluates, checkpoints. */
import { modelOf, type Study } from '../config/study.ts'
import { floatBytes, taggedDigest } from '../core/digest.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { Scaling } from '../core/statistics.ts'
import type { Dataset } from '../data/dataset.ts'
import { designMatrix } from '../data/design.ts'
import { CODING, encodeFloat32 } from '../gossip/coding/coding.ts'
import { checkTrained } from '../gossip/update.ts'
import type { Learner, Weights } from '../learn/learner.ts'
import { mergeUpdates } from '../learn/merge/rule.ts'
import { initialWeights } from '../learn/model.ts'
import type { Action } from '../node/actions.ts'
import type { Checkpoint } from '../node/checkpoint.ts'
import type { NodeEvent } from '../node/events.ts'
import type { StoredCheckpoint } from './storedCheckpoint.ts'
import { UpdateCoder, type Written } from './updateCoder.ts'
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
  /** Salts the digests of private heads, so that a head of one number cannot be guessed from its digest. */
  readonly headSalt: Uint8Array
  readonly tell: (level: 'info', event: string, facts: Record<string, string | number>) => void
}

/** Work to be done now or later, whose weights are taken already. Its event is for the machine. Errors: the learner's, `data-…`, `training-diverged`. */
export type Job = () => Promise<NodeEvent>

/** One per start of a node; `stored` is what the last one left. */
export class Trainer {
  readonly #parts: TrainerParts
  readonly #private = new Map<StudyId, Private>()
  readonly #coder = new UpdateCoder()
  readonly #stored = new Map<StudyId, StoredCheckpoint>()
  /** The newest of each study that is not in the middle of a round. */
  readonly #complete = new Map<StudyId, StoredCheckpoint>()

  constructor(parts: TrainerParts, stored: readonly StoredCheckpoint[]) {
    this.#parts = parts
    for (const one of stored) {
      const { study } = one.checkpoint
      this.#keep(one)
      this.#private.set(study, { head: one.head, optimiser: one.optimiser })
      this.#coder.restore(study, one.checkpoint.shared, one.coding)
      parts.weights.put(study, one.shared)
    }
  }

  open({ permit, start }: Of<'open-study'>): Job {
    const { study, scaling } = this.#parts.study(permit.study)
    const model = modelOf(study)
    return async () => {
      const dataset = await this.#parts.loadDataset(permit.study)
      const train = designMatrix(study, dataset, dataset.trainRows, scaling)
      const test = designMatrix(study, dataset, dataset.testRows, scaling)
      const validating = dataset.validationRows.length > 0
      const validation = validating ? designMatrix(study, dataset, dataset.validationRows, scaling) : undefined
      const parts = validation === undefined ? { train, test } : { train, test, validation }
      const opened = { study: permit.study, model, training: study.training, ...parts }
      const { backend, why } = await this.#parts.learner.open(opened)
      const first = initialWeights(model, train.columns, permit.study)
      const stored = start === 'resume' ? this.#stored.get(permit.study) : undefined
      if (stored === undefined) {
        this.#private.set(permit.study, { head: first.head, optimiser: new Uint8Array(0) })
        this.#coder.forget(permit.study)
      }
      const base = this.#parts.weights.put(permit.study, stored?.shared ?? first.shared)
      const rows = {
        trainRows: train.rows,
        validationRows: validation?.rows ?? 0,
        testRows: test.rows,
        columns: train.columns,
      }
      this.#parts.tell('info', 'study-opened', { study: permit.study, backend, why, ...rows })
      return { type: 'opened', study: permit.study, scaling: permit.scaling, base, parameters: first.shared.length }
    }
  }

  train({ permit, round, base }: Of<'train'>): Job {
    invariant(base !== null, 'an opened study has a base')
    const { study } = permit
    const { head, optimiser } = this.#privateOf(study)
    const shared = this.#parts.weights.get(study, base)
    const described = this.#parts.study(study).study
    const seed = `${study}/${permit.dataset}/${round}`
    return async () => {
      const trained = await this.#parts.learner.train({ study, base: { shared, head }, optimiser, seed })
      const { weights, examples, loss } = trained
      checkTrained(weights.shared, loss)
      const coded = this.#coder.code(study, described, round, weights.shared, seed)
      checkTrained(coded.weights, loss)
      this.#private.set(study, { head: weights.head, optimiser: trained.optimiser })
      const update = this.#parts.weights.put(study, coded.weights) // what merges here is what the others read
      this.#coder.keep(study, update, coded)
      const headDigest = taggedDigest('head', this.#parts.headSalt, floatBytes(weights.head))
      return { type: 'trained', study, round, update, head: headDigest, examples, loss }
    }
  }

  merge({ permit, round, inputs }: Of<'merge'>): Job {
    const { study } = this.#parts.study(permit.study)
    const weighed = inputs.map((input) => ({ ...input, weights: this.#parts.weights.get(permit.study, input.digest) }))
    return async () => {
      const { weights, coefficients } = mergeUpdates(study.merge, weighed)
      const result = this.#parts.weights.put(permit.study, weights)
      return { type: 'merged', study: permit.study, round, result, coefficients }
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

  /** A checkpoint with its numbers, taken now, to be kept together with the entries that tell of it. */
  stored(checkpoint: Checkpoint): StoredCheckpoint {
    const shared = this.#parts.weights.get(checkpoint.study, checkpoint.shared)
    const coding = this.#coder.stored(checkpoint.study)
    const stored = { checkpoint, shared, ...this.#privateOf(checkpoint.study), coding }
    this.#keep(stored)
    return stored
  }

  /** How the own update with these weights was written; float32 is the weights themselves. */
  written(study: StudyId, update: Digest): Written {
    const written = this.#coder.written(study, update)
    if (written !== null) return written
    const payload = encodeFloat32(this.#parts.weights.get(study, update))
    return { coding: CODING.float32, reference: null, payload }
  }

  /** The newest complete model of a study at this hospital: merged weights with the private head. */
  model(study: StudyId): { round: number; digest: Digest; weights: Weights } | null {
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
