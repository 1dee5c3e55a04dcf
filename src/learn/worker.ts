/** The worker thread's side of WorkerLearner: answers one call after another. */

import { parentPort, workerData } from 'node:worker_threads'
import { ConsiliumError, type ErrorFacts, exhaustive, invariant, messageOf } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import { ChosenLearner, type LearnerChoice } from './chosenLearner.ts'
import type { DesignMatrix, Learner, Opened, OpenRequest, Part, TrainRequest, TrainResult, Weights } from './learner.ts'
import { ByStudy } from './privacy/byStudy.ts'
import { PrivateLearner } from './privacy/privateLearner.ts'

/** The thread's `workerData`. */
export interface WorkerOptions {
  readonly backend: LearnerChoice
}

export type Call =
  | { readonly kind: 'open'; readonly request: OpenRequest }
  /** The matrices of before, which are here, with other rows in use. */
  | { readonly kind: 'reopen'; readonly request: Omit<OpenRequest, 'train' | 'test' | 'validation'> }
  | { readonly kind: 'train'; readonly request: TrainRequest }
  | { readonly kind: 'evaluate'; readonly study: StudyId; readonly weights: Weights }
  | {
      readonly kind: 'logits'
      readonly study: StudyId
      readonly weights: Weights
      readonly rows: Part | DesignMatrix
    }

interface Results {
  readonly open: Opened
  readonly reopen: Opened
  readonly train: TrainResult
  readonly evaluate: Metrics
  readonly logits: Float32Array
}

export type Result<C extends Call> = Results[C['kind']]

/** What the main thread posts; the answer has the same `id`. Typed arrays are transferred, so they are this thread's own. */
export interface Question {
  readonly id: number
  readonly call: Call
}

export type Answer =
  | { readonly id: number; readonly result: Results[keyof Results] }
  | { readonly id: number; readonly error: ErrorFacts }

if (parentPort !== null) {
  const port = parentPort
  const learner = makeLearner(workerData as WorkerOptions)
  port.on('message', async ({ id, call }: Question) => {
    try {
      const result = await answer(learner, call)
      port.postMessage({ id, result } satisfies Answer, buffersOf(result))
    } catch (error) {
      port.postMessage({ id, error: factsOf(error) } satisfies Answer)
    }
  })
}

/** Who trains in this thread, whatever studies ask for. */
function makeLearner(options: WorkerOptions): Learner {
  return new ByStudy(new ChosenLearner(options), new PrivateLearner())
}

/** What each study was opened with. */
const given = new Map<StudyId, OpenRequest>()

function again(request: Omit<OpenRequest, 'train' | 'test' | 'validation'>): OpenRequest {
  const before = given.get(request.study)
  invariant(before !== undefined, 'what is opened again was opened here')
  const { train, test, validation } = before
  return { ...request, train, test, ...(validation === undefined ? {} : { validation }) }
}

async function opened(learner: Learner, request: OpenRequest): Promise<Opened> {
  const result = await learner.open(request)
  given.set(request.study, request) // the rows that the other side takes to be here
  return result
}

function answer(learner: Learner, call: Call): Promise<Results[keyof Results]> {
  switch (call.kind) {
    case 'open':
      return opened(learner, call.request)
    case 'reopen':
      return opened(learner, again(call.request))
    case 'train':
      return learner.train(call.request)
    case 'evaluate':
      return learner.evaluate(call.study, call.weights)
    case 'logits':
      return learner.logits(call.study, call.weights, call.rows)
    default:
      return exhaustive(call)
  }
}

function buffersOf(result: Results[keyof Results]): ArrayBuffer[] {
  return arraysOf(result).map(({ buffer }) => {
    invariant(buffer instanceof ArrayBuffer, 'results own their buffers')
    return buffer
  })
}

function arraysOf(result: Results[keyof Results]): (Float32Array | Uint8Array)[] {
  if (result instanceof Float32Array) return [result]
  if (!('weights' in result)) return []
  const { weights, optimiser } = result
  return [weights.shared, weights.head, optimiser]
}

function factsOf(error: unknown): ErrorFacts {
  if (!(error instanceof ConsiliumError))
    return { code: 'learner-internal', message: `the learner failed: ${messageOf(error)}` }
  const { code, message, blame } = error
  return blame === undefined ? { code, message } : { code, message, blame }
}
