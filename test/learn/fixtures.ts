/** Small tables and studies for the learner's tests. */
import type { StudyId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import type { DesignMatrix, ModelSpec, OpenRequest, TrainingSpec, Weights } from '../../src/learn/learner.ts'
import { parameterCount } from '../../src/learn/model.ts'

export const STUDY = 'c0ffee'.padEnd(64, '7') as StudyId

/** Rows whose first two columns tell the label apart by `gap` standard units; the others are noise in ±1. */
export function table(seed: string, rows: number, columns: number, gap = 0.9): DesignMatrix {
  const rng = Rng.from('test-table', seed)
  const x = new Float32Array(rows * columns)
  const y = new Uint8Array(rows)
  for (let row = 0; row < rows; row++) {
    y[row] = row % 3 === 0 ? 1 : 0
    for (let j = 0; j < columns; j++) {
      const shift = j < 2 ? ((y[row] as number) - 1 / 3) * gap : 0
      x[row * columns + j] = 2 * rng.float() - 1 + shift
    }
  }
  return { rows, columns, x, y }
}

/** Weights with nothing special about them, in ±½. */
export function someWeights(model: ModelSpec, columns: number, seed = 'weights'): Weights {
  const rng = Rng.from('test-weights', seed)
  const draw = () => rng.float() - 0.5
  return {
    shared: Float32Array.from({ length: parameterCount(model, columns).shared }, draw),
    head: Float32Array.of(draw()),
  }
}

export const TRAINING: TrainingSpec = { localEpochs: 2, batchRows: 7, learningRate: 0.03, l2: 0.02, optimiser: 'adam' }

export function opening(
  overrides: Partial<OpenRequest> & { readonly trainings?: Partial<TrainingSpec> } = {},
): OpenRequest {
  const { trainings, ...rest } = overrides
  const training = { ...TRAINING, ...trainings }
  return {
    study: STUDY,
    model: { kind: 'logistic' },
    training,
    train: table('train', 60, 5),
    test: table('test', 45, 5),
    ...rest,
  }
}

export const LOGISTIC: ModelSpec = { kind: 'logistic' }
export const MLP: ModelSpec = { kind: 'mlp', hidden: [6, 3] }
