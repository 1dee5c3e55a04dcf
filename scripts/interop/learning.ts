/** Measures, frozen statistics and trained models, for scikit-learn to compute again from the same numbers. */
import { fileURLToPath } from 'node:url'
import type { StudyId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { combineStatistics, freezeScaling } from '../../src/core/statistics.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import type { DesignMatrix } from '../../src/learn/learner.ts'
import { initialWeights } from '../../src/learn/model.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { judgedBy, type Verdict } from './tool.ts'

const COLUMNS = 4
const L2 = 0.02
const STUDY = '0'.repeat(64) as StudyId

/** Agreement is to float64 rounding for measures and statistics, and to 1e-4 for a logistic regression trained to its optimum. */
export async function checkLearning(): Promise<Verdict> {
  const rng = Rng.from('interop', 'learning')
  const given = {
    measures: [12, 40, 333, 2000].map((rows) => measuresOf(rng, rows)),
    statistics: statisticsOf(rng),
    logistic: await logisticOf(rng),
  }
  const cwd = fileURLToPath(new URL('learning', import.meta.url))
  const tool = { command: 'python3', args: ['check.py'], probe: ['-c', 'import sklearn'], cwd }
  return judgedBy({ ...tool, wants: 'scikit-learn 1.3 or newer ("pip install scikit-learn")' }, given)
}

/** Logits in steps of a quarter, so that many are tied; none lies on the border of two calibration bins, where conventions differ. */
function measuresOf(rng: Rng, rows: number) {
  const labels = Uint8Array.from({ length: rows }, (_, i) => (i < 2 ? i : rng.below(2)))
  const logits = Array.from(labels, (label) => Math.round((bell(rng) * 2 + label) * 4) / 4 + 0.1)
  return { logits, labels: [...labels], metrics: evaluate(logits, labels) }
}

/** Three hospitals' columns, some values missing; one column is constant. */
function statisticsOf(rng: Rng) {
  const hospitals = [30, 41, 77].map((rows) =>
    Array.from({ length: rows }, () =>
      [70 + 9 * bell(rng), 1e6 + bell(rng), 5, 0.001 * bell(rng)].map((value) => (rng.below(10) === 0 ? null : value)),
    ),
  )
  const each = hospitals.map((rows) => {
    const columns = Array.from({ length: 4 }, (_, column) => rows.flatMap((row) => row[column] ?? []))
    const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)
    return {
      count: columns.map((values) => values.length),
      sum: columns.map(total),
      sumOfSquares: columns.map((values) => total(values.map((value) => value * value))),
    }
  })
  return { rows: hospitals.flat(), scaling: freezeScaling(combineStatistics(each)) }
}

async function logisticOf(rng: Rng) {
  const rows = 240
  const x = Float32Array.from({ length: rows * COLUMNS }, () => bell(rng))
  const y = Uint8Array.from({ length: rows }, (_, row) => {
    const z = 1.5 * (x[row * COLUMNS] as number) - (x[row * COLUMNS + 1] as number) + 0.5 + bell(rng)
    return z > 0 ? 1 : 0
  })
  const train: DesignMatrix = { rows, columns: COLUMNS, x, y }
  const training = { localEpochs: 3000, batchRows: rows, learningRate: 0.5, l2: L2, optimiser: 'sgd' } as const
  const learner = new TfjsLearner({ backend: 'cpu' })
  try {
    await learner.open({ study: STUDY, model: { kind: 'logistic' }, training, train, test: train })
    const base = initialWeights({ kind: 'logistic' }, COLUMNS, STUDY)
    const { weights } = await learner.train({ study: STUDY, base, optimiser: new Uint8Array(0), seed: 'interop' })
    const coefficients = [...weights.shared]
    return { x: [...x], y: [...y], columns: COLUMNS, l2: L2, coefficients, intercept: weights.head[0] }
  } finally {
    await learner.close()
  }
}

/** About normal, by the sum of twelve uniform numbers. */
function bell(rng: Rng): number {
  return Array.from({ length: 12 }, () => rng.float()).reduce((sum, value) => sum + value, -6)
}
