/** Benchmark: the merge rules of 32 models of a million parameters, against a sort at each coordinate and against a plain copy. */
import { KernelArithmetic } from '../../../src/learn/merge/kernelArithmetic.ts'
import { apply, type MergeRule } from '../../../src/learn/merge/rule.ts'
import { atLeast, type Figure, median } from '../figures.ts'
import { randomModels } from '../models.ts'

const MODELS = 32
const PARAMETERS = 1_000_000
const FAULTY = 9 // 0.3 of 32, the default
const RUNS = 5 // interleaved, so that a neighbour's load falls on all alike
const TARGETS = { trimmed: 10, nearest: 3, copy: 0.7 } as const // times as fast as the sort, and as the copy

/** Three figures, medians of interleaved runs. */
export async function bench(): Promise<Figure[]> {
  const models = randomModels(MODELS, PARAMETERS, 'merge rules')
  const copies = models.map(() => new Float32Array(PARAMETERS))
  const arithmetic = new KernelArithmetic()
  const shares = models.map(() => 1 / MODELS)
  const by = (changed: Partial<MergeRule>) => () => void apply({ ...RULE, ...changed }, models, shares, 0, arithmetic)
  const works = {
    sort: () => void sortedTrimmedMean(models, FAULTY),
    copy: () => models.forEach((model, m) => void copies[m]?.set(model)),
    mean: by({ rule: 'mean' }),
    trimmed: by({ rule: 'trimmed-mean' }),
    nearest: by({ rule: 'auto' }),
  }
  const ms = Object.fromEntries(Object.keys(works).map((name) => [name, [] as number[]])) as Record<Name, number[]>
  type Name = keyof typeof works
  for (let run = -1; run < RUNS; run++) {
    for (const [name, work] of Object.entries(works) as [Name, () => void][]) {
      const start = performance.now()
      work()
      if (run >= 0) ms[name].push(performance.now() - start) // the first compiles
    }
  }
  const [sort, copy] = [median(ms.sort), median(ms.copy)]
  const times = (name: Name): number => sort / median(ms[name])
  const rate = ((MODELS * PARAMETERS * 4) / copy / 1e6).toFixed(1)
  const told = (name: Name): string => `${median(ms[name]).toFixed(0)} ms`
  return [
    atLeast(
      `trimmed mean, 32 × 1M, f = ${FAULTY}`,
      times('trimmed'),
      TARGETS.trimmed,
      '× a sort',
      told('trimmed'),
      `sort at each coordinate ${told('sort')}`,
    ),
    atLeast(
      `the default: NNM and trimmed mean, 32 × 1M, f = ${FAULTY}`,
      times('nearest'),
      TARGETS.nearest,
      '× a sort',
      told('nearest'),
      `sort without mixing ${told('sort')}`,
    ),
    atLeast(
      'mean, 32 × 1M',
      copy / median(ms.mean),
      TARGETS.copy,
      '× a copy',
      told('mean'),
      `copy of the 32 models ${told('copy')}, ${rate} GB/s`,
    ),
  ]
}

const RULE: MergeRule = {
  rule: 'auto',
  nearest: false,
  faulty: FAULTY,
  clipRadius: null,
  weighting: 'uniform',
  examplesCap: 1_000,
}

/** What anybody writes first: gather, sort, add what is left. */
function sortedTrimmedMean(models: readonly Float32Array[], trimmed: number): Float32Array {
  const out = new Float32Array(PARAMETERS)
  const column = new Float32Array(models.length)
  for (let i = 0; i < out.length; i++) {
    for (let m = 0; m < models.length; m++) column[m] = (models[m] as Float32Array)[i] as number
    column.sort()
    let sum = 0
    for (let m = trimmed; m < models.length - trimmed; m++) sum += column[m] as number
    out[i] = sum / (models.length - 2 * trimmed)
  }
  return out
}
