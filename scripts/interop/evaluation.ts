/** Brier score, DeLong's variances, Cox's calibration and Wilson's intervals, for SciPy and scikit-learn to compute again. */
import { fileURLToPath } from 'node:url'
import { Rng } from '../../src/core/rng.ts'
import { wilson } from '../../src/learn/assess.ts'
import { calibrationFit } from '../../src/learn/calibration.ts'
import { aucDifference, aucEstimate } from '../../src/learn/delong.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import { judgedBy, type Verdict } from './tool.ts'

/** Agreement is to float64 rounding, and to 1e-5 where the other side stops its search for a maximum. */
export async function checkEvaluation(): Promise<Verdict> {
  const rng = Rng.from('interop', 'evaluation')
  const given = {
    models: [25, 120, 800].map((rows) => modelsOf(rng, rows)),
    shares: [
      [0, 20],
      [3, 17],
      [40, 41],
      [81, 263],
    ].map(([count, of]) => ({ count, of, wilson: wilson(count as number, of as number) })),
  }
  const cwd = fileURLToPath(new URL('learning', import.meta.url))
  const tool = { command: 'python3', args: ['evaluation.py'], probe: ['-c', 'import sklearn, scipy'], cwd }
  return judgedBy({ ...tool, wants: 'scikit-learn 1.3 and SciPy 1.11 or newer ("pip install scikit-learn")' }, given)
}

/** Two models of the same rows, logits in steps of a quarter, so that many are tied. */
function modelsOf(rng: Rng, rows: number) {
  const labels = Uint8Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? 1 : 0))
  const noise = (): number => 4 * (rng.float() + rng.float() - 1)
  const [a, b] = [1.4, 0.7].map((signal) =>
    Array.from(labels, (label) => Math.round(4 * (signal * label + noise() - 0.5)) / 4),
  ) as [number[], number[]]
  return {
    labels: [...labels],
    logits: [a, b],
    brier: evaluate(a, labels).brier,
    auc: aucEstimate(a, labels),
    difference: aucDifference(a, b, labels),
    ...calibrationFit(a, labels),
  }
}
