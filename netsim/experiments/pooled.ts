/**
 * Pooled: all rows in one place, one model. What hospitals may not do, and the ceiling of every comparison where they are alike.
 * Reproduces: the row "pooled" of the stroke table in netsim/README.md. `npm run netsim -- experiment pooled`.
 */
import { pooledFederation } from './federation.ts'
import { completed, type ExperimentOptions, type ExperimentResult, resultOf, Trial } from './frame.ts'
import { trainAlone } from './localOnly.ts'

/** One arm; before its first round every record has travelled once, as float32 values and a byte for the label. The head is shared of itself. */
export async function pooled(given: Partial<ExperimentOptions> = {}): Promise<ExperimentResult> {
  const options = await completed(given, { rounds: 40, nodes: 100, rowsEach: 12 })
  const federation = pooledFederation(options.federation)
  const trial = new Trial('pooled', { ...options, federation, head: 'shared' })
  const { columns } = federation
  trial.move(options.federation.nodes, trial.fleet.trainRows(0) * (4 * columns + 1))
  trainAlone(trial, (round, slots) => trial.measure(round, slots))
  return resultOf('pooled', options, [trial.end()])
}
