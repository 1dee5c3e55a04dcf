/** What trains: the interface between the shells and a learner (tfjs in a worker here; batched kernels in netsim). */

import type { StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { PrivacySpent, PrivacySteps } from '../core/privacy.ts'

/** `head: 'none'`: the output bias is one of the shared weights, the last; else each hospital keeps its own. */
export type ModelSpec = (
  | { readonly kind: 'logistic' }
  | { readonly kind: 'mlp'; readonly hidden: readonly number[] }
) & { readonly head?: 'none' }

/** How one round trains, as the study says. `batchRows` is the most that a batch has: an epoch's last may be smaller. */
export interface TrainingSpec {
  readonly localEpochs: number
  readonly batchRows: number
  readonly learningRate: number
  /** L2 penalty on weights, not on biases: the loss gets ½·l2·‖w‖². */
  readonly l2: number
  readonly optimiser: 'adam' | 'sgd'
  /** FedProx's μ (Li et al. 2020); absent or 0: none. A single learner is given it with each request, as `pull`. */
  readonly proximal?: number
}

/** How one hospital trains with differential privacy: DP-SGD of all parameters, the private head among them. */
export interface PrivateTraining {
  /** σ: the noise's deviation over `clipNorm`. */
  readonly noiseMultiplier: number
  /** The longest gradient that one row may give, of all parameters together. */
  readonly clipNorm: number
  /** Rounds that would spend more are not trained. */
  readonly epsilonMax: number
  readonly delta: number
  /** What training in this study has taken here so far. */
  readonly spent: readonly PrivacySteps[]
  /** Rounds that the study has at most; so far ahead does the budget have to be looked at. */
  readonly roundsMax: number
  /** By so many rows a round has its steps and its sampling rate, which the others are told; by the training rows where absent. */
  readonly ratedRows?: number
}

/** A prepared table: standardised, one-hot, nothing missing. Row-major. */
export interface DesignMatrix {
  readonly rows: number
  readonly columns: number
  readonly x: Float32Array
  /** 0 or 1, one per row. */
  readonly y: Uint8Array
}

/**
 * A model in two parts. `shared` is what is published and merged: every parameter except the output bias, layer by layer, each
 * kernel row-major [inputs × outputs] then its bias. `head` is private to the hospital: the output bias, length 1 (DECISIONS,
 * "label shift is the lever"). Where the model has no head of its own, `head` is empty and `shared` ends with the output bias.
 */
export interface Weights {
  readonly shared: Float32Array
  readonly head: Float32Array
}

/** Places in the matrix of each part, ascending. Where no validation rows are in use, the training rows serve. */
export interface RowsInUse {
  readonly train: Uint32Array
  readonly validation: Uint32Array
  readonly test: Uint32Array
}

/** A study to train. Opening it again replaces what was open; the rows must not be changed afterwards. */
export interface OpenRequest {
  readonly study: StudyId
  readonly model: ModelSpec
  readonly training: TrainingSpec
  readonly train: DesignMatrix
  readonly test: DesignMatrix
  /** Rows for choices made at the hospital itself; absent where the training rows serve. */
  readonly validation?: DesignMatrix
  /** Of these rows nothing but those in use is trained on or tested with; all where absent. To open the same matrices again for others is cheap. */
  readonly inUse?: RowsInUse
  /** Present where updates have to be differentially private. */
  readonly privacy?: PrivateTraining
}

/** What was chosen to train with, and why. */
export interface Opened {
  readonly backend: string
  readonly why: string
  /** Of a private study: how many rounds its budget still allows. */
  readonly roundsWithin?: number
}

/** A part of a study's rows; where there are no validation rows, 'validation' names the training rows. */
export type Part = 'train' | 'validation' | 'test'

/** The rows of a part. */
export function rowsOf(request: OpenRequest, part: Part): DesignMatrix {
  return part === 'validation' ? (request.validation ?? request.train) : request[part]
}

/** One round of an open study; `base` is read and not changed. */
export interface TrainRequest {
  readonly study: StudyId
  readonly base: Weights
  /** Opaque state of the optimiser from the last round; empty at the first. */
  readonly optimiser: Uint8Array
  /** Seeds the order of rows; the same request gives the same result on the same backend. Private training has secret chance instead. */
  readonly seed: string
  /** Of a private study: what was spent before this round. */
  readonly spent?: readonly PrivacySteps[]
  /** Draws the shared weights towards `anchor`: the loss gets ½·strength·‖shared − anchor‖² (Li et al. 2020). */
  readonly pull?: { readonly anchor: Float32Array; readonly strength: number }
  /** Added to the gradient of the shared weights at every step (`steering.ts`). */
  readonly drift?: Float32Array
  /** Where a round goes on that was begun before; `base` and `optimiser` are then those of there. Its beginning where absent. */
  readonly from?: Place
  /** How many steps at most; all that are left where absent. */
  readonly stepsMax?: number
}

/** How far a round has come: what `from` of a request needs beside weights and optimiser. */
export interface Place {
  /** Of all its epochs, from the round's beginning. */
  readonly steps: number
  /** Log-losses, nats, of the rows seen so far in the epoch of the last step. */
  readonly lossSum: number
}

/** What a round gave. The arrays are the caller's to keep; `optimiser` goes into the next request. */
export interface TrainResult {
  readonly weights: Weights
  readonly optimiser: Uint8Array
  /** Mean training log-loss of the last local epoch, as far as it went, without the penalty; nats. */
  readonly loss: number
  /** Different rows seen in the round. */
  readonly examples: number
  /** Of a private study: what this round has spent, and where that leads. */
  readonly privacy?: PrivacySpent
  readonly place: Place
  /** False where `stepsMax` ended it early. */
  readonly done: boolean
}

/** Guarantees. Calls run one after another. The rows given to `open` never leave the learner. `close` ends its thread. */
export interface Learner {
  open(request: OpenRequest): Promise<Opened>
  train(request: TrainRequest): Promise<TrainResult>
  /** Evaluates on the held-out rows given to `open`. */
  evaluate(study: StudyId, weights: Weights): Promise<Metrics>
  /** The logits of a part of the rows given to `open`, or of other rows of as many columns, in their order. */
  logits(study: StudyId, weights: Weights, rows: Part | DesignMatrix): Promise<Float32Array>
  close(): Promise<void>
}
