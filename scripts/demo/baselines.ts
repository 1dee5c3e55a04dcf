/** What the same patients give without gossip: each hospital alone, FedAvg with a server, and one pooled table. Only a demo can know. */
import { designColumns, modelOf, type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import { invariant } from '../../src/core/errors.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { combineStatistics, freezeScaling, type Scaling } from '../../src/core/statistics.ts'
import { designMatrix } from '../../src/data/design.ts'
import { localStatistics } from '../../src/data/statistics.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import type { DesignMatrix, Learner, Weights } from '../../src/learn/learner.ts'
import { weightedMean } from '../../src/learn/merge/mean.ts'
import { initialWeights, predict } from '../../src/learn/model.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { type Cohorts, everyonesTest, everyonesTraining } from './cohorts.ts'

export type BaselineName = 'local-only' | 'FedAvg' | 'pooled'

/** A model with the scaling that its inputs need. */
export interface ScaledModel {
  readonly scaling: Scaling
  readonly weights: Weights
}

/** A figure after so many complete rounds, from 1. */
export interface RoundPoint {
  readonly round: number
  readonly auc: number
}

export interface Arm {
  /** One per clinic, in order; the same one for all where there is only one model. */
  readonly models: readonly ScaledModel[]
  /** Mean over the clinics of the area under the ROC curve (AUC) on everyone's test patients. */
  readonly points: readonly RoundPoint[]
}

export interface Baselines {
  readonly rounds: number
  readonly backend: string
  readonly seconds: number
  readonly arms: Readonly<Record<BaselineName, Arm>>
}

export type Progress = (name: BaselineName, round: number, rounds: number) => void

/**
 * Trains the three baselines for `rounds` rounds in this thread, with the study's hyper-parameters and seeded rows.
 * Local-only: each clinic by itself, scaled by its own training rows. FedAvg (McMahan et al. 2017, Alg. 1): all start each round from
 * one model, whose every weight, the output bias too, is then averaged by examples; each clinic keeps its optimiser's state, as in
 * gossip. Pooled: as many epochs over all training rows. Errors: those of TfjsLearner.
 */
export async function runBaselines(
  study: Study,
  cohorts: Cohorts,
  rounds: number,
  onProgress: Progress = () => undefined,
): Promise<Baselines> {
  invariant(rounds > 0, 'baselines need a round')
  const started = performance.now()
  const learner = new TfjsLearner()
  try {
    const bench = await Workbench.open(study, cohorts, learner)
    const arms = {
      'local-only': await bench.run(rounds, bench.alone, [], (round) => onProgress('local-only', round, rounds)),
      FedAvg: await bench.run(rounds, bench.together, fedAvg, (round) => onProgress('FedAvg', round, rounds)),
      pooled: await bench.run(rounds, bench.pooled, [], (round) => onProgress('pooled', round, rounds)),
    }
    return { rounds, backend: bench.backend, seconds: (performance.now() - started) / 1000, arms }
  } finally {
    await learner.close()
  }
}
