/** Trains with TensorFlow.js in this thread. */

import type { StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import { type Batch, batches } from './batches.ts'
import { checkFinite, checkMatrices, learnerError } from './checks.ts'
import { evaluate } from './evaluate.ts'
import { withRowsInUse } from './inUse.ts'
import {
  type DesignMatrix,
  type Learner,
  type OpenRequest,
  type Part,
  rowsOf,
  type TrainingSpec,
  type TrainRequest,
  type TrainResult,
  type Weights,
} from './learner.ts'
import { initialWeights, parameterCount } from './model.ts'
import { ADAM, decodeState, encodeState } from './optimiserState.ts'
import { outcomeOf, sliceOf, stepsOf } from './slices.ts'
import {
  type BackendChoice,
  type BackendName,
  type Core,
  choose,
  denseNetwork,
  type Engine,
  inTurn,
  type LayersModel,
  type Optimizer,
  type Tensor,
  theEngine,
  use,
  type Variable,
} from './tfjsEngine.ts'

/** One parameter tensor of the network, in layout order. */
interface Parameter {
  readonly variable: Variable
  readonly kernel: boolean
}

interface Study {
  readonly request: OpenRequest
  readonly backend: BackendName
  readonly network: LayersModel
  readonly parameters: readonly Parameter[]
}

const PROBE_STEPS = 5 // the first warms caches and kernels, the median of the rest decides
const EVALUATION_ROWS = 8_192 // rows per forward pass: bounds the tensors alive at once

/**
 * A learner in the calling thread: it blocks the event loop while it computes (WorkerLearner does not). The same request gives the same
 * bytes on the same backend. Errors: `learner-backend`, `learner-study-not-open`, `learner-shape`, `learner-state`, `learner-diverged`.
 */
export class TfjsLearner implements Learner {
  readonly #choice: BackendChoice
  readonly #studies = new Map<StudyId, Study>()
  constructor(options: { readonly backend?: BackendChoice } = {}) {
    this.#choice = options.backend ?? 'auto'
  }

  open(given: OpenRequest): Promise<{ readonly backend: string; readonly why: string }> {
    return inTurn(async () => {
      const request = withRowsInUse(given)
      checkMatrices(request)
      const engine = await theEngine()
      const { backend, why } = await choose(engine, this.#choice, (each) => probe(engine, request, each))
      this.#dispose(request.study)
      await use(engine, backend)
      this.#studies.set(request.study, build(engine, request, backend))
      return { backend, why }
    })
  }

  train(request: TrainRequest): Promise<TrainResult> {
    return this.#with(request.study, (tf, study) => train(tf, study, request))
  }

  evaluate(study: StudyId, weights: Weights): Promise<Metrics> {
    return this.#with(study, async (tf, opened) => {
      load(tf, opened, weights)
      const { test } = opened.request
      const values = logits(tf, opened, test)
      checkFinite(opened.request, values)
      return evaluate(values, test.y)
    })
  }

  logits(study: StudyId, weights: Weights, rows: Part | DesignMatrix): Promise<Float32Array> {
    return this.#with(study, async (tf, opened) => {
      load(tf, opened, weights)
      const values = logits(tf, opened, typeof rows === 'string' ? rowsOf(opened.request, rows) : rows)
      checkFinite(opened.request, values)
      return values
    })
  }

  /** Milliseconds of each of a few training steps of an open study; nothing of it changes. */
  probe(id: StudyId, steps: number): Promise<number[]> {
    return this.#with(id, async (tf, study) => timeSteps(tf, study, steps))
  }

  /** Lets go of one study; nothing where it is not open. */
  forget(id: StudyId): Promise<void> {
    return inTurn(async () => this.#dispose(id))
  }

  close(): Promise<void> {
    return inTurn(async () => {
      for (const study of [...this.#studies.keys()]) this.#dispose(study)
    })
  }

  #with<T>(id: StudyId, work: (tf: Core, study: Study) => Promise<T>): Promise<T> {
    return inTurn(async () => {
      const study = this.#studies.get(id)
      if (study === undefined)
        throw learnerError('learner-study-not-open', `study ${id} is not open here; open it first`)
      const engine = await theEngine()
      await use(engine, study.backend)
      return work(engine.tf, study)
    })
  }

  #dispose(id: StudyId): void {
    this.#studies.get(id)?.network.dispose()
    this.#studies.delete(id)
  }
}

async function train(tf: Core, study: Study, request: TrainRequest): Promise<TrainResult> {
  const { train: rows, training } = study.request
  const steps = stepsOf(training, rows.rows)
  const { end, spans } = sliceOf(request, steps)
  load(tf, study, request.base)
  const optimiser = makeOptimiser(tf, training)
  const steering = steeringOf(tf, study, request)
  try {
    await restore(tf, study, optimiser, request.optimiser)
    let lossSum = request.from?.lossSum ?? 0
    for (const span of spans) {
      if (span.from === 0) lossSum = 0
      for (const batch of batches(rows, training.batchRows, request.seed, span.epoch, span))
        lossSum += step(tf, study, optimiser, batch, training.l2, steering) * batch.rows
      await new Promise(setImmediate) // lets a learner in the main thread breathe between epochs
    }
    const weights = read(study)
    checkFinite(study.request, weights.shared)
    checkFinite(study.request, weights.head)
    const place = { steps: end, lossSum }
    return {
      weights,
      optimiser: await save(study, optimiser),
      ...outcomeOf(place, training, rows.rows, steps),
    }
  } finally {
    optimiser.dispose()
    for (const { anchor, drift } of steering ?? []) tf.dispose([anchor ?? [], drift ?? []])
  }
}

/** What a request adds to the gradient of one parameter. */
interface Steered {
  readonly strength: number
  readonly anchor: Tensor | null
  readonly drift: Tensor | null
}

/** Of each parameter, in layout order; null where the request asks for nothing. The tensors are the caller's to dispose. */
function steeringOf(tf: Core, study: Study, { pull, drift }: TrainRequest): Steered[] | null {
  if (pull === undefined && drift === undefined) return null
  let at = 0
  return study.parameters.map(({ variable }) => {
    const from = at
    at += variable.size
    // beyond the end lies the private head, which is drawn nowhere
    const part = (numbers: Float32Array | undefined): Tensor | null =>
      numbers === undefined || from >= numbers.length
        ? null
        : tf.tensor(numbers.subarray(from, from + variable.size), variable.shape)
    return { strength: pull?.strength ?? 0, anchor: part(pull?.anchor), drift: part(drift) }
  })
}

/**
 * One optimiser step on one batch; returns its mean log-loss before the step. The penalty ½·l2·‖kernels‖² enters as its gradient,
 * l2 · kernel, and a pull as strength · (parameter − anchor).
 */
function step(
  tf: Core,
  study: Study,
  optimiser: Optimizer,
  batch: Batch,
  l2: number,
  steering: readonly Steered[] | null,
): number {
  return tf.tidy(() => {
    const { rows } = batch
    const x = tf.tensor2d(batch.x, [rows, batch.x.length / rows])
    const y = tf.tensor2d(batch.y, [rows, 1])
    const variables = study.parameters.map(({ variable }) => variable)
    const { value, grads } = tf.variableGrads(
      () => tf.losses.sigmoidCrossEntropy(y, forward(study, x)) as ReturnType<Core['scalar']>,
      variables,
    )
    optimiser.applyGradients(
      study.parameters.map(({ variable, kernel }, i) => {
        let tensor = grads[variable.name] as Tensor
        if (kernel && l2 > 0) tensor = tf.add(tensor, tf.mul(variable, l2))
        const { strength, anchor, drift } = steering?.[i] ?? NOT_STEERED
        if (anchor !== null) tensor = tf.add(tensor, tf.mul(tf.sub(variable, anchor), strength))
        if (drift !== null) tensor = tf.add(tensor, drift)
        return { name: variable.name, tensor }
      }),
    )
    return value.dataSync()[0] as number
  })
}

const NOT_STEERED: Steered = { strength: 0, anchor: null, drift: null }

const forward = (study: Study, x: Tensor): Tensor => study.network.apply(x) as Tensor

function logits(tf: Core, study: Study, matrix: DesignMatrix): Float32Array {
  const out = new Float32Array(matrix.rows)
  for (let at = 0; at < matrix.rows; at += EVALUATION_ROWS) {
    const rows = Math.min(EVALUATION_ROWS, matrix.rows - at)
    const x = matrix.x.subarray(at * matrix.columns, (at + rows) * matrix.columns)
    out.set(
      tf.tidy(() => forward(study, tf.tensor2d(x, [rows, matrix.columns])).dataSync()),
      at,
    )
  }
  return out
}

function build(engine: Engine, request: OpenRequest, backend: BackendName): Study {
  const network = denseNetwork(engine, request.model, request.train.columns)
  const parameters = network.trainableWeights.map((weight) => {
    const variable = weight.read() as Variable
    return { variable, kernel: variable.rank === 2 }
  })
  return { request, backend, network, parameters }
}

/** Writes `weights` into the network's variables: `shared` in order, then the head, where there is one. */
function load(tf: Core, study: Study, weights: Weights): void {
  const { model, train } = study.request
  const count = parameterCount(model, train.columns)
  if (weights.shared.length !== count.shared || weights.head.length !== count.head) {
    const given = `${weights.shared.length} shared and ${weights.head.length} private weights`
    throw learnerError(
      'learner-shape',
      `${given} given, study ${study.request.study} has ${count.shared} and ${count.head}`,
    )
  }
  let at = 0
  study.parameters.forEach(({ variable }) => {
    const from = at < weights.shared.length ? weights.shared.subarray(at, at + variable.size) : weights.head
    tf.tidy(() => variable.assign(tf.tensor(from, variable.shape)))
    at += variable.size
  })
}

function read(study: Study): Weights {
  const { model, train } = study.request
  const count = parameterCount(model, train.columns)
  const flat = new Float32Array(count.shared + count.head)
  let at = 0
  for (const { variable } of study.parameters) {
    flat.set(variable.dataSync(), at)
    at += variable.size
  }
  return { shared: flat.slice(0, count.shared), head: flat.slice(count.shared) }
}

function makeOptimiser(tf: Core, { optimiser, learningRate }: TrainingSpec): Optimizer {
  return optimiser === 'sgd'
    ? tf.train.sgd(learningRate)
    : tf.train.adam(learningRate, ADAM.beta1, ADAM.beta2, ADAM.epsilon)
}

/** The optimiser's state as bytes; SGD has none. */
async function save(study: Study, optimiser: Optimizer): Promise<Uint8Array> {
  if (study.request.training.optimiser === 'sgd') return new Uint8Array(0)
  const [iterations, ...moments] = await optimiser.getWeights()
  const steps = iterations?.tensor.dataSync()[0] as number
  iterations?.tensor.dispose() // a copy made for us, while the moments are the optimiser's own
  const flat = new Float32Array(moments.reduce((sum, { tensor }) => sum + tensor.size, 0))
  let at = 0
  for (const { tensor } of moments) {
    flat.set(tensor.dataSync(), at)
    at += tensor.size
  }
  return encodeState({ steps, moments: flat })
}

async function restore(tf: Core, study: Study, optimiser: Optimizer, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0) return
  const { training } = study.request
  if (training.optimiser === 'sgd')
    throw learnerError('learner-state', 'SGD keeps no state between rounds; give an empty one')
  const { steps, moments } = decodeState(
    bytes,
    study.parameters.reduce((sum, { variable }) => sum + variable.size, 0),
  )
  const named = [{ name: 'iterations', tensor: tf.scalar(steps, 'int32') as Tensor }]
  let at = 0
  for (const name of ['m', 'v']) {
    for (const { variable } of study.parameters) {
      named.push({ name, tensor: tf.tensor(moments.subarray(at, at + variable.size), variable.shape) })
      at += variable.size
    }
  }
  await optimiser.setWeights(named)
  for (const { tensor } of named) tensor.dispose()
}

/** Milliseconds of one training step of this study on `backend`, the median of a few. */
async function probe(engine: Engine, request: OpenRequest, backend: BackendName): Promise<number> {
  await use(engine, backend)
  const study = build(engine, request, backend)
  const times = timeSteps(engine.tf, study, PROBE_STEPS)
  study.network.dispose()
  return times.slice(1).sort((a, b) => a - b)[(PROBE_STEPS - 1) >> 1] as number
}

function timeSteps(tf: Core, study: Study, steps: number): number[] {
  const { model, training, train: rows, study: id } = study.request
  const optimiser = makeOptimiser(tf, training)
  load(tf, study, initialWeights(model, rows.columns, id))
  const [batch] = batches(rows, training.batchRows, 'probe', 0, { from: 0, to: 1 }) as Iterable<Batch> as [Batch]
  const times = Array.from({ length: steps }, () => {
    const start = performance.now()
    step(tf, study, optimiser, batch, training.l2, null)
    return performance.now() - start
  })
  optimiser.dispose()
  return times
}
