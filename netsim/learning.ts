/** Carries out one node's study actions in virtual time: opens the learner on its table, trains, merges, evaluates, checkpoints. */
import { modelOf, type Study } from '../src/config/study.ts'
import { floatBytes, taggedDigest, weightsDigest } from '../src/core/digest.ts'
import { invariant } from '../src/core/errors.ts'
import type { Digest, StudyId } from '../src/core/ids.ts'
import type { Scaling } from '../src/core/statistics.ts'
import type { Dataset } from '../src/data/dataset.ts'
import { designMatrix } from '../src/data/design.ts'
import { checkTrained } from '../src/gossip/update.ts'
import type { Learner } from '../src/learn/learner.ts'
import { mergeUpdates } from '../src/learn/merge/rule.ts'
import { initialWeights } from '../src/learn/model.ts'
import type { Action } from '../src/node/actions.ts'
import type { Checkpoint } from '../src/node/checkpoint.ts'
import type { NodeEvent } from '../src/node/events.ts'
import type { Disk, StoredCheckpoint } from './disk.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

/** What the learning of a node needs to know. */
export interface LearningParts {
  readonly learner: Learner
  readonly disk: Disk
  readonly dataset: (study: StudyId) => Dataset
  readonly study: (study: StudyId) => { readonly study: Study; readonly scaling: Scaling }
}

interface Private {
  readonly head: Float32Array
  readonly optimiser: Uint8Array
}

/** Weights in memory by study and digest. The machine never asks for what it has let go: that would be our own bug. */
export class HeldWeights {
  readonly #weights = new Map<string, Float32Array>()
  #most = 0

  /** The most that were held at one time. */
  get most(): number {
    return this.#most
  }

  put(study: StudyId, weights: Float32Array): Digest {
    const digest = weightsDigest(weights)
    this.#weights.set(`${study} ${digest}`, weights)
    this.#most = Math.max(this.#most, this.#weights.size)
    return digest
  }

  get(study: StudyId, digest: Digest): Float32Array {
    const weights = this.#weights.get(`${study} ${digest}`)
    invariant(weights !== undefined, `weights ${digest.slice(0, 12)} are held`)
    return weights
  }

  forget(study: StudyId, digests: readonly Digest[]): void {
    for (const digest of digests) this.#weights.delete(`${study} ${digest}`)
  }
}

/** Each method takes its inputs at once and gives a job, which the shell runs when virtual time has come. */
export class Learning {
  readonly #parts: LearningParts
  readonly weights = new HeldWeights()
  readonly #private = new Map<StudyId, Private>()

  constructor(parts: LearningParts) {
    this.#parts = parts
    for (const [study, { shared, head, optimiser }] of parts.disk.checkpoints) {
      this.#private.set(study, { head, optimiser })
      this.weights.put(study, shared)
    }
  }

  open({ permit, start }: Of<'open-study'>): () => Promise<NodeEvent> {
    const { study, scaling } = this.#parts.study(permit.study)
    const dataset = this.#parts.dataset(permit.study)
    const model = modelOf(study)
    return async () => {
      const train = designMatrix(study, dataset, dataset.trainRows, scaling)
      const test = designMatrix(study, dataset, dataset.testRows, scaling)
      await this.#parts.learner.open({ study: permit.study, model, training: study.training, train, test })
      const first = initialWeights(model, train.columns, permit.study)
      const stored = start === 'resume' ? this.#parts.disk.checkpoints.get(permit.study) : undefined
      if (stored === undefined) this.#private.set(permit.study, { head: first.head, optimiser: new Uint8Array(0) })
      const base = this.weights.put(permit.study, stored?.shared ?? first.shared)
      return { type: 'opened', study: permit.study, scaling: permit.scaling, base, parameters: first.shared.length }
    }
  }

  train({ permit, round, base }: Of<'train'>): () => Promise<NodeEvent> {
    invariant(base !== null, 'an opened study has a base')
    const { study } = permit
    const shared = this.weights.get(study, base)
    return async () => {
      const { head, optimiser } = this.#privateOf(study)
      const seed = `${study}/${permit.dataset}/${round}`
      const trained = await this.#parts.learner.train({ study, base: { shared, head }, optimiser, seed })
      const { weights, examples, loss } = trained
      checkTrained(weights.shared, loss)
      this.#private.set(study, { head: weights.head, optimiser: trained.optimiser })
      const update = this.weights.put(study, weights.shared)
      const headDigest = taggedDigest('head', floatBytes(weights.head))
      return { type: 'trained', study, round, update, head: headDigest, examples, loss }
    }
  }

  merge({ permit, round, inputs }: Of<'merge'>): () => NodeEvent {
    const { study } = this.#parts.study(permit.study)
    const weighed = inputs.map((input) => ({ ...input, weights: this.weights.get(permit.study, input.digest) }))
    return () => {
      const { weights, coefficients } = mergeUpdates(study.merge, weighed)
      const result = this.weights.put(permit.study, weights)
      return { type: 'merged', study: permit.study, round, result, coefficients }
    }
  }

  evaluate({ permit, round, model }: Of<'evaluate'>): () => Promise<NodeEvent> {
    const shared = this.weights.get(permit.study, model)
    const { head } = this.#privateOf(permit.study)
    return async () => {
      const metrics = await this.#parts.learner.evaluate(permit.study, { shared, head })
      return { type: 'evaluated', study: permit.study, round, model, metrics }
    }
  }

  /** A checkpoint with its numbers, taken now, to be kept with the entries that tell of it. */
  stored(checkpoint: Checkpoint): StoredCheckpoint {
    const shared = this.weights.get(checkpoint.study, checkpoint.shared)
    return { checkpoint, shared, ...this.#privateOf(checkpoint.study) }
  }

  #privateOf(study: StudyId): Private {
    const mine = this.#private.get(study)
    invariant(mine !== undefined, 'an opened study has a private head')
    return mine
  }
}
