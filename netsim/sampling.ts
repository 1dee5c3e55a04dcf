/** What is measured of models while a simulation runs: on held-out rows, and between each other. */
import type { Metrics } from '../src/core/metrics.ts'
import { Rng } from '../src/core/rng.ts'
import { evaluate } from '../src/learn/evaluate.ts'

/** Logits of one node's model on its own held-out rows. */
export interface Judged {
  readonly logits: ArrayLike<number>
  readonly labels: Uint8Array
}

/** `count` of the nodes, ascending, drawn once; all where there are no more. */
export function sampled(nodes: number, count: number, seed: number): number[] {
  if (count >= nodes) return Array.from({ length: nodes }, (_, node) => node)
  const rng = Rng.from('netsim', String(seed), 'sample')
  const chosen = new Set<number>()
  while (chosen.size < count) chosen.add(rng.below(nodes))
  return [...chosen].sort((a, b) => a - b)
}

/** All rows of all together; null where there are none. */
export function judgedTogether(all: readonly Judged[]): Metrics | null {
  const rows = all.reduce((sum, { labels }) => sum + labels.length, 0)
  if (rows === 0) return null
  const logits = new Float64Array(rows)
  const labels = new Uint8Array(rows)
  let at = 0
  for (const one of all) {
    for (let i = 0; i < one.labels.length; i++) logits[at + i] = one.logits[i] as number
    labels.set(one.labels, at)
    at += one.labels.length
  }
  return evaluate(logits, labels)
}

/** Root mean square distance of models from their mean, over √parameters (Lian et al. 2017 call its square the consensus error). */
export function consensusDistance(models: readonly Float32Array[]): number | null {
  const [first] = models
  if (first === undefined || first.length === 0) return null
  let sum = 0
  for (let i = 0; i < first.length; i++) {
    let mean = 0
    for (const model of models) mean += model[i] as number
    mean /= models.length
    for (const model of models) sum += ((model[i] as number) - mean) ** 2
  }
  return Math.sqrt(sum / models.length / first.length)
}
