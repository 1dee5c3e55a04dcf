/** TensorFlow.js itself: loading it, choosing a backend, taking turns. The only file that names tfjs, which it loads when the first learner asks. */

import { createRequire } from 'node:module'
import { messageOf } from '../core/errors.ts'
import { learnerError } from './checks.ts'
import type { ModelSpec } from './learner.ts'

export type BackendChoice = 'auto' | 'wasm' | 'cpu' | 'native'
export type BackendName = Exclude<BackendChoice, 'auto'>

export type Core = typeof import('@tensorflow/tfjs-core')
export type Layers = typeof import('@tensorflow/tfjs-layers')
export type Tensor = import('@tensorflow/tfjs-core').Tensor
export type Variable = import('@tensorflow/tfjs-core').Variable
export type Optimizer = import('@tensorflow/tfjs-core').Optimizer
export type LayersModel = import('@tensorflow/tfjs-layers').LayersModel
export type Layer = LayersModel['layers'][number]
export type WeightSpecs = import('@tensorflow/tfjs-core').io.WeightsManifestEntry[]

/** tfjs, loaded. */
export interface Engine {
  readonly tf: Core
  readonly layers: Layers
  /** Per backend that was tried: undefined where it loads, else why it does not. */
  readonly tried: Map<BackendName, string | undefined>
}

/** A backend, and why it was taken. */
export interface Choice {
  readonly backend: BackendName
  readonly why: string
}

const TFJS_NAME = { native: 'tensorflow', wasm: 'wasm', cpu: 'cpu' } as const satisfies Record<BackendName, string>
const NATIVE_NODE_BELOW = 23 // tfjs-node 4.22.0 calls util.isNullOrUndefined, which Node 23 removed
const REASON_CHARS = 200 // a failed import's message may list every path that was tried; its start says what is wrong

/** tfjs has one engine with one current backend per thread, whoever calls: all learners of a thread take turns. */
let turn: Promise<unknown> = Promise.resolve()
let loading: Promise<Engine> | undefined

/** Runs `work` when all that was to run before it is done. */
export function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = turn.then(work)
  turn = result.catch(() => undefined)
  return result
}

/** The one engine of this thread. */
export function theEngine(): Promise<Engine> {
  loading ??= loadEngine()
  return loading
}

/** Makes `backend`, which was loaded before, the current one. */
export async function use({ tf }: Engine, backend: BackendName): Promise<void> {
  if (tf.getBackend() !== TFJS_NAME[backend]) await tf.setBackend(TFJS_NAME[backend])
}

/** Runs `work` on `backend`, which was loaded before, without a promise; whoever has its turn meanwhile finds its own backend again. */
export function onBackend<T>({ tf }: Engine, backend: BackendName, work: () => T): T {
  const before = tf.getBackend()
  const switched = before !== TFJS_NAME[backend]
  if (switched) void tf.setBackend(TFJS_NAME[backend]) // of a backend that is loaded, all is done when it returns
  try {
    return work()
  } finally {
    if (switched && before !== '') void tf.setBackend(before)
  }
}

/** The study's own model, with zeros for weights: dense layers with relu, then one logit. */
export function denseNetwork({ layers }: Engine, model: ModelSpec, columns: number): LayersModel {
  const hidden = model.kind === 'mlp' ? model.hidden : []
  const network = layers.sequential()
  ;[...hidden, 1].forEach((units, i) => {
    const first = i === 0 ? { inputShape: [columns] } : {}
    const activation = i < hidden.length ? 'relu' : 'linear'
    network.add(layers.layers.dense({ units, activation, kernelInitializer: 'zeros', ...first }))
  })
  return network
}

/** The backend to use; where native and wasm both load, the one that is faster by `probe`, in milliseconds. Error: `learner-backend`. */
export async function choose(
  engine: Engine,
  choice: BackendChoice,
  probe: (backend: BackendName) => Promise<number>,
): Promise<Choice> {
  if (choice !== 'auto') return askedFor(engine, choice)
  const { tried } = engine
  const native = await loads(engine, 'native')
  const wasm = await loads(engine, 'wasm')
  if (native && wasm) return faster(probe)
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

/** The first of `order` that loads, which does not depend on how fast the machine is just now. Error: `learner-backend`. */
export async function firstOf(engine: Engine, order: readonly BackendName[]): Promise<Choice> {
  for (const backend of order) {
    if (await loads(engine, backend)) return { backend, why: `the first of ${order.join(', ')} that loads` }
  }
  const reasons = order.map((backend) => `${backend}: ${engine.tried.get(backend)}`).join('; ')
  throw learnerError('learner-backend', `no backend of tfjs loads (${reasons}); install the package again`)
}

/** The backend itself, if it loads. Error: `learner-backend`. */
export async function askedFor(engine: Engine, backend: BackendName): Promise<Choice> {
  if (await loads(engine, backend)) return { backend, why: 'asked for' }
  const reason = engine.tried.get(backend)
  throw learnerError('learner-backend', `backend ${backend} can't be used here (${reason}); choose auto, wasm or cpu`)
}

async function faster(probe: (backend: BackendName) => Promise<number>): Promise<Choice> {
  const native = await probe('native')
  const wasm = await probe('wasm')
  const measured = `a step takes ${wasm.toFixed(2)} ms on wasm, ${native.toFixed(2)} ms on native`
  return { backend: wasm <= native ? 'wasm' : 'native', why: measured }
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
