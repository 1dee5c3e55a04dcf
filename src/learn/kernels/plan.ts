/** What the kernels are told of a study: the shape of its model and how it trains, written into their memory once. */
import { invariant } from '../../core/errors.ts'
import type { ModelSpec, TrainingSpec } from '../learner.ts'
import { layout, parameterCount } from '../model.ts'
import { type Memory, padded } from './kernels.ts'
import * as at from './planLayout.ts'

const HIDDEN_MAX = 4 // what a study may have
const BIAS_BYTES = 16 // the output layer's bias, alone in its vector at the end
const ROWS_TOGETHER = 4 // the kernels take four rows at a time

/** A plan in the memory of its kernels; pointers and sizes are in bytes. */
export interface Plan {
  readonly pointer: number
  /** Shared parameters, the head not counted. */
  readonly shared: number
  readonly head: 0 | 1
  /** From one model to the next: shared parameters, then the head, padded to 16 bytes. */
  readonly slotBytes: number
  /** From one row to the next. */
  readonly rowBytes: number
  /** Of the parameters as they are trained, rows of kernels padded. */
  readonly workBytes: number
  /** Adam's state of one model; 0 for SGD. */
  readonly adamBytes: number
  /** Where the anchor of a pull and a drift lie, laid out as the padded parameters. */
  readonly anchor: number
  readonly drift: number
  /** Room for one model, for whoever copies to and from padded parameters. */
  readonly spareSlot: number
}

/** Lays a plan out. Before rows are shuffled by a seed, `reserveOrder` must be called. Errors: `kernels-memory`. */
export function makePlan(memory: Memory, model: ModelSpec, training: TrainingSpec, columns: number): Plan {
  const { kernels } = memory
  const layers = layout(model, columns)
  invariant(layers.length <= HIDDEN_MAX + 1, `${layers.length - 1} hidden layers, the kernels take ${HIDDEN_MAX}`)
  const rowBytes = padded(4 * columns)
  const count = parameterCount(model, columns)
  const pointer = memory.alloc(at.LAYERS + layers.length * at.LAYER_BYTES)
  const workBytes = writeLayers(memory, pointer + at.LAYERS, layers)
  const [work, gradient] = [memory.alloc(workBytes), memory.alloc(workBytes)]
  const zeroRow = memory.alloc(rowBytes)
  const [anchor, drift] = [memory.alloc(workBytes), memory.alloc(workBytes)]
  const word = (field: number, value: number) => {
    kernels.u32[(pointer + field) / 4] = value
  }
  word(at.ROW_BYTES, rowBytes)
  word(at.HIDDEN, layers.length - 1)
  word(at.BATCH_ROWS, training.batchRows)
  word(at.EPOCHS, training.localEpochs)
  word(at.ADAM, training.optimiser === 'adam' ? 1 : 0)
  word(at.WORK, work)
  word(at.GRADIENT, gradient)
  word(at.WORK_BYTES, workBytes)
  word(at.ZERO_ROW, zeroRow)
  word(at.ANCHOR, anchor)
  word(at.STEERED_BYTES, count.head === 0 ? workBytes : workBytes - BIAS_BYTES)
  kernels.f32[(pointer + at.LEARNING_RATE) / 4] = training.learningRate
  kernels.f32[(pointer + at.L2) / 4] = training.l2
  kernels.f32[(pointer + at.PULL_STRENGTH) / 4] = training.proximal ?? 0
  const adamBytes = training.optimiser === 'adam' ? at.ADAM_MOMENTS + 2 * workBytes : 0
  const { shared, head } = count
  const slotBytes = padded(4 * (shared + head))
  const spareSlot = memory.alloc(slotBytes)
  return { pointer, shared, head, slotBytes, rowBytes, workBytes, adamBytes, anchor, drift, spareSlot }
}

/** Writes the layers at `pointer`, with room for the activations of four rows; returns the bytes of the padded parameters. */
function writeLayers(memory: Memory, pointer: number, layers: ReturnType<typeof layout>): number {
  let work = 0
  layers.forEach(({ inputs, outputs, kernelAt, biasAt }, l) => {
    const hidden = biasAt !== null
    const width = padded(4 * (hidden ? outputs : inputs))
    const kernelBytes = hidden ? inputs * width : width
    const [activations, deltas] = hidden
      ? [memory.alloc(ROWS_TOGETHER * width), memory.alloc(ROWS_TOGETHER * width)]
      : [0, 0]
    const fields: readonly [number, number][] = [
      [at.INPUTS, inputs],
      [at.OUTPUTS, outputs],
      [at.WIDTH_BYTES, width],
      [at.SLOT_KERNEL, 4 * kernelAt],
      [at.SLOT_BIAS, 4 * (biasAt ?? kernelAt + inputs)],
      [at.WORK_KERNEL, work],
      [at.WORK_BIAS, work + kernelBytes],
      [at.ACTIVATIONS, activations],
      [at.DELTAS, deltas],
    ]
    for (const [field, value] of fields) memory.kernels.u32[(pointer + l * at.LAYER_BYTES + field) / 4] = value
    work += kernelBytes + (hidden ? width : BIAS_BYTES)
  })
  return work
}

/** Room for the order of up to `rows` rows, which a seed then shuffles. Errors: `kernels-memory`. */
export function reserveOrder(memory: Memory, plan: Plan, rows: number): void {
  const order = memory.alloc(4 * rows)
  memory.kernels.u32[(plan.pointer + at.ORDER) / 4] = order
}
