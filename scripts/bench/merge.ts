/** Benchmark: the merge of 32 models of a million parameters against the simplest loop that sums the same buffers. */
import { weightedMean } from '../../src/learn/merge/mean.ts'
import { type Figure, median } from './figures.ts'
import { randomModels } from './models.ts'

const MODELS = 32
const PARAMETERS = 1_000_000
const RUNS = 15 // interleaved, so that a neighbour's load falls on both alike
const TARGET = 1 // at least the rate of the simplest loop

/** One figure: the median of the loop's times over the median of ours, above 1 where we are faster. */
export async function bench(): Promise<Figure[]> {
  const models = randomModels(MODELS, PARAMETERS, 'merge')
  const examples = models.map((_, m) => 40 + 17 * m)
  const total = examples.reduce((a, b) => a + b)
  const weights = examples.map((n) => n / total)
  const sum = new Float32Array(PARAMETERS)
  const out = new Float32Array(PARAMETERS)
  const loopMs: number[] = []
  const meanMs: number[] = []
  for (let run = -2; run < RUNS; run++) {
    const loop = time(() => simplestSum(models, sum))
    const mean = time(() => weightedMean(models, weights, out))
    if (run < 0) continue // the first two compile
    loopMs.push(loop)
    meanMs.push(mean)
  }
  const ratio = median(loopMs) / median(meanMs)
  const rate = (ms: number) => `${((MODELS * PARAMETERS) / ms / 1e6).toFixed(2)} G parameters/s`
  const figure =
    `merge ${median(meanMs).toFixed(1)} ms (best ${Math.min(...meanMs).toFixed(1)}, ${rate(median(meanMs))}); ` +
    `loop ${median(loopMs).toFixed(1)} ms (best ${Math.min(...loopMs).toFixed(1)}, ${rate(median(loopMs))})`
  return [{ name: 'merge 32 × 1M, sample-weighted mean', figure, ratio, target: TARGET, ok: ratio >= TARGET }]
}

function simplestSum(models: readonly Float32Array[], sum: Float32Array): void {
  sum.fill(0)
  for (const model of models) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (model[i] as number)
}

function time(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}
