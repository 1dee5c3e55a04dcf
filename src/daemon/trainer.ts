/** Carries out the machine's study actions: opens the learner on the hospital's table, trains, merges, evaluates, checkpoints. */
import { randomBytes } from 'node:crypto'
import { modelOf, type Study } from '../config/study.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { bytesFloat, floatBytes, taggedDigest } from '../core/digest.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { Scaling } from '../core/statistics.ts'
import type { Dataset } from '../data/dataset.ts'
import { designMatrix } from '../data/design.ts'
import { checkTrained } from '../gossip/update.ts'
import type { Learner, Weights } from '../learn/learner.ts'
import { mergeUpdates } from '../learn/merge/rule.ts'
import { initialWeights } from '../learn/model.ts'
import type { Action } from '../node/actions.ts'
import type { Checkpoint } from '../node/checkpoint.ts'
import type { NodeEvent } from '../node/events.ts'
import type { WeightStore } from './weightStore.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

/** What is private to this hospital in one study: never sent, stored only here. */
interface Private {
  head: Float32Array
  optimiser: Uint8Array
}

/** A checkpoint as stored: the machine's part, and the numbers that it names by digest. */
export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint
  readonly shared: Float32Array
  readonly head: Float32Array
  readonly optimiser: Uint8Array
}

const CHECKPOINT_BYTES_MAX = 67_108_864 // shared weights, head and two optimiser moments, with room for larger models

/** What a trainer works with. `study` gives undefined until a study's scaling is frozen; `tell` writes to the log, so no rows and no weights. */
export interface TrainerParts {
  readonly learner: Learner
  readonly weights: WeightStore
  readonly loadDataset: (study: StudyId) => Promise<Dataset>
  readonly study: (study: StudyId) => { study: Study; scaling: Scaling } | undefined
  readonly feed: (event: NodeEvent) => void
  readonly tell: (level: 'info' | 'warn', event: string, facts: Record<string, string | number>) => void
}

/**
 * One per daemon. `stored` is what the last run left. Each action ends with its event fed, or throws: the learner's errors, `data-…`,
 * `training-diverged`.
 */
export class Trainer {
  readonly #parts: TrainerParts
  readonly #private = new Map<StudyId, Private>()
  readonly #stored = new Map<StudyId, StoredCheckpoint>()
  /** The newest of each study that is not in the middle of a round. */
  readonly #complete = new Map<StudyId, StoredCheckpoint>()
  /** Salts the digests of private heads, so that a head of one number cannot be guessed from its digest. */
  readonly #headSalt = new Uint8Array(randomBytes(32))

  constructor(parts: TrainerParts, stored: readonly StoredCheckpoint[]) {
    this.#parts = parts
    for (const one of stored) {
      this.#stored.set(one.checkpoint.study, one)
      if (one.checkpoint.stage !== 'trained') this.#complete.set(one.checkpoint.study, one)
      this.#private.set(one.checkpoint.study, { head: one.head, optimiser: one.optimiser })
      parts.weights.put(one.checkpoint.study, one.shared)
    }
  }

  async open({ permit, start }: Of<'open-study'>): Promise<void> {
    const known = this.#parts.study(permit.study)
    invariant(known !== undefined, 'a permit names a known study')
    const { study, scaling } = known
    const dataset = await this.#parts.loadDataset(permit.study)
    const train = designMatrix(study, dataset, dataset.trainRows, scaling)
    const test = designMatrix(study, dataset, dataset.testRows, scaling)
    const model = modelOf(study)
    const { backend, why } = await this.#parts.learner.open({
      study: permit.study,
      model,
      training: study.training,
      train,
      test,
    })
    const first = initialWeights(model, train.columns, permit.study)
    const stored = start === 'resume' ? this.#stored.get(permit.study) : undefined
    if (stored === undefined) this.#private.set(permit.study, { head: first.head, optimiser: new Uint8Array(0) })
    const base = this.#parts.weights.put(permit.study, stored?.shared ?? first.shared)
    this.#parts.tell('info', 'study-opened', {
      study: permit.study,
      backend,
      why,
      trainRows: train.rows,
      testRows: test.rows,
      columns: train.columns,
    })
    this.#parts.feed({
      type: 'opened',
      study: permit.study,
      scaling: permit.scaling,
      base,
      parameters: first.shared.length,
    })
  }

  async train({ permit, round, base }: Of<'train'>): Promise<void> {
    invariant(base !== null, 'an opened study has a base')
    const mine = this.#privateOf(permit.study)
    const shared = this.#parts.weights.get(permit.study, base)
    const seed = `${permit.study}/${permit.dataset}/${round}`
    const result = await this.#parts.learner.train({
      study: permit.study,
      base: { shared, head: mine.head },
      optimiser: mine.optimiser,
      seed,
    })
    checkTrained(result.weights.shared, result.loss)
    this.#private.set(permit.study, { head: result.weights.head, optimiser: result.optimiser })
    const update = this.#parts.weights.put(permit.study, result.weights.shared)
    const head = taggedDigest('head', this.#headSalt, floatBytes(result.weights.head))
    this.#parts.feed({
      type: 'trained',
      study: permit.study,
      round,
      update,
      head,
      examples: result.examples,
      loss: result.loss,
    })
  }

  merge({ permit, round, inputs }: Of<'merge'>): void {
    const known = this.#parts.study(permit.study)
    invariant(known !== undefined, 'a permit names a known study')
    const weighed = inputs.map((input) => ({ ...input, weights: this.#parts.weights.get(permit.study, input.digest) }))
    const { weights, coefficients } = mergeUpdates(known.study.merge, weighed)
    const result = this.#parts.weights.put(permit.study, weights)
    this.#parts.feed({ type: 'merged', study: permit.study, round, result, coefficients: [...coefficients] })
  }

  async evaluate({ permit, round, model }: Of<'evaluate'>): Promise<void> {
    const weights = { shared: this.#parts.weights.get(permit.study, model), head: this.#privateOf(permit.study).head }
    const metrics = await this.#parts.learner.evaluate(permit.study, weights)
    this.#parts.feed({ type: 'evaluated', study: permit.study, round, model, metrics })
  }

  /** The stored form of a checkpoint, for the batch that commits it. */
  checkpointBytes(checkpoint: Checkpoint): Uint8Array {
    const mine = this.#privateOf(checkpoint.study)
    const shared = this.#parts.weights.get(checkpoint.study, checkpoint.shared)
    const stored = { checkpoint, shared, ...mine }
    this.#stored.set(checkpoint.study, stored)
    if (checkpoint.stage !== 'trained') this.#complete.set(checkpoint.study, stored)
    const plain = { ...checkpoint, parents: [...checkpoint.parents] } as unknown as Cbor
    return encodeCbor([1, plain, floatBytes(shared), floatBytes(mine.head), mine.optimiser])
  }

  /** The newest complete model of a study at this hospital: merged weights with the private head. */
  model(study: StudyId): { round: number; digest: Digest; weights: Weights } | null {
    const stored = this.#complete.get(study)
    if (stored === undefined) return null
    const { checkpoint, shared, head } = stored
    return { round: checkpoint.round, digest: checkpoint.shared, weights: { shared, head } }
  }

  #privateOf(study: StudyId): Private {
    const mine = this.#private.get(study)
    invariant(mine !== undefined, 'an opened study has a private head')
    return mine
  }
}

/** Reads what `checkpointBytes` wrote. Errors: `database-newer`, those of `decodeCbor`. */
export function readCheckpoint(bytes: Uint8Array): StoredCheckpoint {
  const [version, checkpoint, shared, head, optimiser] = decodeCbor(bytes, CHECKPOINT_BYTES_MAX) as [
    number,
    unknown,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  if (version !== 1) {
    throw new ConsiliumError({
      code: 'database-newer',
      message: `a checkpoint of version ${version} was found; this version reads 1: run the newer Consilium again`,
    })
  }
  return { checkpoint: checkpoint as Checkpoint, shared: bytesFloat(shared), head: bytesFloat(head), optimiser }
}
