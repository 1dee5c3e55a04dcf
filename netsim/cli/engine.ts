/** The engine as the command line drives it: between its pieces of work signals and progress bars have their turn. */
import type { Simulate } from '../options.ts'
import { simulate } from '../simulate.ts'

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const engine: Simulate = (options) => simulate({ ...options, breathe })
