/** What a learner refuses: matrices that do not fit each other, and a model that has diverged. */
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { OpenRequest } from './learner.ts'

/** A wrong matrix is our own bug. */
export function checkMatrices({ train, test, validation }: OpenRequest): void {
  const others = validation === undefined ? [test] : [test, validation]
  for (const matrix of [train, ...others]) {
    invariant(matrix.rows > 0 && matrix.columns > 0, 'a design matrix has rows and columns')
    const fits = matrix.x.length === matrix.rows * matrix.columns && matrix.y.length === matrix.rows
    invariant(fits, 'x and y have as many rows as said')
  }
  invariant(
    others.every(({ columns }) => columns === train.columns),
    'all rows have the same columns',
  )
}

/** Error: `learner-diverged`. */
export function checkFinite({ study, training }: OpenRequest, values: Float32Array): void {
  if (values.every(Number.isFinite)) return
  const given = `learningRate ${training.learningRate}, l2 ${training.l2}`
  const message = `study ${study}: the model is no longer finite (${given}); lower the learning rate`
  throw learnerError('learner-diverged', message)
}

/** Codes begin with `learner-`; it blames no peer. */
export function learnerError(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
