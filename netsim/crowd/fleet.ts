/** The learners of a crowd: many models of one study in one memory, named by slots. */
import type { Weights } from '../../src/learn/learner.ts'

export type Slot = number

/** Guarantees: the same calls give the same bytes, whatever the machine; no call takes a promise; a slot lives as long as somebody holds it. */
export interface Fleet {
  /** Shared parameters, without the head. */
  readonly parameters: number
  /** Rows that node trains on. */
  rows(node: number): number
  /** A slot with the first weights, held once. */
  initial(): Slot
  retain(slot: Slot): void
  release(slot: Slot): void
  /** Slots that somebody holds. */
  readonly used: number
  /** A new slot with what `node` makes of `base` in one round, held once. */
  train(node: number, base: Slot, round: number): Slot
  /** The mean log-loss of the last training's last epoch. */
  readonly loss: number
  /** A new slot with Σ coefficients[i] · slots[i], the head being that of `own`, held once. */
  merge(own: Slot, slots: readonly Slot[], coefficients: readonly number[]): Slot
  /** Of the shared weights, two 32-bit words. */
  digest(slot: Slot, into: Int32Array): void
  read(slot: Slot): Weights
  /** A new slot with these, held once. */
  write(weights: Weights): Slot
  /** Squared distance of the shared weights. */
  distance2(a: Slot, b: Slot): number
  /** On the node's held-out rows; appended to `logits` and `labels`. Null where there are none. */
  evaluate(node: number, slot: Slot): { readonly logits: Float64Array; readonly labels: Uint8Array } | null
}
