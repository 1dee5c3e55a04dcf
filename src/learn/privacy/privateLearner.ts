/** The learner of private studies: DP-SGD in plain arithmetic, and an account of what it spends. */
import { ConsiliumError } from '../../core/errors.ts'
import type { StudyId } from '../../core/ids.ts'
import type { Metrics } from '../../core/metrics.ts'
import { type PrivacySteps, withSteps } from '../../core/privacy.ts'
import { checkFinite, checkMatrices, learnerError } from '../checks.ts'
import { evaluate } from '../evaluate.ts'
import { withRowsInUse } from '../inUse.ts'
import {
  type DesignMatrix,
  type Learner,
  type Opened,
  type OpenRequest,
  type Part,
  type PrivateTraining,
  rowsOf,
  type TrainRequest,
  type TrainResult,
  type Weights,
} from '../learner.ts'
import { parameterCount, predict } from '../model.ts'
import { decodeState, encodeState } from '../optimiserState.ts'
import { epsilonOf, roundsWithin } from './accountant.ts'
import { Chance, type Fill } from './chance.ts'
import { stepsOfRound, trainPrivately } from './dpSgd.ts'

type PrivateRequest = OpenRequest & { readonly privacy: PrivateTraining }

/**
 * Trains studies opened with `privacy`, in the calling thread. No two trainings of one request give the same: noise and sampling are of
 * secret chance. `fill` is for simulations and tests, where a run must repeat; a daemon has no way to give it.
 * Errors: `privacy-delta`, `privacy-missing`, `learner-study-not-open`, `learner-shape`, `learner-state`, `learner-diverged`.
 */
export class PrivateLearner implements Learner {
  readonly #chance: Chance
  readonly #studies = new Map<StudyId, PrivateRequest>()

  constructor(fill?: Fill) {
    this.#chance = new Chance(fill)
  }

  async open(given: OpenRequest): Promise<Opened> {
    const request = withRowsInUse(given)
    checkMatrices(request)
    const { privacy, train, study } = request
    if (privacy === undefined) throw learnerError('privacy-missing', `study ${study} says nothing of privacy`)
    checkDelta(privacy, train.rows)
    this.#studies.set(study, { ...request, privacy })
    const { epsilonMax, delta, spent, roundsMax } = privacy
    const round = roundOf({ ...request, privacy })
    const within = roundsWithin({ epsilonMax, delta, spent, round, roundsMax })
    return { backend: 'private', why: 'each row’s gradient is clipped by itself', roundsWithin: within }
  }

  async train({ study, base, optimiser, spent = [] }: TrainRequest): Promise<TrainResult> {
    const request = this.#request(study)
    checkShape(request, base)
    const { model, training, privacy, train: rows } = request
    const adam = this.#adamOf(request, optimiser)
    const { ratedRows = rows.rows } = privacy
    const trained = trainPrivately({ model, training, mechanism: privacy, rows, ratedRows }, base, adam, this.#chance)
    checkFinite(request, trained.weights.shared)
    checkFinite(request, trained.weights.head)
    const round = roundOf(request)
    return {
      weights: trained.weights,
      optimiser: trained.adam === null ? new Uint8Array(0) : encodeState(trained.adam),
      loss: trained.loss,
      examples: rows.rows,
      place: { steps: round.steps, lossSum: trained.loss * rows.rows },
      done: true,
      privacy: { ...round, delta: privacy.delta, epsilon: epsilonOf(withSteps(spent, round), privacy.delta) },
    }
  }

  async evaluate(study: StudyId, weights: Weights): Promise<Metrics> {
    return evaluate(await this.logits(study, weights, 'test'), this.#request(study).test.y)
  }

  async logits(study: StudyId, weights: Weights, rows: Part | DesignMatrix): Promise<Float32Array> {
    const request = this.#request(study)
    checkShape(request, weights)
    const matrix = typeof rows === 'string' ? rowsOf(request, rows) : rows
    const values = Float32Array.from(predict(request.model, matrix.columns, weights, matrix))
    checkFinite(request, values)
    return values
  }

  async close(): Promise<void> {
    this.#studies.clear()
  }

  #adamOf({ model, training, train }: PrivateRequest, optimiser: Uint8Array) {
    if (optimiser.length === 0) return null
    if (training.optimiser === 'sgd')
      throw learnerError('learner-state', 'SGD keeps no state between rounds; give an empty one')
    const { shared, head } = parameterCount(model, train.columns)
    return decodeState(optimiser, shared + head)
  }

  #request(study: StudyId): PrivateRequest {
    const request = this.#studies.get(study)
    if (request !== undefined) return request
    throw learnerError('learner-study-not-open', `study ${study} is not open here; open it first`)
  }
}

const roundOf = ({ training, privacy, train }: PrivateRequest): PrivacySteps =>
  stepsOfRound(training, privacy.noiseMultiplier, privacy.ratedRows ?? train.rows)

/** A guarantee that fails for one row in `rows` may show a whole patient and keep its word. */
function checkDelta({ delta }: PrivateTraining, rows: number): void {
  if (delta * rows < 1) return
  throw new ConsiliumError({
    code: 'privacy-delta',
    message: `the study's δ is ${delta}, and with ${rows} training rows less than ${(1 / rows).toPrecision(2)} protects each of them: a study with delta: auto is needed`,
  })
}

function checkShape({ study, model, train }: PrivateRequest, { shared, head }: Weights): void {
  const count = parameterCount(model, train.columns)
  if (shared.length === count.shared && head.length === count.head) return
  const given = `${shared.length} shared and ${head.length} private weights`
  throw learnerError('learner-shape', `${given} given, study ${study} has ${count.shared} and ${count.head}`)
}
