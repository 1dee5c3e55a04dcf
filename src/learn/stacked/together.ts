/** Many nodes in one network: their weights stacked, one batched product per dense layer. */
import { type BackendName, type Engine, type Layer, onBackend, type Tensor } from '../tfjsEngine.ts'
import { type Gradients, lossOf, type Network, type StepRows, weightsOf } from './network.ts'

/** Takes [nodes · rows, …] and gives the same of the next layer. */
type Stage = (h: Tensor, parameters: readonly Tensor[], nodes: number) => Tensor

/**
 * Whether nodes can be stacked: a chain of dense layers, with any activation, and of layers without weights (activation, flatten, reshape, pooling …),
 * for whom the rows of all nodes are one larger batch.
 */
export function canStack({ model }: Network): boolean {
  return (
    model.getClassName() === 'Sequential' &&
    model.layers.every((layer) => layer.getClassName() === 'Dense' || layer.weights.length === 0)
  )
}

/** Trains the nodes of a step as one batch: products are [nodes, rows, in] · [nodes, in, out]. */
export class Together implements Gradients {
  readonly #engine: Engine
  readonly #backend: BackendName
  readonly #network: Network
  readonly #stages: readonly Stage[]

  /** `network` can be stacked. */
  constructor(engine: Engine, backend: BackendName, network: Network) {
    this.#engine = engine
    this.#backend = backend
    this.#network = network
    let next = 0
    this.#stages = network.model.layers.map((layer) => {
      if (layer.getClassName() !== 'Dense') return (h) => layer.apply(h) as Tensor
      const at = next
      next += layer.weights.length
      return denseStage(engine, layer, at)
    })
  }

  step(
    values: readonly Float32Array[],
    rows: StepRows,
    gradients: readonly Float32Array[],
    losses: Float64Array,
  ): void {
    const { tf } = this.#engine
    this.#within(() => {
      const [y, weights] = [rows.y, weightsOf(rows)].map((each) => tf.tensor(each, [rows.nodes, rows.rows])) as [
        Tensor,
        Tensor,
      ]
      const x = tf.tensor(rows.x, [rows.nodes * rows.rows, ...this.#network.inputShape])
      const loss = (...parameters: Tensor[]): Tensor => {
        const logits = tf.reshape(this.#forward(x, parameters, rows.nodes), [rows.nodes, rows.rows])
        return lossOf(this.#engine, logits, y, weights)
      }
      const { value, grads } = tf.valueAndGrads(loss)(this.#stacked(values, rows.nodes))
      losses.set(value.dataSync())
      grads.forEach((gradient, p) => {
        gradients[p]?.set(gradient.dataSync())
      })
    })
  }

  logits(values: readonly Float32Array[], x: Float32Array, rows: number): Float32Array {
    const { tf } = this.#engine
    return this.#within(() => {
      const input = tf.tensor(x, [rows, ...this.#network.inputShape])
      return this.#forward(input, this.#stacked(values, 1), 1).dataSync() as Float32Array
    })
  }

  #within<T>(work: () => T): T {
    return onBackend(this.#engine, this.#backend, () => {
      let result: T | undefined
      this.#engine.tf.tidy(() => {
        result = work()
      })
      return result as T
    })
  }

  #stacked(values: readonly Float32Array[], nodes: number): Tensor[] {
    const { tf } = this.#engine
    return this.#network.parameters.map(({ shape }, p) => tf.tensor(values[p] as Float32Array, [nodes, ...shape]))
  }

  #forward(x: Tensor, parameters: readonly Tensor[], nodes: number): Tensor {
    return this.#stages.reduce((h, stage) => stage(h, parameters, nodes), x)
  }
}

/** A dense layer whose kernel is the parameter `at`, and whose bias, if it has one, is the next. */
function denseStage({ tf, layers }: Engine, layer: Layer, at: number): Stage {
  const { activation, useBias } = layer.getConfig()
  const name = activation as 'linear'
  const curve = name === 'linear' ? null : layers.layers.activation({ activation: name })
  return (h, parameters, nodes) => {
    const kernel = parameters[at] as Tensor
    const [inputs, outputs] = kernel.shape.slice(1) as [number, number]
    const product = tf.matMul(tf.reshape(h, [nodes, -1, inputs]), kernel)
    const moved =
      useBias === true ? tf.add(product, tf.reshape(parameters[at + 1] as Tensor, [nodes, 1, outputs])) : product
    const flat = tf.reshape(moved, [...h.shape.slice(0, -1), outputs])
    return curve === null ? flat : (curve.apply(flat) as Tensor)
  }
}
