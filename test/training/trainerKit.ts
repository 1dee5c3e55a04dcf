/** A trainer on made-up clinics, with a learner that notes what it is asked. */
import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import { seededFill } from '../../netsim/privacy.ts'
import type { Study } from '../../src/config/study.ts'
import type { Digest, StudyId } from '../../src/core/ids.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import type { Permit } from '../../src/governance/permit.ts'
import type { DesignMatrix, Learner, Part, TrainRequest, Weights } from '../../src/learn/learner.ts'
import { PrivateLearner } from '../../src/learn/privacy/privateLearner.ts'
import { NO_PROGRESS } from '../../src/training/roundTraining.ts'
import { Trainer, type TrainerParts } from '../../src/training/trainer.ts'
import { WeightStore } from '../../src/training/weightStore.ts'
import { STUDY } from '../learn/fixtures.ts'

export const PERMIT = {
  study: STUDY,
  dataset: 'da7a'.padEnd(64, '1') as Digest,
  scaling: '5ca1'.padEnd(64, '2') as Digest,
  consent: null,
} as unknown as Permit

const SCALING = { mean: [65, 350], deviation: [14, 140] }

/** Which rows it was asked logits of, and what it was asked to train. */
export class NotingLearner implements Learner {
  readonly parts: (Part | 'other rows')[] = []
  readonly trained: TrainRequest[] = []
  readonly #learner: Learner

  constructor(learner: Learner) {
    this.#learner = learner
  }

  open: Learner['open'] = (request) => this.#learner.open(request)
  evaluate: Learner['evaluate'] = (study, weights) => this.#learner.evaluate(study, weights)
  close = () => this.#learner.close()

  train(request: TrainRequest) {
    this.trained.push(request)
    return this.#learner.train(request)
  }

  logits(study: StudyId, weights: Weights, rows: Part | DesignMatrix) {
    this.parts.push(typeof rows === 'string' ? rows : 'other rows')
    return this.#learner.logits(study, weights, rows)
  }
}

/** The table with its last `rows` training rows as validation rows. */
export function withValidation(dataset: Dataset, rows: number): Dataset {
  const { trainRows } = dataset
  return { ...dataset, trainRows: trainRows.slice(0, -rows), validationRows: trainRows.slice(-rows) }
}

/** What a trainer works with where nothing is stored; `more` in its place. */
export function trainerParts(study: Study, learner: Learner, more: Partial<TrainerParts>): TrainerParts {
  return {
    ...{ learner, weights: new WeightStore(), permitted: null, epsilonMax: null, headSalt: new Uint8Array(0) },
    loadDataset: () => Promise.reject(new Error('all rows are nobody’s to use')),
    study: () => ({ study, scaling: SCALING }),
    kept: async () => null,
    partsOf: () => null,
    breathe: async () => undefined,
    tell: () => undefined,
    progress: NO_PROGRESS,
    alone: { rounds: NO_PROGRESS, within: NO_PROGRESS },
    stopwatch: () => () => 0,
    ...more,
  }
}

/** An opened study at one hospital. */
export async function opened(study: Study, dataset: Dataset, more: Partial<TrainerParts> = {}) {
  const learner = new NotingLearner(study.privacy === null ? new LinearLearner() : new PrivateLearner(seededFill(1, 0)))
  const weights = new WeightStore()
  const parts = trainerParts(study, learner, { weights, loadDataset: async () => dataset, ...more })
  const trainer = new Trainer(parts, [])
  await trainer.open({ type: 'open-study', permit: PERMIT, start: 'initial' })()
  return { trainer, learner, weights }
}
