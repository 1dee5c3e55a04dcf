/** A model's logits in plain arithmetic, in slices between which the event loop gets its turn: for studies that no learner has open. */
import { setImmediate } from 'node:timers/promises'
import type { DesignMatrix, ModelSpec } from './learner.ts'
import { type Parameters, parameterCount, predict } from './model.ts'

const MULTIPLICATIONS = 2_000_000 // of one slice: about 5 ms

/** One logit for each row of `matrix`, as `predict` gives them. */
export async function logitsInSlices(
  spec: ModelSpec,
  weights: Parameters,
  matrix: Pick<DesignMatrix, 'rows' | 'columns' | 'x'>,
): Promise<Float64Array> {
  const { rows, columns, x } = matrix
  const logits = new Float64Array(rows)
  const step = Math.max(1, Math.floor(MULTIPLICATIONS / parameterCount(spec, columns).shared))
  for (let at = 0; at < rows; at += step) {
    const count = Math.min(step, rows - at)
    const slice = { rows: count, columns, x: x.subarray(at * columns, (at + count) * columns) }
    logits.set(predict(spec, columns, weights, slice), at)
    await setImmediate()
  }
  return logits
}
