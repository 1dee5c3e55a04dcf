/** Gradients of a dense network, row by row, each clipped to a norm before it is added. */
import type { DesignMatrix, ModelSpec } from '../learner.ts'
import { type LayerLayout, layout, probability } from '../model.ts'

interface Layer extends LayerLayout {
  /** Of one row; the last layer's is the logit. */
  readonly outputsOfRow: Float64Array
  /** Derivatives of the row's loss by what goes into the activation. */
  readonly deltas: Float64Array
}

/**
 * Adds up clipped gradients of the log-loss. `parameters` are all that is trained, shared ones first, the output bias last. A dense
 * layer's gradient of one row is the outer product of its inputs and deltas, whose norm is the product of theirs: so it is known before
 * anything is multiplied out, and scaled deltas are added at once (Goodfellow 2015, "Efficient per-example gradient computations").
 */
export class ClippedGradients {
  readonly #layers: readonly Layer[]
  readonly #head: number

  constructor(model: ModelSpec, columns: number) {
    this.#layers = layout(model, columns).map((layer) => {
      const [outputsOfRow, deltas] = [new Float64Array(layer.outputs), new Float64Array(layer.outputs)]
      return { ...layer, outputsOfRow, deltas }
    })
    const last = this.#layers.at(-1) as Layer
    this.#head = last.kernelAt + last.inputs * last.outputs
  }

  /** Adds row `row`'s gradient, no longer than `clipNorm`, to `sum`; returns the row's log-loss, nats. */
  add(parameters: Float64Array, matrix: DesignMatrix, row: number, clipNorm: number, sum: Float64Array): number {
    const x = matrix.x.subarray(row * matrix.columns, (row + 1) * matrix.columns)
    const label = matrix.y[row] as number
    const logit = this.#forward(parameters, x)
    const length = Math.sqrt(this.#backward(parameters, x, probability(logit) - label))
    // not finite: a row whose gradient is too long to be told is left out, which is as good as clipping
    if (length < Number.POSITIVE_INFINITY) this.#accumulate(x, length > clipNorm ? clipNorm / length : 1, sum)
    return Math.log1p(Math.exp(-Math.abs(logit))) + Math.max(logit, 0) - logit * label
  }

  #forward(parameters: Float64Array, x: Float32Array): number {
    let values: Float32Array | Float64Array = x
    for (const { inputs, outputs, kernelAt, biasAt, outputsOfRow } of this.#layers) {
      for (let j = 0; j < outputs; j++) outputsOfRow[j] = parameters[(biasAt ?? this.#head) + j] as number
      for (let i = 0; i < inputs; i++) {
        const value = values[i] as number
        const from = kernelAt + i * outputs
        if (value === 0) continue
        for (let j = 0; j < outputs; j++)
          outputsOfRow[j] = (outputsOfRow[j] as number) + value * (parameters[from + j] as number)
      }
      if (biasAt !== null) for (let j = 0; j < outputs; j++) outputsOfRow[j] = Math.max(0, outputsOfRow[j] as number)
      values = outputsOfRow
    }
    return values[0] as number
  }

  /** Fills all deltas; returns the squared norm of the whole gradient: Σ over layers of ‖delta‖² (‖inputs‖² + 1), the 1 for the bias. */
  #backward(parameters: Float64Array, x: Float32Array, slope: number): number {
    let squares = 0
    for (let l = this.#layers.length - 1; l >= 0; l--) {
      const { outputs, deltas } = this.#layers[l] as Layer
      if (l === this.#layers.length - 1) deltas[0] = slope
      else this.#deltasOf(parameters, l)
      const inputs = this.#inputsOf(l, x)
      squares += squaresOf(deltas, outputs) * (squaresOf(inputs, inputs.length) + 1)
    }
    return squares
  }

  /** δ = (W of the next layer · its δ), where the unit is on. */
  #deltasOf(parameters: Float64Array, l: number): void {
    const { outputs, outputsOfRow, deltas } = this.#layers[l] as Layer
    const next = this.#layers[l + 1] as Layer
    for (let i = 0; i < outputs; i++) {
      let sum = 0
      if ((outputsOfRow[i] as number) > 0) {
        const from = next.kernelAt + i * next.outputs
        for (let j = 0; j < next.outputs; j++) sum += (parameters[from + j] as number) * (next.deltas[j] as number)
      }
      deltas[i] = sum
    }
  }

  #accumulate(x: Float32Array, factor: number, sum: Float64Array): void {
    this.#layers.forEach(({ inputs, outputs, kernelAt, biasAt, deltas }, l) => {
      for (let j = 0; j < outputs; j++) deltas[j] = (deltas[j] as number) * factor
      const values = this.#inputsOf(l, x)
      for (let i = 0; i < inputs; i++) {
        const value = values[i] as number
        const from = kernelAt + i * outputs
        if (value === 0) continue
        for (let j = 0; j < outputs; j++) sum[from + j] = (sum[from + j] as number) + value * (deltas[j] as number)
      }
      const bias = biasAt ?? this.#head
      for (let j = 0; j < outputs; j++) sum[bias + j] = (sum[bias + j] as number) + (deltas[j] as number)
    })
  }

  #inputsOf(l: number, x: Float32Array): Float32Array | Float64Array {
    return l === 0 ? x : (this.#layers[l - 1] as Layer).outputsOfRow
  }
}

function squaresOf(values: Float32Array | Float64Array, count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += (values[i] as number) * (values[i] as number)
  return sum
}
