/** A learner in a few lines for protocol questions: least squares on ±1 by gradient steps, only + − ×, so alike on every machine. */

import { ConsiliumError } from '../../src/core/errors.ts'
import type { StudyId } from '../../src/core/ids.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import { Rng } from '../../src/core/rng.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import { withRowsInUse } from '../../src/learn/inUse.ts'
import {
  type DesignMatrix,
  type Learner,
  type OpenRequest,
  type Part,
  rowsOf,
  type TrainRequest,
  type TrainResult,
  type Weights,
} from '../../src/learn/learner.ts'
import { predict } from '../../src/learn/model.ts'

const STEP = 0.02 // small enough for inputs standardised and clipped at 8 deviations, with up to about 50 columns

/** Trains linear models (`kind: logistic`) only; its one state is the weights. Error: `learner-study-not-open`. */
export class LinearLearner implements Learner {
  readonly #open = new Map<StudyId, OpenRequest>()

  async open(request: OpenRequest): Promise<{ readonly backend: string; readonly why: string }> {
    this.#open.set(request.study, withRowsInUse(request))
    return { backend: 'linear', why: 'the simulation asked for it' }
  }

  async train({ study, base, seed }: TrainRequest): Promise<TrainResult> {
    const { train, training } = this.#request(study)
    const shared = base.shared.slice()
    const head = base.head.slice()
    let loss = 0
    for (let epoch = 0; epoch < training.localEpochs; epoch++) {
      loss = 0
      const order = Rng.from('linear', seed, epoch).shuffle(Uint32Array.from({ length: train.rows }, (_, row) => row))
      for (const row of order) loss += step(shared, head, train.x, train.columns, row, 2 * (train.y[row] as number) - 1)
    }
    return {
      weights: { shared, head },
      optimiser: new Uint8Array(0),
      loss: loss / train.rows,
      examples: train.rows,
      place: { steps: 1, lossSum: loss }, // to itself a round is one step
      done: true,
    }
  }

  async evaluate(study: StudyId, weights: Weights): Promise<Metrics> {
    const { model, test } = this.#request(study)
    return evaluate(predict(model, test.columns, weights, test), test.y)
  }

  async logits(study: StudyId, weights: Weights, rows: Part | DesignMatrix): Promise<Float32Array> {
    const request = this.#request(study)
    const matrix = typeof rows === 'string' ? rowsOf(request, rows) : rows
    return Float32Array.from(predict(request.model, matrix.columns, weights, matrix))
  }

  async close(): Promise<void> {
    this.#open.clear()
  }

  #request(study: StudyId): OpenRequest {
    const request = this.#open.get(study)
    if (request !== undefined) return request
    throw new ConsiliumError({
      code: 'learner-study-not-open',
      message: `study ${study} is not open here; open it first`,
    })
  }
}

/** One step on one row; returns half its squared error before the step. */
function step(
  shared: Float32Array,
  head: Float32Array,
  x: Float32Array,
  columns: number,
  row: number,
  target: number,
): number {
  let sum = head[0] as number
  for (let j = 0; j < columns; j++) sum += (shared[j] as number) * (x[row * columns + j] as number)
  const error = target - sum
  const move = (STEP * error) / Math.max(1, columns)
  for (let j = 0; j < columns; j++) shared[j] = (shared[j] as number) + move * (x[row * columns + j] as number)
  head[0] = (head[0] as number) + move
  return (error * error) / 2
}
