/** How long a local update takes each node. */
import type { Rng } from '../../src/core/rng.ts'
import type { Scenario } from '../scenario/schema.ts'
import { logNormal } from './draws.ts'

export type SpeedSpec = Scenario['nodes']['speed']

/** Virtual time of local updates. */
export interface Speeds {
  /** How long the next local update of `node` takes, whole milliseconds, at least 1; draws from `rng` where each update differs. */
  trainMs(node: number, rng: Rng): number
}

/**
 * `fixed`: always the same. `uniform`: each update draws anew, whole milliseconds from the range, both ends included, as an ordinary
 * machine has it that also does other things. `log-normal`: each node has one time for good, drawn here (8 bytes a node), for what
 * differs is the machine; half of the nodes are below the median.
 */
export function speedsOf(spec: SpeedSpec, nodes: number, rng: Rng): Speeds {
  if (spec.kind === 'fixed') {
    const trainMs = wholeMs(spec.trainMs)
    return { trainMs: () => trainMs }
  }
  if (spec.kind === 'uniform') {
    const low = wholeMs(spec.trainMs[0])
    const values = Math.max(Math.floor(spec.trainMs[1] - low), 0) + 1
    return { trainMs: (_node, drawn) => low + drawn.below(values) }
  }
  const own = Float64Array.from({ length: nodes }, () => wholeMs(logNormal(rng, spec.medianMs, spec.sigma)))
  return { trainMs: (node) => own[node] as number }
}

const wholeMs = (ms: number): number => Math.max(Math.round(ms), 1)
