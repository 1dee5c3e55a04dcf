/** Trains with TensorFlow.js in this thread. The only file that names tfjs, which it loads when the first study is opened. */

import { createRequire } from 'node:module'
import type { Optimizer, Scalar, Tensor, Tensor2D, Variable } from '@tensorflow/tfjs-core'
import type { Sequential } from '@tensorflow/tfjs-layers'
import { messageOf } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import { type Batch, batches } from './batches.ts'
import { checkFinite, checkMatrices, learnerError } from './checks.ts'
import { evaluate } from './evaluate.ts'
import type { DesignMatrix, Learner, OpenRequest, TrainingSpec, TrainRequest, TrainResult, Weights } from './learner.ts'
import { initialWeights, parameterCount } from './model.ts'
import { decodeState, encodeState } from './optimiserState.ts'

export type BackendChoice = 'auto' | 'wasm' | 'cpu' | 'native'

type Core = typeof import('@tensorflow/tfjs-core')
type Layers = typeof import('@tensorflow/tfjs-layers')
type BackendName = Exclude<BackendChoice, 'auto'>

/** One parameter tensor of the network, in layout order. */
interface Parameter {
  readonly variable: Variable
  readonly kernel: boolean
}

interface Study {
  readonly request: OpenRequest
  readonly backend: BackendName
  readonly network: Sequential
  readonly parameters: readonly Parameter[]
}

interface Engine {
  readonly tf: Core
  readonly layers: Layers
  /** Per backend that was tried: undefined where it loads, else why it does not. */
  readonly tried: Map<BackendName, string | undefined>
}

const TFJS_NAME = { native: 'tensorflow', wasm: 'wasm', cpu: 'cpu' } as const satisfies Record<BackendName, string>
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } // Kingma and Ba 2015, their defaults; epsilon as float32 Keras has it
const NATIVE_NODE_BELOW = 23 // tfjs-node 4.22.0 calls util.isNullOrUndefined, which Node 23 removed
const PROBE_STEPS = 5 // the first warms caches and kernels, the median of the rest decides
const REASON_CHARS = 200 // a failed import's message may list every path that was tried; its start says what is wrong
const EVALUATION_ROWS = 8_192 // rows per forward pass: bounds the tensors alive at once

/** tfjs has one engine with one current backend per thread, whoever calls: all learners of a thread take turns. */
let turn: Promise<unknown> = Promise.resolve()
let loading: Promise<Engine> | undefined

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

  open(request: OpenRequest): Promise<{ readonly backend: string; readonly why: string }> {
    return inTurn(async () => {
      checkMatrices(request)
      loading ??= loadEngine()
      const engine = await loading
      const { backend, why } = await choose(engine, this.#choice, request)
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

  close(): Promise<void> {
    return inTurn(async () => {
      for (const study of [...this.#studies.keys()]) this.#dispose(study)
    })
  }

  #with<T>(id: StudyId, work: (tf: Core, study: Study) => Promise<T>): Promise<T> {
    return inTurn(async () => {
      const study = this.#studies.get(id)
      if (study === undefined || loading === undefined)
        throw learnerError('learner-study-not-open', `study ${id} is not open here; open it first`)
      const engine = await loading
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
  load(tf, study, request.base)
  const optimiser = makeOptimiser(tf, training)
  try {
    await restore(tf, study, optimiser, request.optimiser)
    let loss = 0
    for (let epoch = 0; epoch < training.localEpochs; epoch++) {
      loss = runEpoch(tf, study, optimiser, batches(rows, training.batchRows, request.seed, epoch))
      await new Promise(setImmediate) // lets a learner in the main thread breathe between epochs
    }
    const weights = read(study)
    checkFinite(study.request, weights.shared)
    checkFinite(study.request, weights.head)
    return { weights, optimiser: await save(study, optimiser), loss, examples: rows.rows }
  } finally {
    optimiser.dispose()
  }
}

/** One pass over the rows in `epoch`; returns their mean log-loss, each batch before its step. */
function runEpoch(tf: Core, study: Study, optimiser: Optimizer, epoch: Iterable<Batch>): number {
  const { train: rows, training } = study.request
  let loss = 0
  for (const batch of epoch) loss += step(tf, study, optimiser, batch, training.l2) * batch.rows
  return loss / rows.rows
}

/** One optimiser step on one batch; returns its mean log-loss. The penalty ½·l2·‖kernels‖² enters as its gradient, l2 · kernel. */
function step(tf: Core, study: Study, optimiser: Optimizer, batch: Batch, l2: number): number {
  return tf.tidy(() => {
    const { rows } = batch
    const x = tf.tensor2d(batch.x, [rows, batch.x.length / rows])
    const y = tf.tensor2d(batch.y, [rows, 1])
    const variables = study.parameters.map(({ variable }) => variable)
    const { value, grads } = tf.variableGrads(
      () => tf.losses.sigmoidCrossEntropy(y, forward(study, x)) as Scalar,
      variables,
    )
    optimiser.applyGradients(
      study.parameters.map(({ variable, kernel }) => {
        const gradient = grads[variable.name] as Tensor
        return { name: variable.name, tensor: kernel && l2 > 0 ? tf.add(gradient, tf.mul(variable, l2)) : gradient }
      }),
    )
    return value.dataSync()[0] as number
  })
}

const forward = (study: Study, x: Tensor2D): Tensor2D => study.network.apply(x) as Tensor2D

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

function build({ layers }: Engine, request: OpenRequest, backend: BackendName): Study {
  const hidden = request.model.kind === 'mlp' ? request.model.hidden : []
  const network = layers.sequential()
  ;[...hidden, 1].forEach((units, i) => {
    const first = i === 0 ? { inputShape: [request.train.columns] } : {}
    const activation = i < hidden.length ? 'relu' : 'linear'
    network.add(layers.layers.dense({ units, activation, kernelInitializer: 'zeros', ...first }))
  })
  const parameters = network.trainableWeights.map((weight) => {
    const variable = weight.read() as Variable
    return { variable, kernel: variable.rank === 2 }
  })
  return { request, backend, network, parameters }
}

/** Writes `weights` into the network's variables: all but the last are `shared`, in order; the last is the head. */
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
  study.parameters.forEach(({ variable }, i) => {
    const from = i === study.parameters.length - 1 ? weights.head : weights.shared.subarray(at, at + variable.size)
    tf.tidy(() => variable.assign(tf.tensor(from, variable.shape)))
    at += variable.size
  })
}

function read(study: Study): Weights {
  const { model, train } = study.request
  const shared = new Float32Array(parameterCount(model, train.columns).shared)
  let at = 0
  for (const { variable } of study.parameters.slice(0, -1)) {
    shared.set(variable.dataSync(), at)
    at += variable.size
  }
  const head = (study.parameters.at(-1) as Parameter).variable
  return { shared, head: new Float32Array(head.dataSync()) }
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

async function loadEngine(): Promise<Engine> {
  const tf = await import('@tensorflow/tfjs-core')
  tf.enableProdMode() // no banner about the native backend
  const layers = await import('@tensorflow/tfjs-layers')
  return { tf, layers, tried: new Map() }
}

/** Whether `backend` can be used; loads it on the first call and remembers why it can't. */
async function loads({ tf, tried }: Engine, backend: BackendName): Promise<boolean> {
  if (!tried.has(backend)) {
    try {
      if (backend === 'native') await loadNative()
      else if (backend === 'wasm') await loadWasm(tf)
      else await import('@tensorflow/tfjs-backend-cpu')
      const selected = await tf.setBackend(TFJS_NAME[backend])
      tried.set(backend, selected ? undefined : 'tfjs refused it')
    } catch (error) {
      tried.set(
        backend,
        messageOf(error)
          .replace(/ imported from .*/, '')
          .slice(0, REASON_CHARS),
      )
    }
  }
  return tried.get(backend) === undefined
}

async function loadNative(): Promise<void> {
  const major = Number(process.versions.node.split('.')[0])
  if (major >= NATIVE_NODE_BELOW) throw new Error(`tfjs-node 4.22.0 does not run on Node ${process.versions.node}`)
  const name: string = '@tensorflow/tfjs-node' // a variable, so that the types compile where the optional peer is absent
  await import(name)
}

async function loadWasm(tf: Core): Promise<void> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm')
  const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')
  setWasmPaths(main.slice(0, -'tf-backend-wasm.node.js'.length))
  await withoutNewListeners(() => tf.setBackend('wasm'))
}

/** Emscripten's start code turns unhandled rejections of the whole process into crashes of its own; we keep ours. */
async function withoutNewListeners(work: () => Promise<unknown>): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection']
  const before = events.map((event) => new Set(process.listeners(event as 'exit')))
  await work()
  events.forEach((event, i) => {
    for (const listener of process.listeners(event as 'exit')) {
      if (!before[i]?.has(listener)) process.off(event, listener)
    }
  })
}

interface Choice {
  readonly backend: BackendName
  readonly why: string
}

async function choose(engine: Engine, choice: BackendChoice, request: OpenRequest): Promise<Choice> {
  const { tried } = engine
  if (choice !== 'auto') {
    if (await loads(engine, choice)) return { backend: choice, why: 'asked for' }
    throw learnerError(
      'learner-backend',
      `backend ${choice} can't be used here (${tried.get(choice)}); choose auto, wasm or cpu`,
    )
  }
  const native = await loads(engine, 'native')
  const wasm = await loads(engine, 'wasm')
  if (native && wasm) return faster(engine, request)
  if (wasm) return { backend: 'wasm', why: `native does not load (${tried.get('native')})` }
  if (native) return { backend: 'native', why: `wasm does not load (${tried.get('wasm')})` }
  const reasons = `native: ${tried.get('native')}; wasm: ${tried.get('wasm')}`
  if (await loads(engine, 'cpu'))
    return { backend: 'cpu', why: `warning: slow, because nothing else loads (${reasons})` }
  throw learnerError(
    'learner-backend',
    `no backend of tfjs loads (${reasons}; cpu: ${tried.get('cpu')}); install the package again`,
  )
}

async function faster(engine: Engine, request: OpenRequest): Promise<Choice> {
  const native = await probe(engine, request, 'native')
  const wasm = await probe(engine, request, 'wasm')
  const measured = `a step takes ${wasm.toFixed(2)} ms on wasm, ${native.toFixed(2)} ms on native`
  return { backend: wasm <= native ? 'wasm' : 'native', why: measured }
}

/** Milliseconds of one training step of this study on `backend`, the median of a few. */
async function probe(engine: Engine, request: OpenRequest, backend: BackendName): Promise<number> {
  const { tf } = engine
  await use(engine, backend)
  const study = build(engine, request, backend)
  const optimiser = makeOptimiser(tf, request.training)
  load(tf, study, initialWeights(request.model, request.train.columns, request.study))
  const [batch] = batches(request.train, request.training.batchRows, 'probe', 0) as Iterable<Batch> as [Batch]
  const times = Array.from({ length: PROBE_STEPS }, () => {
    const start = performance.now()
    step(tf, study, optimiser, batch, request.training.l2)
    return performance.now() - start
  })
  optimiser.dispose()
  study.network.dispose()
  return times.slice(1).sort((a, b) => a - b)[(PROBE_STEPS - 1) >> 1] as number
}

async function use({ tf }: Engine, backend: BackendName): Promise<void> {
  if (tf.getBackend() !== TFJS_NAME[backend]) await tf.setBackend(TFJS_NAME[backend])
}

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = turn.then(work)
  turn = result.catch(() => undefined)
  return result
}
