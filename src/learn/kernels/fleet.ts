/** Many nodes' models of one study in one place: what a simulator trains, merges and measures. */
import type { Digest } from '../../core/ids.ts'
import type { Weights } from '../learner.ts'

/**
 * Models lie in numbered slots, which are counted: `take` and `initial` give a slot that the caller holds once, `retain` adds a holder, the
 * last `release` frees it. A slot that others hold too must not be written. Nodes are numbered from 0. Guarantees: the same calls in the
 * same order give the same bits, on every machine (StackedFleet: on one machine and backend); no call but `take`, `initial` and `flipLabels` takes memory. A slot that is free is our own bug.
 */
export interface Fleet {
  readonly nodes: number
  /** Shared parameters of the model, which travel; the head is not counted. */
  readonly parameters: number
  /** Of models, rows and optimisers. */
  readonly memoryBytes: number
  /** Slots that somebody holds. */
  readonly slotsUsed: number
  trainRows(node: number): number
  testRows(node: number): number
  take(): number
  retain(slot: number): number
  release(slot: number): void
  /** A slot with the weights that every member starts from (`initialWeights`). */
  initial(seedDigest: Digest): number
  /**
   * Says what `train` will be asked for, for who can train many nodes at once. The base is held until `train` or another announcement of the
   * node; `train` gives the same with and without it, but for rounding.
   */
  announce?(node: number, base: number, seedHigh: number, seedLow: number): void
  /**
   * One local update of `node`: the study's epochs from the model in `base`, into slot `into`, which may be the same. The seed orders the rows;
   * where they make a single batch there is no order to make. Returns the mean log-loss of the last epoch, nats; NaN where the model has diverged.
   */
  train(node: number, base: number, into: number, seedHigh: number, seedLow: number): number
  /**
   * into = Σ coefficients[i] · from[i] over the first `count`, as `weightedMean` does it; `into` may be one of them. The head becomes that of
   * `own` where heads are private, else it is merged too.
   */
  merge(into: number, own: number, from: ArrayLike<number>, coefficients: ArrayLike<number>, count: number): void
  /** Shared parameters and head. */
  copy(from: number, into: number): void
  /** The logits of the node's held-out rows; returns how many, and `out` has room for as many. */
  logits(node: number, slot: number, out: Float32Array): number
  /** The logits of the rows that the node trains on, for its own judgement of a merge; absent where a fleet cannot tell. */
  trainLogits?(node: number, slot: number, out: Float32Array): number
  /** Their labels, 0 or 1, one byte each; a copy. */
  trainLabels?(node: number): Uint8Array
  /** The labels of the node's held-out rows, 0 or 1, one byte each; a copy. */
  testLabels(node: number): Uint8Array
  /** Mean log-loss on the node's held-out rows, nats; NaN where it has none. */
  testLoss(node: number, slot: number): number
  /** 53 bits of the shared parameters' content, as a whole number; equal contents have equal digests, and others differ but for one chance in 2⁵³. */
  digest(slot: number): number
  /** Σ (a[i] − b[i])² over the shared parameters. */
  squaredDistance(a: number, b: number): number
  /** Whether every parameter, the head included, is finite. */
  isFinite(slot: number): boolean
  /** A copy of what is in the slot. */
  read(slot: number): Weights
  write(slot: number, weights: Weights): void
  /** From now on the node trains on the opposite of its labels: an attacker who flips them. */
  flipLabels(node: number): void
  /** The node's optimiser starts again, as after a lost disk. */
  resetOptimiser(node: number): void
  /** Gives back what the garbage collector does not see; the fleet is used no more. */
  close?(): void
}
