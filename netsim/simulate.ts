/** The engine. */
import { ConsiliumError } from '../src/core/errors.ts'
import type { SimulateOptions } from './options.ts'
import type { SimulationResult } from './result.ts'

/** Runs a scenario. Error: `not-built`. */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  throw new ConsiliumError({
    code: 'not-built',
    message: `${options.scenarioName} cannot be run: this build has no engine`,
  })
}
