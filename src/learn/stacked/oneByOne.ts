/** Any network: one node after the other, each with its own weights in the same variables. */
import { type BackendName, type Engine, onBackend, type Tensor } from '../tfjsEngine.ts'
import { type Gradients, lossOf, type Network, type StepRows } from './network.ts'

/** Trains the nodes of a step in turn; padding is left out. */
export class OneByOne implements Gradients {
  readonly #engine: Engine
  readonly #backend: BackendName
  readonly #network: Network
  constructor(engine: Engine, backend: BackendName, network: Network) {
    this.#engine = engine
    this.#backend = backend
    this.#network = network
  }

  step(
    values: readonly Float32Array[],
    rows: StepRows,
    gradients: readonly Float32Array[],
    losses: Float64Array,
  ): void {
    onBackend(this.#engine, this.#backend, () => {
      for (let node = 0; node < rows.nodes; node++) {
        this.#engine.tf.tidy(() => {
          losses[node] = this.#stepOf(node, values, rows, gradients)
        })
      }
    })
  }

  logits(values: readonly Float32Array[], x: Float32Array, rows: number): Float32Array {
    return onBackend(this.#engine, this.#backend, () => {
      let logits = new Float32Array(0)
      this.#engine.tf.tidy(() => {
        this.#load(values, 0)
        logits = this.#forward(x, rows).dataSync() as Float32Array<ArrayBuffer>
      })
      return logits
    })
  }

  #stepOf(
    node: number,
    values: readonly Float32Array[],
    { rows, counts, x, y }: StepRows,
    gradients: readonly Float32Array[],
  ): number {
    const { tf } = this.#engine
    const { parameters } = this.#network
    const count = counts[node] as number
    const columns = x.length / y.length
    const from = node * rows
    this.#load(values, node)
    const labels = tf.tensor(y.subarray(from, from + count), [1, count])
    const weights = tf.fill([1, count], 1 / count)
    const variables = parameters.map(({ variable }) => variable)
    const { value, grads } = tf.variableGrads(() => {
      const logits = this.#forward(x.subarray(from * columns, (from + count) * columns), count)
      return tf.sum(lossOf(this.#engine, tf.reshape(logits, [1, count]), labels, weights))
    }, variables)
    variables.forEach(({ name, size }, p) => {
      gradients[p]?.set((grads[name] as Tensor).dataSync(), node * size)
    })
    return value.dataSync()[0] as number
  }

  #load(values: readonly Float32Array[], node: number): void {
    this.#network.parameters.forEach(({ variable, size, shape }, p) => {
      const own = (values[p] as Float32Array).subarray(node * size, (node + 1) * size)
      variable.assign(this.#engine.tf.tensor(own, [...shape]))
    })
  }

  #forward(x: Float32Array, rows: number): Tensor {
    const { model, inputShape } = this.#network
    return model.apply(this.#engine.tf.tensor(x, [rows, ...inputShape])) as Tensor
  }
}
