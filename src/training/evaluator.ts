/** Evaluates a finished model at its hospital: with intervals, by groups, against a model trained alone; and other members' updates. */
import { designColumns, type Study } from '../config/study.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { CrossSite } from '../core/evaluation.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { Rng } from '../core/rng.ts'
import { toldOf } from '../core/told.ts'
import type { Dataset } from '../data/dataset.ts'
import { groupingsOf } from '../data/groups.ts'
import type { Held } from '../gossip/exchange.ts'
import { assess } from '../learn/assess.ts'
import { aucEstimate } from '../learn/delong.ts'
import { evaluate } from '../learn/evaluate.ts'
import { labelsAt } from '../learn/inUse.ts'
import type { Learner, Weights } from '../learn/learner.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import { type AloneParts, trainAlone } from './alone.ts'
import type { WeightStore } from './weightStore.ts'

type Asked = Extract<Action, { type: 'measure' | 'cross' }>
type Answer = Extract<NodeEvent, { type: 'measured' | 'crossed' | 'measuring-failed' }>

/** The newest complete model of a study at this hospital: its round, the digest of its shared weights, and both its parts. */
export interface CompleteModel {
  readonly round: number
  readonly digest: Digest
  readonly weights: Weights
}

/** What an evaluator works with. */
export interface EvaluatorParts extends AloneParts {
  readonly weights: WeightStore
  /** What trains a study that is open, the rows that it has, and where patients are asked the table that they are of. */
  readonly opened: (study: StudyId) => {
    readonly backend: string
    readonly dataset: Dataset
    readonly table: Dataset | null
  }
  readonly study: (study: StudyId) => { readonly study: Study }
  readonly model: (study: StudyId) => CompleteModel | null
  /** Weights that are in memory no more, from where they are kept; null where they are lost. */
  readonly kept: (study: StudyId, digest: Digest) => Promise<Float32Array | null>
  /** Awaited every few milliseconds of work. */
  readonly breathe: () => Promise<void>
}

/** Works on opened studies. Failures that the world is to blame for come back as `measuring-failed`, with their code. */
export class Evaluator {
  readonly #parts: EvaluatorParts

  constructor(parts: EvaluatorParts) {
    this.#parts = parts
  }

  /** Its weights are taken before this returns. */
  begin(action: Asked): () => Promise<Answer> {
    const { study } = action.permit
    const model = this.#parts.model(study)
    if (model === null)
      return async () => ({ type: 'measuring-failed', study, what: action.type, code: 'model-missing' })
    const others = action.type === 'cross' ? action.others.map((held) => this.#taken(study, held)) : []
    return async () => {
      try {
        return action.type === 'measure' ? await this.#measure(action, model) : await this.#cross(study, model, others)
      } catch (error) {
        if (!(error instanceof ConsiliumError)) throw error
        return { type: 'measuring-failed', study, what: action.type, code: error.code }
      }
    }
  }

  async #measure({ permit }: Asked, { round, digest, weights }: CompleteModel): Promise<Answer> {
    const { breathe, opened } = this.#parts
    const id = permit.study
    const { study } = this.#parts.study(id)
    const { dataset, table } = opened(id)
    const learner = this.#learnerOf(id)
    const { testRows } = dataset
    const found = { type: 'measured', study: id, round, model: digest } as const
    if (testRows.length < study.minimumCohort) return { ...found, evaluation: null }
    const labels = Uint8Array.from(testRows, (row) => dataset.labels[row] as number)
    const shared = await learner.logits(id, weights, 'test')
    const alone = study.report.localOnly && study.privacy === null ? await this.#alone(study, permit, round + 1) : null
    const groupings = groupingsOf(study, dataset, testRows, table)
    const numbers = study.consent === null ? null : testRows
    const judged = { labels, shared, alone: alone && (await learner.logits(id, alone, 'test')), groupings, numbers }
    const rng = Rng.from('evaluation', id, digest)
    const { minimumCohort: cohort, report } = study
    return { ...found, evaluation: await assess(judged, { cohort, threshold: report.threshold, rng, breathe }) }
  }

  async #alone(
    study: Study,
    { study: id, dataset: commitment, scaling, consent }: Asked['permit'],
    rounds: number,
  ): Promise<Weights> {
    const { dataset, backend } = this.#parts.opened(id)
    const validation = Uint8Array.from(dataset.validationRows, (row) => dataset.labels[row] as number)
    const seed = `${id}/${commitment}/alone`
    const mark = `${seed}/${scaling}/${backend}${consent === null ? '' : `/${consent}`}`
    const given = { rows: dataset.trainRows.length, columns: designColumns(study), validation, seed, mark }
    return trainAlone({ ...this.#parts, learner: this.#learnerOf(id) }, { id, study, rounds, ...given })
  }

  async #cross(
    study: StudyId,
    { round, digest, weights }: CompleteModel,
    others: readonly (Held & { weights: Float32Array | null })[],
  ): Promise<Answer> {
    const { minimumCohort, consent } = this.#parts.study(study).study
    const { dataset } = this.#parts.opened(study)
    const learner = this.#learnerOf(study)
    const labels = Uint8Array.from(dataset.testRows, (row) => dataset.labels[row] as number)
    const found = { type: 'crossed', study, round, model: digest } as const
    if (labels.length < minimumCohort) return { ...found, examples: null, sites: [] }
    const { all, classes } = toldOf(labels, consent === null ? null : dataset.testRows, minimumCohort)
    const apart = classes && labelsAt(labels, classes)
    const sites: CrossSite[] = []
    for (const { author, round, digest: update, weights: held } of others) {
      const shared = held ?? (await this.#parts.kept(study, update))
      if (shared === null || shared.length !== weights.shared.length) continue
      const logits = await learner.logits(study, { shared, head: weights.head }, 'test')
      const { accuracy, logLoss, brier, calibrationError } = evaluate(logits, labels, all)
      const ofClasses = classes && Float32Array.from(classes, (place) => logits[place] as number)
      const auc = ofClasses && apart && aucEstimate(ofClasses, apart)
      sites.push({ author, round, update, auc, accuracy, logLoss, brier, calibrationError })
    }
    return { ...found, examples: all.length, sites }
  }

  /** The learner, for as long as it has the same rows open: figures of others would be of other patients. Error: `rows-changed`. */
  #learnerOf(study: StudyId): Learner {
    const { learner, opened } = this.#parts
    const { dataset } = opened(study)
    const same = <T>(found: T): T => {
      if (opened(study).dataset === dataset) return found
      const message = `study ${study.slice(0, 12)}: other rows may be used by now; evaluate it again`
      throw new ConsiliumError({ code: 'rows-changed', message })
    }
    return {
      open: (request) => learner.open(request),
      train: async (request) => same(await learner.train(request)),
      evaluate: async (id, weights) => same(await learner.evaluate(id, weights)),
      logits: async (id, weights, rows) => same(await learner.logits(id, weights, rows)),
      close: () => learner.close(),
    }
  }

  #taken(study: StudyId, held: Held): Held & { weights: Float32Array | null } {
    const { weights } = this.#parts
    return { ...held, weights: weights.has(study, held.digest) ? weights.get(study, held.digest) : null }
  }
}
