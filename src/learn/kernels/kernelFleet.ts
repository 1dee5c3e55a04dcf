/** A fleet whose models, rows and optimisers lie in one WebAssembly memory. */
import { invariant } from '../../core/errors.ts'
import type { Digest } from '../../core/ids.ts'
import type { DesignMatrix, ModelSpec, TrainingSpec, Weights } from '../learner.ts'
import { initialWeights } from '../model.ts'
import { resetAdam } from './adamState.ts'
import type { Fleet } from './fleet.ts'
import { Kernels } from './kernels.ts'
import { ModelSlots } from './modelSlots.ts'
import { makePlan, type Plan, reserveOrder } from './plan.ts'
import { loadRows, type RowBlock } from './rows.ts'

/** What a fleet is built from. */
export interface FleetSpec {
  readonly model: ModelSpec
  readonly training: TrainingSpec
  /** Of every design matrix. */
  readonly columns: number
  readonly nodes: number
  /** Whether each node keeps its output bias for itself. */
  readonly privateHeads: boolean
  /**
   * The rows of one node, at least one of them to train on. Asked once per node, in order, and copied at once: what it returns may be made anew for
   * each, so that no second copy of all rows exists. Nodes for whom it returns the same object share one block of memory.
   */
  rowsOf(node: number): { readonly train: DesignMatrix; readonly test: DesignMatrix }
}

/** Rows of all nodes, as pointers and counts by node. */
class NodeRows {
  readonly x: Uint32Array
  readonly y: Uint32Array
  readonly rows: Uint32Array
  constructor(nodes: number) {
    this.x = new Uint32Array(nodes)
    this.y = new Uint32Array(nodes)
    this.rows = new Uint32Array(nodes)
  }

  set(node: number, { x, y, rows }: RowBlock): void {
    this.x[node] = x
    this.y[node] = y
    this.rows[node] = rows
  }
}

/** One call into WebAssembly per local update. Errors, of `build` and of what takes slots: `kernels-missing`, `kernels-memory`. */
export class KernelFleet implements Fleet {
  readonly #spec: FleetSpec
  readonly #kernels: Kernels
  readonly #plan: Plan
  readonly #slots: ModelSlots
  readonly #train: NodeRows
  readonly #test: NodeRows
  readonly #adam: Uint32Array
  readonly #flipped = new Set<number>()
  /** Pointers: 8 bytes for a digest; logits of the largest test set. */
  readonly #digest: number
  readonly #logits: number
  #staged = { capacity: 0, models: 0, coefficients: 0 }

  private constructor(spec: FleetSpec, kernels: Kernels) {
    const { model, training, columns, nodes } = spec
    this.#spec = spec
    this.#kernels = kernels
    this.#plan = makePlan(kernels, model, training, columns)
    this.#slots = new ModelSlots(kernels, this.#plan.slotBytes)
    this.#train = new NodeRows(nodes)
    this.#test = new NodeRows(nodes)
    this.#adam = new Uint32Array(nodes)
    this.#load()
    this.#digest = kernels.alloc(8)
    this.#logits = kernels.alloc(4 * most(this.#test.rows))
    reserveOrder(kernels, this.#plan, most(this.#train.rows))
  }

  /** Loads all rows; `kernels` may be given where several fleets share one memory. */
  static build(spec: FleetSpec, kernels: Kernels = new Kernels()): KernelFleet {
    return new KernelFleet(spec, kernels)
  }

  get nodes(): number {
    return this.#spec.nodes
  }

  get parameters(): number {
    return this.#plan.shared
  }

  get memoryBytes(): number {
    return this.#kernels.bytes
  }

  get slotsUsed(): number {
    return this.#slots.pool.used
  }

  trainRows(node: number): number {
    return this.#train.rows[node] as number
  }

  testRows(node: number): number {
    return this.#test.rows[node] as number
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

  initial(seedDigest: Digest): number {
    const slot = this.take()
    this.write(slot, initialWeights(this.#spec.model, this.#spec.columns, seedDigest))
    return slot
  }

  train(node: number, base: number, into: number, seedHigh: number, seedLow: number): number {
    const { x, y, rows } = this.#train
    return this.#kernels.run.train(
      this.#plan.pointer,
      x[node] as number,
      y[node] as number,
      rows[node] as number,
      this.#at(base),
      this.#at(into),
      this.#adam[node] as number,
      0,
      seedHigh,
      seedLow,
    )
  }

  merge(into: number, own: number, from: ArrayLike<number>, coefficients: ArrayLike<number>, count: number): void {
    invariant(count > 0 && count <= from.length && count <= coefficients.length, `a merge of ${count} models`)
    if (count > this.#staged.capacity) this.#stage(count)
    const { u32, f64, f32, run } = this.#kernels
    const { models, coefficients: factors } = this.#staged
    for (let i = 0; i < count; i++) {
      u32[models / 4 + i] = this.#at(from[i] as number)
      f64[factors / 8 + i] = coefficients[i] as number
    }
    const to = this.#at(into)
    const head = f32[this.#at(own) / 4 + this.#plan.shared] as number // before the merge, for `into` may be `own`
    run.merge(to, models, factors, count, this.#plan.slotBytes)
    if (this.#spec.privateHeads) f32[to / 4 + this.#plan.shared] = head
  }

  copy(from: number, into: number): void {
    this.#kernels.run.copy(this.#at(from), this.#at(into), this.#plan.slotBytes)
  }

  logits(node: number, slot: number, out: Float32Array): number {
    const rows = this.#forward(node, slot)
    invariant(out.length >= rows, `room for ${out.length} logits, ${rows} are needed`)
    const { f32 } = this.#kernels
    for (let i = 0, at = this.#logits / 4; i < rows; i++, at++) out[i] = f32[at] as number
    return rows
  }

  testLabels(node: number): Uint8Array {
    const at = this.#test.y[node] as number
    return this.#kernels.u8.slice(at, at + this.testRows(node))
  }

  testLoss(node: number, slot: number): number {
    const rows = this.#forward(node, slot)
    return this.#kernels.run.logLoss(this.#logits, this.#test.y[node] as number, rows)
  }

  digest(slot: number): number {
    return this.#kernels.run.digest(this.#at(slot), this.#plan.shared, this.#digest)
  }

  squaredDistance(a: number, b: number): number {
    return this.#kernels.run.squaredDistance(this.#at(a), this.#at(b), this.#plan.shared)
  }

  isFinite(slot: number): boolean {
    return Number.isFinite(this.#kernels.run.sumOfSquares(this.#at(slot), this.#plan.shared + 1))
  }

  read(slot: number): Weights {
    const { f32 } = this.#kernels
    const at = this.#at(slot) / 4
    const head = at + this.#plan.shared
    return { shared: f32.slice(at, head), head: f32.slice(head, head + 1) }
  }

  write(slot: number, { shared, head }: Weights): void {
    invariant(shared.length === this.#plan.shared && head.length === 1, 'the weights are of another model')
    const at = this.#at(slot) / 4
    this.#kernels.f32.set(shared, at)
    this.#kernels.f32.set(head, at + shared.length)
  }

  flipLabels(node: number): void {
    invariant(!this.#flipped.has(node), `the labels of node ${node} are flipped already`)
    this.#flipped.add(node)
    const rows = this.trainRows(node)
    const own = this.#kernels.alloc(rows) // the block may be other nodes' too
    this.#kernels.run.flip(this.#train.y[node] as number, own, rows)
    this.#train.y[node] = own
  }

  resetOptimiser(node: number): void {
    resetAdam(this.#kernels, this.#plan, this.#adam[node] as number)
  }

  #at(slot: number): number {
    return this.#slots.pointer(slot)
  }

  #forward(node: number, slot: number): number {
    const rows = this.testRows(node)
    this.#kernels.run.logits(this.#plan.pointer, this.#test.x[node] as number, rows, this.#at(slot), this.#logits)
    return rows
  }

  #load(): void {
    const blocks = new WeakMap<DesignMatrix, RowBlock>() // weak: a matrix of one node must not outlive its loading
    const block = (matrix: DesignMatrix): RowBlock => {
      invariant(matrix.columns === this.#spec.columns, `${matrix.columns} columns, ${this.#spec.columns} were said`)
      const loaded = blocks.get(matrix) ?? loadRows(this.#kernels, this.#plan.rowBytes, matrix)
      blocks.set(matrix, loaded)
      return loaded
    }
    for (let node = 0; node < this.#spec.nodes; node++) {
      const { train, test } = this.#spec.rowsOf(node)
      invariant(train.rows > 0, `node ${node} has no rows to train on`)
      this.#train.set(node, block(train))
      this.#test.set(node, block(test))
      if (this.#plan.adamBytes > 0) this.#adam[node] = this.#kernels.alloc(this.#plan.adamBytes)
      this.resetOptimiser(node)
    }
  }

  #stage(count: number): void {
    const capacity = 2 * count
    this.#staged = {
      capacity,
      models: this.#kernels.alloc(4 * capacity),
      coefficients: this.#kernels.alloc(8 * capacity),
    }
  }
}

function most(counts: Uint32Array): number {
  return counts.reduce((a, b) => Math.max(a, b), 0)
}
