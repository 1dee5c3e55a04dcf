/** The layout of a model's parameters, its first weights, and a plain forward pass that needs no tensor library. */

import { invariant } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import { Rng } from '../core/rng.ts'
import type { DesignMatrix, ModelSpec, Weights } from './learner.ts'

/** One dense layer's place in `shared`: kernel row-major [inputs × outputs] at `kernelAt`, bias at `biasAt`. */
export interface LayerLayout {
  readonly inputs: number
  readonly outputs: number
  readonly kernelAt: number
  /** Null for the output layer: its bias is the head, or follows its kernel (`outputBias`). */
  readonly biasAt: number | null
}

/** Parameters as any list of numbers: float32 as they travel, float64 where a test takes differences. */
export interface Parameters {
  readonly shared: ArrayLike<number>
  readonly head: ArrayLike<number>
}

/** The dense layers of `spec`, in order, for `columns` inputs; the last has one output, the logit. */
export function layout(spec: ModelSpec, columns: number): LayerLayout[] {
  const widths = [columns, ...(spec.kind === 'mlp' ? spec.hidden : []), 1]
  invariant(
    widths.every((width) => Number.isInteger(width) && width > 0),
    `layer widths ${widths} are not positive integers`,
  )
  const layers: LayerLayout[] = []
  let at = 0
  for (let i = 1; i < widths.length; i++) {
    const inputs = widths[i - 1] as number
    const outputs = widths[i] as number
    const last = i === widths.length - 1
    layers.push({ inputs, outputs, kernelAt: at, biasAt: last ? null : at + inputs * outputs })
    at += inputs * outputs + (last ? 0 : outputs)
  }
  return layers
}

/** How many numbers `shared` and `head` hold. */
export function parameterCount(spec: ModelSpec, columns: number): { readonly shared: number; readonly head: 0 | 1 } {
  const last = layout(spec, columns).at(-1) as LayerLayout
  const kernels = last.kernelAt + last.inputs * last.outputs
  return spec.head === 'none' ? { shared: kernels + 1, head: 0 } : { shared: kernels, head: 1 }
}

/** The output layer's bias, wherever it lies: in the head, or last of the shared weights. */
export function outputBias({ shared, head }: Parameters): number {
  return (head.length > 0 ? head[0] : shared[shared.length - 1]) as number
}

/**
 * The weights that every member starts from, the same bytes on every machine: zeros for logistic regression (its loss is convex);
 * for an MLP uniform in ±√(6 / (inputs + outputs)) with biases 0 (Glorot and Bengio 2010, eq. 16). Only + − × ÷ √ are used.
 */
export function initialWeights(spec: ModelSpec, columns: number, seedDigest: Digest): Weights {
  const count = parameterCount(spec, columns)
  const shared = new Float32Array(count.shared)
  if (spec.kind === 'mlp') {
    const rng = Rng.fromDigest(seedDigest)
    for (const { inputs, outputs, kernelAt } of layout(spec, columns)) {
      const limit = Math.sqrt(6 / (inputs + outputs))
      for (let i = 0; i < inputs * outputs; i++) shared[kernelAt + i] = (2 * rng.float() - 1) * limit
    }
  }
  return { shared, head: new Float32Array(count.head) }
}

/** The logits of every row of `matrix`, summed in float64; `weights` must have the lengths that `parameterCount` says. */
export function predict(
  spec: ModelSpec,
  columns: number,
  weights: Parameters,
  matrix: Pick<DesignMatrix, 'rows' | 'columns' | 'x'>,
): Float64Array {
  invariant(matrix.columns === columns, `${matrix.columns} columns given, the model has ${columns}`)
  invariant(weights.shared.length === parameterCount(spec, columns).shared, 'the weights are of another model')
  const layers = layout(spec, columns)
  const logits = new Float64Array(matrix.rows)
  for (let row = 0; row < matrix.rows; row++) {
    let values: ArrayLike<number> = matrix.x.subarray(row * columns, (row + 1) * columns)
    for (const layer of layers) values = forward(layer, weights, values)
    logits[row] = values[0] as number
  }
  return logits
}

/** σ(logit), exact in both tails. */
export function probability(logit: number): number {
  if (logit >= 0) return 1 / (1 + Math.exp(-logit))
  const odds = Math.exp(logit)
  return odds / (1 + odds)
}

function forward(layer: LayerLayout, weights: Parameters, values: ArrayLike<number>): Float64Array {
  const { inputs, outputs, kernelAt, biasAt } = layer
  const { shared } = weights
  const out = new Float64Array(outputs)
  for (let j = 0; j < outputs; j++) out[j] = biasAt === null ? outputBias(weights) : (shared[biasAt + j] as number)
  for (let i = 0; i < inputs; i++) {
    const value = values[i] as number
    for (let j = 0; j < outputs; j++)
      out[j] = (out[j] as number) + value * (shared[kernelAt + i * outputs + j] as number)
  }
  if (biasAt !== null) for (let j = 0; j < outputs; j++) out[j] = Math.max(0, out[j] as number)
  return out
}
