/** A fleet over TensorFlow.js: the study's model or any layers model from a file, with all updates that are announced trained together. */
import { invariant, messageOf } from '../../core/errors.ts'
import type { Digest } from '../../core/ids.ts'
import { learnerError } from '../checks.ts'
import { evaluate } from '../evaluate.ts'
import type { Fleet } from '../kernels/fleet.ts'
import { Kernels } from '../kernels/kernels.ts'
import { SlotFleet } from '../kernels/slotFleet.ts'
import type { DesignMatrix, ModelSpec, TrainingSpec } from '../learner.ts'
import { initialWeights } from '../model.ts'
import type { AdamState } from '../optimiserState.ts'
import {
  askedFor,
  type BackendChoice,
  type BackendName,
  type Choice,
  denseNetwork,
  type Engine,
  firstOf,
  inTurn,
  type Layer,
  onBackend,
  theEngine,
  use,
} from '../tfjsEngine.ts'
import { type LocalUpdate, runUpdates, stepsOf } from './localUpdates.ts'
import { type Loaded, loadModelFile, type ModelFile } from './modelFile.ts'
import { type Gradients, networkOf } from './network.ts'
import { OneByOne } from './oneByOne.ts'
import { canStack, Together } from './together.ts'

/** What a fleet is built from. */
export interface StackedSpec {
  readonly model: ModelSpec | ModelFile
  readonly backend: BackendChoice
  readonly training: TrainingSpec
  /** Of every design matrix. */
  readonly columns: number
  readonly nodes: number
  /** Whether each node keeps its output bias for itself. */
  readonly privateHeads: boolean
  /** As of `FleetSpec`. */
  rowsOf(node: number): { readonly train: DesignMatrix; readonly test: DesignMatrix }
}

/** An update that was announced, and what came of it once it is computed. */
interface Announced {
  readonly base: number
  readonly seedHigh: number
  readonly seedLow: number
  result: { readonly weights: Float32Array; readonly adam: AdamState | null; readonly loss: number } | null
}

const FLOATS_TOGETHER = 1_048_576 // of rows and weights in one step: 4 MB, and some times that in what lies between layers; more is no faster
const EVALUATION_ROWS = 8_192 // rows per forward pass: bounds the tensors alive at once
const EXACT_ON_WASM: readonly string[] = ['InputLayer', 'Dense', 'Activation', 'ReLU', 'Flatten', 'Reshape'] // others lack gradients there, or have wrong ones

/**
 * Chains of dense layers and layers without weights are computed for all nodes in one batched product per layer (`canStack`); all other models
 * (convolutions, recurrence, branches) node by node, with one network whose weights are exchanged. Updates that were announced are computed when
 * the first of their results is asked for; others alone. Results are those of one machine and backend: a batch of other nodes changes them by
 * rounding, the same calls in the same order by nothing. Models lie in the kernels' memory, so merges are those of KernelFleet, to the bit.
 * Errors: of `build` `learner-backend`, `learner-model`, `kernels-missing`, `kernels-memory`; of what takes slots the last one.
 */
export class StackedFleet extends SlotFleet implements Fleet {
  /** What computes, and why. */
  readonly backend: Choice
  /** Whether nodes are computed in one batch, or one by one. */
  readonly stacks: boolean
  readonly #spec: StackedSpec
  readonly #loaded: Loaded
  readonly #engine: Engine
  readonly #compute: Gradients
  readonly #train: DesignMatrix[] = []
  readonly #test: DesignMatrix[] = []
  readonly #adam: (AdamState | null)[]
  readonly #flipped = new Set<number>()
  readonly #announced = new Map<number, Announced>()
  /** A pointer: room for an order of the rows of any node. */
  readonly #order: number
  #rowBytes = 0

  private constructor(spec: StackedSpec, engine: Engine, loaded: Loaded, backend: Choice) {
    const { size, head } = loaded.network
    super(new Kernels(), { shared: size - head, head }, spec.privateHeads)
    this.#spec = spec
    this.#engine = engine
    this.#loaded = loaded
    this.backend = backend
    this.stacks = canStack(loaded.network)
    this.#compute = new (this.stacks ? Together : OneByOne)(engine, backend.backend, loaded.network)
    this.#adam = new Array<AdamState | null>(spec.nodes).fill(null)
    this.#load()
    this.#order = this.kernels.alloc(4 * this.#train.reduce((most, { rows }) => Math.max(most, rows), 0))
  }

  /** Loads tfjs and the model, and makes one step for a trial, so that nothing is missing later. */
  static build(spec: StackedSpec): Promise<StackedFleet> {
    return inTurn(async () => {
      const engine = await theEngine()
      await use(engine, (await askedFor(engine, 'cpu')).backend) // weights are drawn there, whatever computes later
      const { model, columns } = spec
      const loaded =
        model.kind === 'file' ? await loadModelFile(engine, model, columns) : ofStudy(engine, model, columns)
      try {
        const backend = await backendFor(engine, loaded, spec.backend)
        await use(engine, backend.backend)
        const fleet = new StackedFleet(spec, engine, loaded, backend)
        fleet.#try()
        return fleet
      } catch (error) {
        loaded.network.model.dispose()
        throw error
      }
    })
  }

  /** Gives tfjs's memory back; the fleet trains no more. */
  close(): void {
    this.#loaded.network.model.dispose()
  }

  get nodes(): number {
    return this.#spec.nodes
  }

  get memoryBytes(): number {
    const { size } = this.#loaded.network
    const moments = this.#spec.training.optimiser === 'adam' ? 2 * size : 0
    return this.kernels.bytes + this.#rowBytes + 4 * moments * this.nodes + 4 * (size + moments) * this.#announced.size
  }

  trainRows(node: number): number {
    return this.#train[node]?.rows as number
  }

  testRows(node: number): number {
    return this.#test[node]?.rows as number
  }

  initial(seedDigest: Digest): number {
    const slot = this.take()
    const weights = onBackend(this.#engine, 'cpu', () => this.#loaded.initial(seedDigest))
    this.#fill(slot, weights)
    return slot
  }

  announce(node: number, base: number, seedHigh: number, seedLow: number): void {
    if (this.#isAnnounced(node, base, seedHigh, seedLow)) return
    this.retain(base)
    this.#forget(node)
    this.#announced.set(node, { base, seedHigh, seedLow, result: null })
  }

  train(node: number, base: number, into: number, seedHigh: number, seedLow: number): number {
    this.announce(node, base, seedHigh, seedLow)
    if (this.#announced.get(node)?.result === null) this.#computeAll()
    const result = this.#announced.get(node)?.result
    invariant(result !== null && result !== undefined, 'an update that was announced is computed')
    this.#forget(node)
    this.#fill(into, result.weights)
    this.#adam[node] = result.adam
    return this.isFinite(into) ? result.loss : Number.NaN
  }

  logits(node: number, slot: number, out: Float32Array): number {
    const { rows, columns, x } = this.#test[node] as DesignMatrix
    invariant(out.length >= rows, `room for ${out.length} logits, ${rows} are needed`)
    const values = this.#split(this.#flat(slot))
    for (let at = 0; at < rows; at += EVALUATION_ROWS) {
      const count = Math.min(EVALUATION_ROWS, rows - at)
      out.set(this.#compute.logits(values, x.subarray(at * columns, (at + count) * columns), count), at)
    }
    return rows
  }

  testLabels(node: number): Uint8Array {
    return (this.#test[node] as DesignMatrix).y.slice()
  }

  testLoss(node: number, slot: number): number {
    const rows = this.testRows(node)
    if (rows === 0) return Number.NaN
    const logits = new Float32Array(rows)
    this.logits(node, slot, logits)
    return evaluate(logits, this.testLabels(node)).logLoss
  }

  flipLabels(node: number): void {
    invariant(!this.#flipped.has(node), `the labels of node ${node} are flipped already`)
    this.#flipped.add(node)
    this.#forget(node)
    const rows = this.#train[node] as DesignMatrix
    this.#train[node] = { ...rows, y: rows.y.map((label) => 1 - label) } // the matrix may be other nodes' too
  }

  resetOptimiser(node: number): void {
    this.#forget(node)
    this.#adam[node] = null
  }

  #isAnnounced(node: number, base: number, seedHigh: number, seedLow: number): boolean {
    const known = this.#announced.get(node)
    return known?.base === base && known.seedHigh === seedHigh && known.seedLow === seedLow
  }

  #forget(node: number): void {
    const known = this.#announced.get(node)
    if (known === undefined) return
    this.#announced.delete(node)
    this.release(known.base)
  }

  /** All that is announced and not computed: nodes with equally many steps together, as many at a time as memory allows. */
  #computeAll(): void {
    const bySteps = new Map<number, number[]>()
    for (const [node, { result }] of this.#announced) {
      if (result !== null) continue
      const steps = stepsOf(this.trainRows(node), this.#spec.training)
      const nodes = bySteps.get(steps)
      if (nodes === undefined) bySteps.set(steps, [node])
      else nodes.push(node)
    }
    const { batchRows } = this.#spec.training
    for (const nodes of bySteps.values()) {
      const rows = nodes.reduce((most, node) => Math.max(most, Math.min(batchRows, this.trainRows(node))), 0)
      const each = rows * this.#spec.columns + this.#loaded.network.size
      const count = Math.max(1, Math.floor(FLOATS_TOGETHER / each))
      for (let at = 0; at < nodes.length; at += count) this.#computeSome(nodes.slice(at, at + count))
    }
  }

  #computeSome(nodes: readonly number[]): void {
    const updates = nodes.map((node) => this.#updateOf(node))
    const updated = runUpdates(this.#loaded.network, this.#compute, this.#spec.training, updates)
    nodes.forEach((node, i) => {
      const { weights } = updates[i] as LocalUpdate
      const { adam, loss } = updated[i] as (typeof updated)[number]
      ;(this.#announced.get(node) as Announced).result = { weights, adam, loss }
    })
  }

  #updateOf(node: number): LocalUpdate {
    const { base, seedHigh, seedLow } = this.#announced.get(node) as Announced
    const rows = this.#train[node] as DesignMatrix
    const adam = this.#spec.training.optimiser === 'adam' ? (this.#adam[node] ?? this.#noMoments()) : null
    return { rows, order: this.#orderOf(rows.rows, seedHigh, seedLow), weights: this.#flat(base), adam }
  }

  #noMoments(): AdamState {
    return { steps: 0, moments: new Float32Array(2 * this.#loaded.network.size) }
  }

  /** The orders that KernelFleet trains in: as rows lie where they make one batch, else shuffled for each epoch. */
  #orderOf(rows: number, seedHigh: number, seedLow: number): Uint32Array | null {
    const { batchRows, localEpochs } = this.#spec.training
    if (rows <= batchRows) return null
    const { run, u32 } = this.kernels
    const orders = new Uint32Array(rows * localEpochs)
    run.identity(this.#order, rows)
    run.seedOrder(seedHigh, seedLow)
    for (let epoch = 0; epoch < localEpochs; epoch++) {
      run.shuffle(this.#order, rows)
      orders.set(u32.subarray(this.#order / 4, this.#order / 4 + rows), epoch * rows)
    }
    return orders
  }

  #flat(slot: number): Float32Array {
    const at = this.pointer(slot) / 4
    return this.kernels.f32.slice(at, at + this.#loaded.network.size)
  }

  #fill(slot: number, weights: Float32Array): void {
    this.kernels.f32.set(weights, this.pointer(slot) / 4)
  }

  #split(flat: Float32Array): Float32Array[] {
    let at = 0
    return this.#loaded.network.parameters.map(({ size }) => {
      at += size
      return flat.subarray(at - size, at)
    })
  }

  /** One step of one node with zeros, forgotten at once. */
  #try(): void {
    const { network } = this.#loaded
    const { columns, training } = this.#spec
    const rows = { rows: 1, columns, x: new Float32Array(columns), y: new Uint8Array(1) }
    const update = { rows, order: null, weights: new Float32Array(network.size), adam: null }
    try {
      runUpdates(network, this.#compute, { ...training, optimiser: 'sgd' }, [update])
    } catch (error) {
      const why = messageOf(error).split('\n')[0]
      throw learnerError('learner-backend', `backend ${this.backend.backend} can't train this model (${why})`)
    }
  }

  #load(): void {
    const copies = new WeakMap<DesignMatrix, DesignMatrix>() // weak: a matrix of one node must not outlive its loading
    const copied = (matrix: DesignMatrix): DesignMatrix => {
      const { rows, columns, x, y } = matrix
      invariant(columns === this.#spec.columns, `${columns} columns, ${this.#spec.columns} were said`)
      invariant(x.length === rows * columns && y.length === rows, 'x and y have as many rows as said')
      const copy = copies.get(matrix) ?? { rows, columns, x: x.slice(), y: y.slice() }
      if (!copies.has(matrix)) this.#rowBytes += x.byteLength + y.byteLength
      copies.set(matrix, copy)
      return copy
    }
    for (let node = 0; node < this.#spec.nodes; node++) {
      const { train, test } = this.#spec.rowsOf(node)
      invariant(train.rows > 0, `node ${node} has no rows to train on`)
      this.#train.push(copied(train))
      this.#test.push(copied(test))
    }
  }
}

function ofStudy(engine: Engine, model: ModelSpec, columns: number): Loaded {
  const made = denseNetwork(engine, model, columns)
  return {
    network: networkOf(made, made.layers.at(-1) as Layer),
    initial: (digest) => {
      const { shared, head } = initialWeights(model, columns, digest)
      const flat = new Float32Array(shared.length + head.length)
      flat.set(shared)
      flat.set(head, shared.length)
      return flat
    },
  }
}

/** For `auto` not what is fastest by measuring, which differs from run to run, but what loads. Error: `learner-backend`. */
async function backendFor(engine: Engine, { network }: Loaded, choice: BackendChoice): Promise<Choice> {
  const inexact = network.model.layers.find((layer) => !EXACT_ON_WASM.includes(layer.getClassName()))
  if (choice === 'auto') {
    const order: BackendName[] = inexact === undefined ? ['wasm', 'native', 'cpu'] : ['native', 'cpu']
    return firstOf(engine, order)
  }
  if (choice === 'wasm' && inexact !== undefined) {
    const why = `has no exact gradients for layer "${inexact.name}" (${inexact.getClassName()})`
    throw learnerError('learner-backend', `backend wasm ${why}: choose auto or cpu`)
  }
  return askedFor(engine, choice)
}
