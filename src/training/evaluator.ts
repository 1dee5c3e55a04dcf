/** Evaluates a finished model at its hospital: with intervals, by groups, against a model trained alone; and other members' updates. */
import { designColumns, modelOf, type Study } from '../config/study.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { CrossSite } from '../core/evaluation.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { Rng } from '../core/rng.ts'
import type { Dataset } from '../data/dataset.ts'
import { groupingsOf } from '../data/groups.ts'
import type { Held } from '../gossip/exchange.ts'
import { assess } from '../learn/assess.ts'
import { aucEstimate } from '../learn/delong.ts'
import { evaluate } from '../learn/evaluate.ts'
import type { Learner, Weights } from '../learn/learner.ts'
import { initialWeights } from '../learn/model.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
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
export interface EvaluatorParts {
  readonly learner: Learner
  readonly weights: WeightStore
  /** The rows that the learner has open. */
  readonly dataset: (study: StudyId) => Dataset
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
    const { learner, breathe } = this.#parts
    const id = permit.study
    const { study } = this.#parts.study(id)
    const dataset = this.#parts.dataset(id)
    const { testRows } = dataset
    const found = { type: 'measured', study: id, round, model: digest } as const
    if (testRows.length < study.minimumCohort) return { ...found, evaluation: null }
    const labels = Uint8Array.from(testRows, (row) => dataset.labels[row] as number)
    const shared = await learner.logits(id, weights, 'test')
    const alone = study.report.localOnly && study.privacy === null ? await this.#alone(study, permit, round + 1) : null
    const groupings = groupingsOf(study, dataset, testRows)
    const aloneLogits = alone && (await learner.logits(id, alone, 'test'))
    const judged = this.#checked(id, dataset, { labels, shared, alone: aloneLogits, groupings })
    const rng = Rng.from('evaluation', id, digest)
    const { minimumCohort: cohort, report } = study
    return { ...found, evaluation: await assess(judged, { cohort, threshold: report.threshold, rng, breathe }) }
  }

  /**
   * The model that this hospital would have without the others: from the weights that all began with, as many rounds of as many epochs on the
   * own rows alone. Where there are validation rows it is the best of its rounds by their log-loss, which the shared model is not given.
   */
  async #alone(study: Study, permit: Asked['permit'], rounds: number): Promise<Weights> {
    const { learner } = this.#parts
    const id = permit.study
    const dataset = this.#parts.dataset(id)
    const validation = Uint8Array.from(dataset.validationRows, (row) => dataset.labels[row] as number)
    let base = initialWeights(modelOf(study), designColumns(study), id)
    let optimiser: Uint8Array = new Uint8Array(0)
    let best = { loss: Number.POSITIVE_INFINITY, weights: base }
    for (let round = 0; round < rounds; round++) {
      const seed = `${id}/${permit.dataset}/alone/${round}`
      const trained = await learner.train({ study: id, base, optimiser, seed })
      base = trained.weights
      optimiser = trained.optimiser
      const logits = validation.length === 0 ? null : await learner.logits(id, base, 'validation')
      const loss = logits === null ? -round : evaluate(this.#checked(id, dataset, logits), validation).logLoss
      if (loss < best.loss) best = { loss, weights: base }
    }
    return best.weights
  }

  async #cross(
    study: StudyId,
    { round, digest, weights }: CompleteModel,
    others: readonly (Held & { weights: Float32Array | null })[],
  ): Promise<Answer> {
    const { minimumCohort } = this.#parts.study(study).study
    const dataset = this.#parts.dataset(study)
    const labels = Uint8Array.from(dataset.testRows, (row) => dataset.labels[row] as number)
    const told = { type: 'crossed', study, round, model: digest } as const
    if (labels.length < minimumCohort) return { ...told, examples: null, sites: [] }
    const sites: CrossSite[] = []
    for (const { author, round, digest: update, weights: held } of others) {
      const shared = held ?? (await this.#parts.kept(study, update))
      if (shared === null || shared.length !== weights.shared.length) continue
      const found = await this.#parts.learner.logits(study, { shared, head: weights.head }, 'test')
      const logits = this.#checked(study, dataset, found)
      const { accuracy, logLoss, brier, calibrationError } = evaluate(logits, labels)
      const auc = aucEstimate(logits, labels)
      sites.push({ author, round, update, auc, accuracy, logLoss, brier, calibrationError })
    }
    return { ...told, examples: labels.length, sites }
  }

  /** Figures of rows that were opened meanwhile would be of other patients. Error: `rows-changed`. */
  #checked<T>(study: StudyId, dataset: Dataset, found: T): T {
    if (this.#parts.dataset(study) === dataset) return found
    const message = `study ${study.slice(0, 12)}: other rows may be used by now; evaluate it again`
    throw new ConsiliumError({ code: 'rows-changed', message })
  }

  #taken(study: StudyId, held: Held): Held & { weights: Float32Array | null } {
    const { weights } = this.#parts
    return { ...held, weights: weights.has(study, held.digest) ? weights.get(study, held.digest) : null }
  }
}
