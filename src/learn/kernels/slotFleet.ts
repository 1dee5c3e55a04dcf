/** What all fleets with models have in common: the models lie in slots of one WebAssembly memory, and the kernels merge and measure them. */
import { invariant } from '../../core/errors.ts'
import type { Weights } from '../learner.ts'
import type { Kernels } from './kernels.ts'
import { padded } from './kernels.ts'
import { ModelSlots } from './modelSlots.ts'

/** The parameters of one model. */
export interface ModelShape {
  /** Those that travel. */
  readonly shared: number
  /** Those that stay with their node where heads are private: the output bias, or nothing. */
  readonly head: 0 | 1
}

/** The part of `Fleet` that no learner needs to know; a slot holds the shared parameters, then the head, padded to 16 bytes. */
export abstract class SlotFleet {
  protected readonly kernels: Kernels
  readonly #shape: ModelShape
  readonly #privateHead: boolean
  readonly #slots: ModelSlots
  readonly #slotBytes: number
  /** 8 bytes for a digest. */
  readonly #digest: number
  #staged = { capacity: 0, models: 0, coefficients: 0 }

  protected constructor(kernels: Kernels, shape: ModelShape, privateHeads: boolean) {
    this.kernels = kernels
    this.#shape = shape
    this.#privateHead = privateHeads && shape.head === 1
    this.#slotBytes = padded(4 * (shape.shared + shape.head))
    this.#slots = new ModelSlots(kernels, this.#slotBytes)
    this.#digest = kernels.alloc(8)
  }

  get parameters(): number {
    return this.#shape.shared
  }

  get slotsUsed(): number {
    return this.#slots.pool.used
  }

  take(): number {
    return this.#slots.pool.take()
  }

  retain(slot: number): number {
    return this.#slots.pool.retain(slot)
  }

  release(slot: number): void {
    this.#slots.pool.release(slot)
  }

  merge(into: number, own: number, from: ArrayLike<number>, coefficients: ArrayLike<number>, count: number): void {
    invariant(count > 0 && count <= from.length && count <= coefficients.length, `a merge of ${count} models`)
    if (count > this.#staged.capacity) this.#stage(count)
    const { u32, f64, f32, run } = this.kernels
    const { models, coefficients: factors } = this.#staged
    for (let i = 0; i < count; i++) {
      u32[models / 4 + i] = this.pointer(from[i] as number)
      f64[factors / 8 + i] = coefficients[i] as number
    }
    const to = this.pointer(into)
    const { shared } = this.#shape
    const head = f32[this.pointer(own) / 4 + shared] as number // before the merge, for `into` may be `own`
    run.merge(to, models, factors, count, this.#slotBytes)
    if (this.#privateHead) f32[to / 4 + shared] = head
  }

  copy(from: number, into: number): void {
    this.kernels.run.copy(this.pointer(from), this.pointer(into), this.#slotBytes)
  }

  digest(slot: number): number {
    return this.kernels.run.digest(this.pointer(slot), this.#shape.shared, this.#digest)
  }

  squaredDistance(a: number, b: number): number {
    return this.kernels.run.squaredDistance(this.pointer(a), this.pointer(b), this.#shape.shared)
  }

  isFinite(slot: number): boolean {
    const { shared, head } = this.#shape
    return Number.isFinite(this.kernels.run.sumOfSquares(this.pointer(slot), shared + head))
  }

  read(slot: number): Weights {
    const { f32 } = this.kernels
    const at = this.pointer(slot) / 4
    const end = at + this.#shape.shared
    return { shared: f32.slice(at, end), head: f32.slice(end, end + this.#shape.head) }
  }

  write(slot: number, { shared, head }: Weights): void {
    const fits = shared.length === this.#shape.shared && head.length === this.#shape.head
    invariant(fits, 'the weights are of another model')
    const at = this.pointer(slot) / 4
    this.kernels.f32.set(shared, at)
    this.kernels.f32.set(head, at + shared.length)
  }

  /** Where a slot lies, in bytes. */
  protected pointer(slot: number): number {
    return this.#slots.pointer(slot)
  }

  #stage(count: number): void {
    const capacity = 2 * count
    const { kernels } = this
    this.#staged = { capacity, models: kernels.alloc(4 * capacity), coefficients: kernels.alloc(8 * capacity) }
  }
}
