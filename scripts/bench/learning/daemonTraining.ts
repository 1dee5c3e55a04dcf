/** MLP 30-64-32-1 trained as the daemon does, in its worker thread and with whom it chose, against the best of all run directly. */
import { Rng } from '../../../src/core/rng.ts'
import { KernelLearner } from '../../../src/learn/kernels/kernelLearner.ts'
import type { DesignMatrix, Learner, OpenRequest } from '../../../src/learn/learner.ts'
import { initialWeights } from '../../../src/learn/model.ts'
import { TfjsLearner } from '../../../src/learn/tfjsLearner.ts'
import { WorkerLearner } from '../../../src/learn/workerLearner.ts'
import { type Figure, median } from '../figures.ts'

const COLUMNS = 30
const ROWS = 8_192
const TARGET = 0.5
const REPEATS = 5
const STUDY = 'b'.repeat(64) as OpenRequest['study']
const MODEL = { kind: 'mlp', hidden: [64, 32] } as const
const TRAINING = { localEpochs: 2, batchRows: 128, learningRate: 0.01, l2: 0.001, optimiser: 'adam' } as const

/** One figure. Who is measured: our SIMD kernels, TensorFlow.js on wasm and, where it loads, native. */
export async function bench(): Promise<Figure[]> {
  const request: OpenRequest = { study: STUDY, model: MODEL, training: TRAINING, train: made(ROWS), test: made(64) }
  const directly: { readonly name: string; readonly rate: number }[] = []
  for (const [name, make] of [
    ['kernels', () => new KernelLearner()],
    ['wasm', () => new TfjsLearner({ backend: 'wasm' })],
    ['native', () => new TfjsLearner({ backend: 'native' })],
  ] as const) {
    const measured = await measure(make(), request).catch(() => null) // native is an optional peer
    if (measured !== null) directly.push({ name, rate: measured.rate })
  }
  const { rate, backend } = await measure(new WorkerLearner(), request)
  const best = directly.reduce((a, b) => (a.rate >= b.rate ? a : b))
  const ratio = rate / best.rate
  const others = directly.map(({ name, rate }) => `${name} ${thousands(rate)}`).join(', ')
  const figure = `${thousands(rate)} samples/s, ${backend} chosen by itself (directly: ${others})`
  return [{ name: 'MLP 30-64-32-1 in the daemon’s worker', figure, ratio, target: TARGET, ok: ratio >= TARGET }]
}

/** Samples a second of a round, the median of a few. */
async function measure(learner: Learner, request: OpenRequest): Promise<{ rate: number; backend: string }> {
  try {
    const { backend } = await learner.open(request)
    const base = initialWeights(MODEL, COLUMNS, STUDY)
    const rates: number[] = []
    for (let i = 0; i <= REPEATS; i++) {
      const startMs = performance.now()
      await learner.train({ study: STUDY, base, optimiser: new Uint8Array(0), seed: `${i}` })
      rates.push((ROWS * TRAINING.localEpochs * 1000) / (performance.now() - startMs))
    }
    return { rate: median(rates.slice(1)), backend } // the first warms up
  } finally {
    await learner.close()
  }
}

function made(rows: number): DesignMatrix {
  const rng = Rng.from('bench', 'daemon training', rows)
  const x = Float32Array.from({ length: rows * COLUMNS }, () => 2 * rng.float() - 1)
  return { rows, columns: COLUMNS, x, y: Uint8Array.from({ length: rows }, () => rng.below(2)) }
}

const thousands = (rate: number): string => `${Math.round(rate / 1000)}k`
