/**
 * Local only: every node trains on its own rows and hears nobody. The floor of every comparison; what joining is worth is measured from it
 * (McMahan et al. 2017, §1, and every paper beside this file compare with it or with pooled training).
 * Reproduces: the row "local only" of the stroke table in netsim/README.md. `npm run netsim -- experiment localOnly`.
 */
import { completed, type ExperimentOptions, type ExperimentResult, resultOf, Trial } from './frame.ts'

/** One arm. Being off and losing messages changes nothing for who trains alone. */
export async function localOnly(given: Partial<ExperimentOptions> = {}): Promise<ExperimentResult> {
  const options = await completed(given, { rounds: 40, nodes: 100, rowsEach: 12 })
  const trial = new Trial('local only', options)
  trainAlone(trial, (round, slots) => trial.measure(round, slots))
  return resultOf('localOnly', options, [trial.end()])
}

/** All nodes train alone for all rounds; returns their models' slots. `after` is called after each round, and with round 0 before the first. */
export function trainAlone(trial: Trial, after: (round: number, slots: readonly number[]) => void): readonly number[] {
  const slots = trial.start()
  after(0, slots)
  for (let round = 1; round <= trial.options.rounds; round++) {
    for (const [node, slot] of slots.entries()) trial.train(node, slot, slot, round)
    after(round, slots)
  }
  return slots
}
