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
      'local-only': await bench.run(rounds, bench.alone, null, (round) => onProgress('local-only', round, rounds)),
      FedAvg: await bench.run(rounds, bench.together, fedAvg, (round) => onProgress('FedAvg', round, rounds)),
      pooled: await bench.run(rounds, bench.pooled, null, (round) => onProgress('pooled', round, rounds)),
    }
    return { rounds, backend: bench.backend, seconds: (performance.now() - started) / 1000, arms }
  } finally {
    await learner.close()
  }
}

/** Makes the weights that all clinics go on from, of what each has trained. */
type Server = (trained: readonly Trained[]) => Weights

interface Trained {
  readonly weights: Weights
  readonly examples: number
}

/** What one clinic carries from round to round. */
interface State {
  readonly weights: Weights
  readonly optimiser: Uint8Array
}

/** One table to train on: whose it is, its scaling, and everyone's test patients scaled alike. */
interface Bench {
  readonly id: StudyId
  readonly scaling: Scaling
  readonly test: DesignMatrix
}

/** The tables of all three arms, opened in one learner. */
class Workbench {
  readonly #study: Study
  readonly #clinics: number
  readonly #learner: Learner
  backend = ''
  readonly alone: Bench[] = []
  readonly together: Bench[] = []
  readonly pooled: Bench[] = []

  private constructor(study: Study, clinics: number, learner: Learner) {
    this.#study = study
    this.#clinics = clinics
    this.#learner = learner
  }

  static async open(study: Study, cohorts: Cohorts, learner: Learner): Promise<Workbench> {
    const bench = new Workbench(study, cohorts.clinics.length, learner)
    const statistics = cohorts.clinics.map(({ dataset }) => localStatistics(study, dataset))
    const scaling = freezeScaling(combineStatistics(statistics))
    const test = everyonesTest(study, cohorts, scaling)
    for (const [i, { dataset }] of cohorts.clinics.entries()) {
      const own = freezeScaling(combineStatistics(statistics.slice(i, i + 1)))
      const aloneTest = everyonesTest(study, cohorts, own)
      bench.alone.push(
        await bench.#open(`alone/${i}`, own, designMatrix(study, dataset, dataset.trainRows, own), aloneTest),
      )
      bench.together.push(
        await bench.#open(`together/${i}`, scaling, designMatrix(study, dataset, dataset.trainRows, scaling), test),
      )
    }
    bench.pooled.push(await bench.#open('pooled', scaling, everyonesTraining(study, cohorts, scaling), test))
    return bench
  }

  /** Runs one arm: every table trains, then `server`, where there is one, gives all the same weights. */
  async run(
    rounds: number,
    benches: readonly Bench[],
    server: Server | null,
    done: (round: number) => void,
  ): Promise<Arm> {
    const first = initialWeights(
      modelOf(this.#study),
      designColumns(this.#study),
      studyIdOf(studyDocument(this.#study)),
    )
    const states: State[] = benches.map(() => ({ weights: first, optimiser: new Uint8Array(0) }))
    const points: RoundPoint[] = []
    for (let round = 0; round < rounds; round++) {
      const trained: Trained[] = []
      for (const [i, { id }] of benches.entries()) {
        const { weights: base, optimiser } = states[i] as State
        const result = await this.#learner.train({ study: id, base, optimiser, seed: `${id}/${round}` })
        states[i] = result
        trained.push(result)
      }
      if (server !== null) {
        const weights = server(trained)
        for (const [i, { optimiser }] of states.entries()) states[i] = { weights, optimiser }
      }
      points.push({ round: round + 1, auc: this.#meanAuc(benches, states) })
      done(round + 1)
    }
    const models = benches.map(({ scaling }, i) => ({ scaling, weights: states[i]?.weights ?? first }))
    const [one] = models as [ScaledModel]
    return { models: models.length === this.#clinics ? models : Array<ScaledModel>(this.#clinics).fill(one), points }
  }

  async #open(name: string, scaling: Scaling, train: DesignMatrix, test: DesignMatrix): Promise<Bench> {
    const { model, training } = this.#study
    const id = taggedDigest('study', new TextEncoder().encode(`demo/${name}`)) as StudyId
    const { backend } = await this.#learner.open({ study: id, model, training, train, test })
    this.backend = backend
    return { id, scaling, test }
  }

  #meanAuc(benches: readonly Bench[], states: readonly State[]): number {
    const aucs = benches.map(({ test }, i) => {
      const { weights } = states[i] as State
      const { auc } = evaluate(predict(modelOf(this.#study), designColumns(this.#study), weights, test), test.y)
      invariant(auc !== null, 'a bound table holds out patients of both classes')
      return auc
    })
    return aucs.reduce((sum, auc) => sum + auc, 0) / aucs.length
  }
}

/** The server's step of FedAvg: the mean of all weights, head included, weighted by examples. */
function fedAvg(trained: readonly Trained[]): Weights {
  const total = trained.reduce((sum, { examples }) => sum + examples, 0)
  const shares = trained.map(({ examples }) => examples / total)
  return {
    shared: weightedMean(
      trained.map(({ weights }) => weights.shared),
      shares,
    ),
    head: weightedMean(
      trained.map(({ weights }) => weights.head),
      shares,
    ),
  }
}
