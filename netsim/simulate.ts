/** The engine: one scenario, one seed, one result. */
import { readFileSync } from 'node:fs'
import { CrowdSimulation } from './crowd/simulation.ts'
import { LedgerSimulation } from './members/simulation.ts'
import type { SimulateOptions } from './options.ts'
import type { SimulationResult } from './result.ts'
import { makeWorld } from './world/make.ts'

/** Runs a scenario. Errors: `scenario-…`, `data-…` and `learner-…`, for what it asks and its files do not give; `kernels-memory`. */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { scenario, seed, baseFolder } = options
  const files = { folder: baseFolder, readFile: (path: string) => readFileSync(path) }
  const world = await makeWorld(scenario, seed, files)
  const result =
    scenario.ledger === 'on'
      ? await new LedgerSimulation(world, options).run()
      : await (await CrowdSimulation.of(world, options, files)).run()
  return { ...result, provenance: null, realSeconds: 0 }
}
