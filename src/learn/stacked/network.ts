/** A tfjs network as its parameters in one fixed order: what travels first, the head last. */
import { invariant } from '../../core/errors.ts'
import type { Engine, Layer, LayersModel, Tensor, Variable } from '../tfjsEngine.ts'

/** One parameter tensor of a network. */
export interface Parameter {
  readonly variable: Variable
  readonly shape: readonly number[]
  readonly size: number
  /** Whether the penalty is on it: kernels have two dimensions or more, biases one. */
  readonly kernel: boolean
}

/** A network whose one output is a logit. */
export interface Network {
  readonly model: LayersModel
  /** Of one row. */
  readonly inputShape: readonly number[]
  /** In the order of the layers, but for the head, which is last. */
  readonly parameters: readonly Parameter[]
  /** All numbers of all parameters. */
  readonly size: number
  /** 1 where the layer that gives the logit has a bias. */
  readonly head: 0 | 1
}

/** The padded rows of several nodes that take one step together. */
export interface StepRows {
  readonly nodes: number
  /** Per node, padding included. */
  readonly rows: number
  /** Rows that are no padding, by node; at least one. */
  readonly counts: Uint32Array
  /** [nodes × rows × columns] and [nodes × rows]; padding is 0. */
  readonly x: Float32Array
  readonly y: Float32Array
}

/** Computes for several nodes at a time. `values` and `gradients` have an array for each parameter: [nodes × its size]. */
export interface Gradients {
  /** Fills `gradients` with those of each node's mean log-loss over its rows, and `losses` with that loss; nothing of `values` changes. */
  step(values: readonly Float32Array[], rows: StepRows, gradients: readonly Float32Array[], losses: Float64Array): void
  /** The logits of `rows` rows by one node's weights. */
  logits(values: readonly Float32Array[], x: Float32Array, rows: number): Float32Array
}

/** Takes a network apart; `logitLayer` is the dense layer that gives the logit. */
export function networkOf(model: LayersModel, logitLayer: Layer): Network {
  const weights = model.trainableWeights.map((weight) => weight.read() as Variable)
  const bias = logitLayer.getConfig().useBias === true ? (logitLayer.trainableWeights.at(-1)?.read() as Variable) : null
  const ordered = bias === null ? weights : [...weights.filter((each) => each !== bias), bias]
  const parameters = ordered.map((variable) => {
    return { variable, shape: [...variable.shape], size: variable.size, kernel: variable.rank > 1 }
  })
  return {
    model,
    inputShape: (model.inputs[0]?.shape ?? []).slice(1) as number[],
    parameters,
    size: parameters.reduce((sum, { size }) => sum + size, 0),
    head: bias === null ? 0 : 1,
  }
}

/** All parameters, one after the other. */
export function readNetwork({ parameters, size }: Network): Float32Array {
  const flat = new Float32Array(size)
  let at = 0
  for (const { variable, size: length } of parameters) {
    flat.set(variable.dataSync(), at)
    at += length
  }
  return flat
}

/** The sum of each node's weighted log-losses, by tfjs's own formula. `logits`, `y` and `weights` are [nodes, rows]. */
export function lossOf({ tf }: Engine, logits: Tensor, y: Tensor, weights: Tensor): Tensor {
  return tf.sum(tf.losses.sigmoidCrossEntropy(y, logits, weights, 0, tf.Reduction.NONE), 1)
}

/** A row's weight in its node's mean loss; padding weighs nothing. */
export function weightsOf({ nodes, rows, counts }: StepRows): Float32Array {
  const weights = new Float32Array(nodes * rows)
  for (let node = 0; node < nodes; node++) {
    const count = counts[node] as number
    invariant(count > 0 && count <= rows, `${count} of ${rows} rows`)
    weights.fill(1 / count, node * rows, node * rows + count)
  }
  return weights
}
