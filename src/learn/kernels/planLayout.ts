/**
 * Where the fields of a plan lie, as bytes from its start. A plan tells the kernels the shape of a study's model and how it trains; `plan.ts`
 * writes it, the kernels in `assembly/` read it, and both take the places from here. Every field is one 32-bit word.
 */

/** Changes with the plan or with a kernel's arguments: a loader refuses a `.wasm` that was built from another version. */
export const KERNELS_VERSION = 3

/** Bytes from one row to the next: columns padded to a multiple of four float32. */
export const ROW_BYTES = 0
/** Hidden layers, 0 to 4; 0 is logistic regression. */
export const HIDDEN = 4
export const BATCH_ROWS = 8
export const EPOCHS = 12
/** 1: Adam, 0: SGD. */
export const ADAM = 16
/** float32. */
export const LEARNING_RATE = 20
/** float32; the gradient of a kernel gets l2 · kernel. */
export const L2 = 24
/** Pointer: room for one order of rows, u32 each. */
export const ORDER = 28
/** Pointer: the padded parameters that are being trained. */
export const WORK = 32
/** Pointer: their gradient, laid out alike. */
export const GRADIENT = 36
/** Bytes of the padded parameters. */
export const WORK_BYTES = 40
/** Pointer: a row of zeros, which fills up a group of four rows. */
export const ZERO_ROW = 44
/** float32; the gradient gets strength · (parameter − anchor). 0: no pull. */
export const PULL_STRENGTH = 48
/** Pointer: what the pull goes to, laid out as the padded parameters. */
export const ANCHOR = 52
/** Pointer: what is added to every gradient, laid out alike; 0: nothing. */
export const DRIFT = 56
/** Bytes of the padded parameters that pull and drift are for: all that travel. */
export const STEERED_BYTES = 60
/** The first layer; the others follow, the output layer last. */
export const LAYERS = 64

/** Bytes of one layer. Its fields follow, as bytes from its start. */
export const LAYER_BYTES = 36
export const INPUTS = 0
export const OUTPUTS = 4
/** Bytes of the outputs of one row, padded to 16; of the output layer: bytes of its inputs, for its kernel is one padded vector. */
export const WIDTH_BYTES = 8
/** Bytes from the start of a model's slot. */
export const SLOT_KERNEL = 12
export const SLOT_BIAS = 16
/** Bytes from the start of the padded parameters. */
export const WORK_KERNEL = 20
export const WORK_BIAS = 24
/** Pointer: four rows of activations; 0 at the output layer. */
export const ACTIVATIONS = 28
/** Pointer: four rows of the loss's derivatives by what the layer computed before its ReLU; 0 at the output layer. */
export const DELTAS = 32

/** Adam's state of one model: running products of β₁ and β₂ (float64), the steps (u32), then both moments laid out as the padded parameters. */
export const ADAM_BETA1_POWER = 0
export const ADAM_BETA2_POWER = 8
export const ADAM_STEPS = 16
export const ADAM_MOMENTS = 32
