/** One simulation in a process of its own, for the benchmark: what it did, how long it took, how much memory. Prints JSON. */
import { parseScenario } from '../../netsim/scenario/read.ts'
import { simulate } from '../../netsim/simulate.ts'

/** What a run costs. */
export interface Cost {
  /** From the command to the end, reading the world included. */
  readonly seconds: number
  /** Local updates and merges. */
  readonly operations: number
  readonly events: number
  readonly nodes: number
  readonly virtualSeconds: number
  readonly auc: number | null
  /** The process at its largest, bytes; before the simulation, bytes; rows, models and optimisers, bytes. */
  readonly peakBytes: number
  readonly beforeBytes: number
  readonly fleetBytes: number
}

const text = process.argv[2]
if (text !== undefined) {
  const beforeBytes = process.memoryUsage.rss()
  const startMs = performance.now()
  const scenario = parseScenario(text, 'bench')
  const result = await simulate({ scenario, seed: 7, scenarioName: 'bench', baseFolder: '.' })
  const broken = result.checks.find(({ failure }) => failure !== null)
  if (broken !== undefined) throw new Error(`${broken.name}: ${broken.failure?.message}`)
  const cost: Cost = {
    seconds: (performance.now() - startMs) / 1000,
    operations: result.localUpdates + result.merges,
    events: result.events,
    nodes: scenario.nodes.count,
    virtualSeconds: result.virtualSeconds,
    auc: result.samples.at(-1)?.auc ?? null,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    beforeBytes,
    fleetBytes: result.fleetBytes ?? 0,
  }
  process.stdout.write(JSON.stringify(cost))
}
