/** Trains each study with what is fastest for it here: the SIMD kernels, or TensorFlow.js. Runs in the calling thread. */
import { messageOf } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import { learnerError } from './checks.ts'
import { KernelLearner } from './kernels/kernelLearner.ts'
import type { DesignMatrix, Learner, OpenRequest, Part, TrainRequest, TrainResult, Weights } from './learner.ts'
import { initialWeights } from './model.ts'
import type { BackendChoice } from './tfjsEngine.ts'
import { TfjsLearner } from './tfjsLearner.ts'

/** `kernels`, a backend of TensorFlow.js, or what measures fastest. */
export type LearnerChoice = BackendChoice | 'kernels'

type Opened = { readonly backend: string; readonly why: string }

const PROBE_STEPS = 5 // the first warms caches, the median of the rest decides
// no backend of TensorFlow.js trains a step faster: its calls alone take that long (0.4 ms and up, measured with a logistic model of one
// column). Loading it to be told so would take 0.6 s and 80 MB.
const TFJS_STEP_MS_MIN = 0.2

/**
 * A study stays with what it was opened with first, so that the same requests give the same bytes. Errors: those of KernelLearner and
 * TfjsLearner.
 */
export class ChosenLearner implements Learner {
  readonly #choice: LearnerChoice
  readonly #studies = new Map<StudyId, Learner>()
  #kernels: KernelLearner | null = null
  #tfjs: TfjsLearner | null = null

  constructor(options: { readonly backend?: LearnerChoice } = {}) {
    this.#choice = options.backend ?? 'auto'
  }

  async open(request: OpenRequest): Promise<Opened> {
    const before = this.#studies.get(request.study)
    if (before !== undefined) return before.open(request)
    const { learner, opened } = await this.#choose(request)
    this.#studies.set(request.study, learner)
    return opened
  }

  train(request: TrainRequest): Promise<TrainResult> {
    return this.#of(request.study).train(request)
  }

  evaluate(study: StudyId, weights: Weights): Promise<Metrics> {
    return this.#of(study).evaluate(study, weights)
  }

  logits(study: StudyId, weights: Weights, rows: Part | DesignMatrix): Promise<Float32Array> {
    return this.#of(study).logits(study, weights, rows)
  }

  async close(): Promise<void> {
    this.#studies.clear()
    await this.#kernels?.close()
    await this.#tfjs?.close()
  }

  /** Opens the study with who is to train it. */
  async #choose(request: OpenRequest): Promise<{ learner: Learner; opened: Opened }> {
    if (this.#choice !== 'auto') {
      const learner = this.#choice === 'kernels' ? this.#theKernels() : this.#theTfjs()
      return { learner, opened: await learner.open(request) }
    }
    const kernels = await this.#tried(request)
    if ('missing' in kernels) {
      const learner = this.#theTfjs()
      const { backend, why } = await learner.open(request)
      return { learner, opened: { backend, why: `${why}; no kernels (${kernels.missing})` } }
    }
    const { learner, stepMs } = kernels
    const said = `a step takes ${stepMs.toFixed(3)} ms on kernels`
    if (stepMs < TFJS_STEP_MS_MIN) {
      const why = `${said}; TensorFlow.js needs ${TFJS_STEP_MS_MIN} ms at least`
      return { learner, opened: { backend: 'kernels', why } }
    }
    return this.#compared(request, learner, stepMs, said)
  }

  async #compared(request: OpenRequest, kernels: KernelLearner, stepMs: number, said: string) {
    const tfjs = this.#theTfjs()
    let opened: Opened
    try {
      opened = await tfjs.open(request)
    } catch (error) {
      return { learner: kernels, opened: { backend: 'kernels', why: `no TensorFlow.js (${messageOf(error)})` } }
    }
    const theirsMs = medianOf(await tfjs.probe(request.study, PROBE_STEPS))
    const why = `${said}, ${theirsMs.toFixed(3)} ms on ${opened.backend}`
    if (stepMs <= theirsMs) {
      await tfjs.forget(request.study)
      return { learner: kernels, opened: { backend: 'kernels', why } }
    }
    kernels.forget(request.study)
    return { learner: tfjs, opened: { backend: opened.backend, why: `${why} (${opened.why})` } }
  }

  /** The kernels with the study open and the time of a step; or why there are none: not built, or too much for their memory. */
  async #tried(request: OpenRequest): Promise<{ learner: KernelLearner; stepMs: number } | { missing: string }> {
    try {
      const learner = this.#theKernels()
      await learner.open(request)
      const base = initialWeights(request.model, request.train.columns, request.study)
      return { learner, stepMs: medianOf(learner.probe(request.study, base, PROBE_STEPS)) }
    } catch (error) {
      this.#kernels?.forget(request.study)
      if (!String((error as { code?: string }).code).startsWith('kernels-')) throw error
      return { missing: messageOf(error) }
    }
  }

  #theKernels(): KernelLearner {
    this.#kernels ??= new KernelLearner()
    return this.#kernels
  }

  #theTfjs(): TfjsLearner {
    this.#tfjs ??= new TfjsLearner({ backend: this.#choice === 'kernels' ? 'auto' : this.#choice })
    return this.#tfjs
  }

  #of(study: StudyId): Learner {
    const learner = this.#studies.get(study)
    if (learner !== undefined) return learner
    throw learnerError('learner-study-not-open', `study ${study} is not open here; open it first`)
  }
}

/** Of all but the first. */
function medianOf(times: readonly number[]): number {
  const sorted = times.slice(1).sort((a, b) => a - b)
  return sorted[sorted.length >> 1] as number
}
