/** A fleet without models, for simulations of the protocol alone: slots are counted and have digests, and there is nothing in them. */
import { invariant } from '../../core/errors.ts'
import type { Digest } from '../../core/ids.ts'
import type { Weights } from '../learner.ts'
import type { Fleet } from './fleet.ts'
import { SlotPool } from './slotPool.ts'

const BITS = new DataView(new ArrayBuffer(8)) // takes float64 apart

/**
 * Needs no memory but 16 to 24 bytes a slot. A digest stands for how a slot came about: the same update of the same base, or the same merge of the
 * same inputs, has the same digest, whoever computed it. Every node has one row to train on (so that weights by rows are defined) and none held out.
 */
export class NullFleet implements Fleet {
  readonly nodes: number
  readonly parameters = 0
  readonly memoryBytes = 0
  readonly #pool = new SlotPool((slot) => {
    this.#contents[slot] = 0
  })
  readonly #contents: number[] = []
  constructor(nodes: number) {
    this.nodes = nodes
  }

  get slotsUsed(): number {
    return this.#pool.used
  }

  trainRows(_node: number): number {
    return 1
  }

  testRows(_node: number): number {
    return 0
  }

  take(): number {
    return this.#pool.take()
  }

  retain(slot: number): number {
    return this.#pool.retain(slot)
  }

  release(slot: number): void {
    this.#pool.release(slot)
  }

  initial(seedDigest: Digest): number {
    const slot = this.take()
    this.#contents[slot] = Number.parseInt(seedDigest.slice(0, 13), 16)
    return slot
  }

  train(node: number, base: number, into: number, seedHigh: number, seedLow: number): number {
    const mix = new Mix(1).add(this.digest(base)).add(node).add(seedHigh).add(seedLow)
    this.#contents[into] = mix.value()
    return 0
  }

  merge(into: number, _own: number, from: ArrayLike<number>, coefficients: ArrayLike<number>, count: number): void {
    const mix = new Mix(2)
    for (let i = 0; i < count; i++) mix.add(this.digest(from[i] as number)).add(coefficients[i] as number)
    this.#contents[into] = mix.value()
  }

  copy(from: number, into: number): void {
    this.#contents[into] = this.digest(from)
  }

  logits(_node: number, _slot: number, _out: Float32Array): number {
    return 0
  }

  testLabels(_node: number): Uint8Array {
    return new Uint8Array(0)
  }

  testLoss(_node: number, _slot: number): number {
    return Number.NaN
  }

  digest(slot: number): number {
    const content = this.#contents[slot]
    invariant(content !== undefined, `slot ${slot} was never taken`)
    return content
  }

  squaredDistance(_a: number, _b: number): number {
    return 0
  }

  isFinite(_slot: number): boolean {
    return true
  }

  read(_slot: number): Weights {
    return { shared: new Float32Array(0), head: new Float32Array(0) }
  }

  /** A content that no other operation gives. */
  write(slot: number, _weights: Weights): void {
    this.#contents[slot] = new Mix(3).add(this.digest(slot)).value()
  }

  flipLabels(_node: number): void {}

  resetOptimiser(_node: number): void {}
}

/** A running 53-bit digest of numbers, in 32-bit steps that can be undone. */
class Mix {
  #a: number
  #b = 0x2545f491
  constructor(kind: number) {
    this.#a = kind
  }

  add(value: number): this {
    BITS.setFloat64(0, value)
    this.#a = turned(this.#a ^ BITS.getUint32(0), 0x9e3779b1)
    this.#b = turned(this.#b ^ BITS.getUint32(4), 0x85ebca6b)
    this.#a = (this.#a + this.#b) | 0
    this.#b ^= this.#a >>> 15
    return this
  }

  value(): number {
    return (turned(this.#a, 0x85ebca6b) >>> 11) * 2 ** 32 + (turned(this.#b ^ this.#a, 0x9e3779b1) >>> 0)
  }
}

function turned(state: number, odd: number): number {
  const x = Math.imul(state, odd)
  return x ^ (x >>> 16)
}
