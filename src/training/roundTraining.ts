/**
 * One round's training in slices, so that a node that is killed goes on in the middle, and one that is slow ends in time. A round is cut into
 * slices of so many steps by its study and model alone, each of which goes on from numbers that can be stored: interrupted or not, it gives the
 * same bytes with the same learner.
 */
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import { bytesFloat, floatBytes } from '../core/digest.ts'
import type { StudyId } from '../core/ids.ts'
import type { Learner, TrainingSpec, TrainRequest, TrainResult } from '../learn/learner.ts'
import { stepsOf } from '../learn/slices.ts'

const SLICE = {
  steps: 2_000, // half a second of TensorFlow.js's overhead alone
  products: 1e8, // weights × rows: a third of a second of TensorFlow.js, a tenth of the kernels'; ten times that on a busy machine
  perTimedRound: 16, // where a round has a time, it is kept to a sixteenth at least
} as const
export const KEPT = {
  everyMs: 2_000, // what a kill can cost; shorter rounds are kept by their entries alone
  writingShareMax: 0.02, // of the time: large models are written more seldom
} as const
const VERSION = 1
const PROGRESS_BYTES_MAX = 268_435_456 // as a checkpoint

/** Where a node keeps how far a round has come; one place for each study. */
export interface ProgressStore {
  load(study: StudyId): Promise<Uint8Array | null>
  /** Durable when it resolves. */
  save(study: StudyId, bytes: Uint8Array): Promise<void>
}

/** Of a node that never comes back in the middle of a round: the end of a simulated round is its only moment. */
export const NO_PROGRESS: ProgressStore = { load: async () => null, save: async () => undefined }

/** What a round needs beside the request of its first slice. */
export interface RoundParts {
  readonly learner: Learner
  readonly progress: ProgressStore
  /** Started with a round; asked with the share of its steps that is done, it says how long that took, in milliseconds. */
  readonly stopwatch: () => (share: number) => number
  readonly tell: (level: 'debug' | 'info', event: string, facts: Record<string, string | number>) => void
}

/** One round of one study. */
export interface RoundAsked {
  /** Of the whole round, without `from` and `stepsMax`. */
  readonly request: TrainRequest
  readonly training: TrainingSpec & { readonly secondsMax: number | null }
  readonly rows: number
  /** Says with what arithmetic, from where and on what: progress of anything else is of no use. */
  readonly mark: string
}

interface Progress extends Pick<TrainResult, 'weights' | 'optimiser' | 'place'> {
  readonly spentMs: number
}

/** Trains a round, from where it was left if that is kept. It ends early where its time is over. Errors: the learner's. */
export async function trainRound(parts: RoundParts, asked: RoundAsked): Promise<TrainResult> {
  const { request, training, rows, mark } = asked
  const { total } = stepsOf(training, rows)
  const stepsMax = sliceSteps(asked, total)
  const kept = total > stepsMax ? decode(await parts.progress.load(request.study), mark) : null
  if (kept !== null) parts.tell('info', 'round-resumed', { study: request.study, steps: kept.place.steps, of: total })
  const begun = kept?.place.steps ?? 0
  const elapsed = parts.stopwatch()
  let [next, savedAtMs, restMs] = [sliceFrom(request, kept, stepsMax), 0, KEPT.everyMs as number]
  for (;;) {
    const result = await parts.learner.train(next)
    if (result.done) return result
    const nowMs = elapsed((result.place.steps - begun) / total)
    const spentMs = (kept?.spentMs ?? 0) + nowMs
    if (training.secondsMax !== null && spentMs >= training.secondsMax * 1000) {
      parts.tell('info', 'round-cut', { study: request.study, steps: result.place.steps, of: total })
      return result
    }
    if (nowMs - savedAtMs >= restMs) {
      await parts.progress.save(request.study, encode({ ...result, spentMs }, mark))
      parts.tell('debug', 'round-progress', { study: request.study, steps: result.place.steps, of: total })
      savedAtMs = elapsed((result.place.steps - begun) / total)
      restMs = Math.max(KEPT.everyMs, (savedAtMs - nowMs) / KEPT.writingShareMax)
    }
    next = sliceFrom(request, result, stepsMax)
  }
}

function sliceSteps({ request, training }: RoundAsked, total: number): number {
  const products = training.batchRows * request.base.shared.length
  const bySize = Math.min(SLICE.steps, Math.max(1, Math.floor(SLICE.products / products)))
  return training.secondsMax === null ? bySize : Math.min(bySize, Math.ceil(total / SLICE.perTimedRound))
}

function sliceFrom(
  request: TrainRequest,
  at: Pick<TrainResult, 'weights' | 'optimiser' | 'place'> | null,
  stepsMax: number,
): TrainRequest {
  if (at === null) return { ...request, stepsMax }
  return { ...request, base: at.weights, optimiser: at.optimiser, from: at.place, stepsMax }
}

/** CBOR of [version, mark, shared, head, optimiser, steps, loss sum, milliseconds spent]. */
function encode({ weights, optimiser, place, spentMs }: Progress, mark: string): Uint8Array {
  const numbers = [floatBytes(weights.shared), floatBytes(weights.head), optimiser]
  return encodeCbor([VERSION, mark, ...numbers, place.steps, place.lossSum, spentMs])
}

/** Null where it is of another version, or of another round: then this one begins anew, which costs time alone. */
function decode(bytes: Uint8Array | null, mark: string): Progress | null {
  if (bytes === null) return null
  const [version, kept, shared, head, optimiser, steps, lossSum, spentMs] = decodeCbor(bytes, PROGRESS_BYTES_MAX) as [
    number,
    string,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    number,
    number,
    number,
  ]
  if (version !== VERSION || kept !== mark) return null
  const weights = { shared: bytesFloat(shared), head: bytesFloat(head) }
  return { weights, optimiser, place: { steps, lossSum }, spentMs }
}
