/** A fleet whose models, rows and optimisers lie in one WebAssembly memory. */
import { invariant } from '../../core/errors.ts'
import type { Digest } from '../../core/ids.ts'
import type { DesignMatrix, ModelSpec, TrainingSpec } from '../learner.ts'
import { initialWeights } from '../model.ts'
import { resetAdam } from './adamState.ts'
import type { Fleet } from './fleet.ts'
import { Kernels } from './kernels.ts'
import { makePlan, type Plan, reserveOrder } from './plan.ts'
import { loadRows, type RowBlock } from './rows.ts'
import { SlotFleet } from './slotFleet.ts'

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
  /** Of each node x, y, rows and the optimiser's state, side by side: they are read together. */
  readonly #words: Uint32Array
  readonly nodes: number
  constructor(nodes: number) {
    this.nodes = nodes
    this.#words = new Uint32Array(4 * nodes)
  }

  x(node: number): number {
    return this.#words[4 * node] as number
  }

  y(node: number): number {
    return this.#words[4 * node + 1] as number
  }

  rows(node: number): number {
    return this.#words[4 * node + 2] as number
  }

  set(node: number, { x, y, rows }: RowBlock): void {
    this.#words.set([x, y, rows], 4 * node)
  }

  /** Pointer to Adam's state; 0 without one. */
  adam(node: number): number {
    return this.#words[4 * node + 3] as number
  }

  keepAdam(node: number, at: number): void {
    this.#words[4 * node + 3] = at
  }

  relabel(node: number, y: number): void {
    this.#words[4 * node + 1] = y
  }

  /** Of the node with the most. */
  get most(): number {
    let most = 0
    for (let node = 0; node < this.nodes; node++) most = Math.max(most, this.rows(node))
    return most
  }
}

/** One call into WebAssembly per local update. Errors, of `build` and of what takes slots: `kernels-missing`, `kernels-memory`. */
export class KernelFleet extends SlotFleet implements Fleet {
  readonly #spec: FleetSpec
  readonly #plan: Plan
  readonly #train: NodeRows
  readonly #test: NodeRows
  readonly #flipped = new Set<number>()
  /** A pointer: the logits of the largest set of rows. */
  readonly #logits: number

  protected constructor(spec: FleetSpec, kernels: Kernels, plan: Plan) {
    super(kernels, plan, spec.privateHeads)
    const { nodes } = spec
    this.#spec = spec
    this.#plan = plan
    this.#train = new NodeRows(nodes)
    this.#test = new NodeRows(nodes)
    this.#load()
    this.#logits = kernels.alloc(4 * Math.max(this.#test.most, this.#train.most))
    reserveOrder(kernels, plan, this.#train.most)
  }

  /** Loads all rows; `kernels` may be given where several fleets share one memory. */
  static build(spec: FleetSpec, kernels: Kernels = new Kernels()): KernelFleet {
    const { model, training, columns } = spec
    return new KernelFleet(spec, kernels, makePlan(kernels, model, training, columns))
  }

  get nodes(): number {
    return this.#spec.nodes
  }

  get memoryBytes(): number {
    return this.kernels.bytes
  }

  trainRows(node: number): number {
    return this.#train.rows(node)
  }

  testRows(node: number): number {
    return this.#test.rows(node)
  }

  initial(seedDigest: Digest): number {
    const slot = this.take()
    this.write(slot, initialWeights(this.#spec.model, this.#spec.columns, seedDigest))
    return slot
  }

  train(node: number, base: number, into: number, seedHigh: number, seedLow: number): number {
    const train = this.#train
    return this.kernels.run.train(
      this.#plan.pointer,
      train.x(node),
      train.y(node),
      train.rows(node),
      this.pointer(base),
      this.pointer(into),
      train.adam(node),
      seedHigh,
      seedLow,
    )
  }

  logits(node: number, slot: number, out: Float32Array): number {
    return this.#told(this.#forward(this.#test, node, slot), out)
  }

  trainLogits(node: number, slot: number, out: Float32Array): number {
    return this.#told(this.#forward(this.#train, node, slot), out)
  }

  trainLabels(node: number): Uint8Array {
    const at = this.#train.y(node)
    return this.kernels.u8.slice(at, at + this.trainRows(node))
  }

  testLabels(node: number): Uint8Array {
    const at = this.#test.y(node)
    return this.kernels.u8.slice(at, at + this.testRows(node))
  }

  testLoss(node: number, slot: number): number {
    const rows = this.#forward(this.#test, node, slot)
    return this.kernels.run.logLoss(this.#logits, this.#test.y(node), rows)
  }

  flipLabels(node: number): void {
    invariant(!this.#flipped.has(node), `the labels of node ${node} are flipped already`)
    this.#flipped.add(node)
    const rows = this.trainRows(node)
    const own = this.kernels.alloc(rows) // the block may be other nodes' too
    this.kernels.run.flip(this.#train.y(node), own, rows)
    this.#train.relabel(node, own)
  }

  resetOptimiser(node: number): void {
    resetAdam(this.kernels, this.#plan, this.#train.adam(node))
  }

  #told(rows: number, out: Float32Array): number {
    invariant(out.length >= rows, `room for ${out.length} logits, ${rows} are needed`)
    const { f32 } = this.kernels
    for (let i = 0, at = this.#logits / 4; i < rows; i++, at++) out[i] = f32[at] as number
    return rows
  }

  #forward(of: NodeRows, node: number, slot: number): number {
    const rows = of.rows(node)
    this.kernels.run.logits(this.#plan.pointer, of.x(node), rows, this.pointer(slot), this.#logits)
    return rows
  }

  #load(): void {
    const blocks = new WeakMap<DesignMatrix, RowBlock>() // weak: a matrix of one node must not outlive its loading
    const block = (matrix: DesignMatrix): RowBlock => {
      invariant(matrix.columns === this.#spec.columns, `${matrix.columns} columns, ${this.#spec.columns} were said`)
      const loaded = blocks.get(matrix) ?? loadRows(this.kernels, this.#plan.rowBytes, matrix)
      blocks.set(matrix, loaded)
      return loaded
    }
    for (let node = 0; node < this.#spec.nodes; node++) {
      const { train, test } = this.#spec.rowsOf(node)
      invariant(train.rows > 0, `node ${node} has no rows to train on`)
      this.#train.set(node, block(train))
      this.#test.set(node, block(test))
      if (this.#plan.adamBytes > 0) this.#train.keepAdam(node, this.kernels.alloc(this.#plan.adamBytes))
      this.resetOptimiser(node)
    }
  }
}
