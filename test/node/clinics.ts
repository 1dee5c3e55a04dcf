/** Made-up clinics for the simulated tests: a small study, and tables that a linear model can learn. */

import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import type { StudyOptions } from '../../netsim/members/run.ts'
import type { Study } from '../../src/config/study.ts'
import { parseStudy } from '../../src/config/study.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { stratifiedSplit } from '../../src/data/split.ts'

export function studyOf(rounds = 7, more = ''): Study {
  return parseStudy(
    `
name: Made-up clinics
purpose: To test the machine.
model: { kind: logistic }
label: { name: ill, positive: 'yes', negative: 'no' }
merge: { rule: mean, weighting: sqrt, examplesCap: 1000, ageRoundsMax: 4 }
statistics: { deadlineSeconds: 6 }
rounds: { periodSeconds: 0.8, count: ${rounds} }
minimumCohort: 10
features:
  - { name: age, kind: number, unit: a, range: [0, 120] }
  - { name: tau, kind: number, unit: ng/L, range: [0, 900] }
  - { name: sex, kind: category, levels: [f, m] }
${more}`,
    'made-up.yaml',
  )
}

/** `rows` patients of one clinic; the label depends on age and tau, and a little on the clinic. */
export function tableOf(seed: string | number, rows = 60): Dataset {
  const rng = Rng.from('made-up', seed)
  const values = new Float64Array(rows * 3)
  const labels = new Uint8Array(rows)
  for (let row = 0; row < rows; row++) {
    const age = 40 + 50 * rng.float()
    const tau = 100 + 500 * rng.float()
    values.set([age, tau, rng.below(2)], row * 3)
    labels[row] = age / 50 + tau / 400 + rng.float() > 2.7 ? 1 : 0
  }
  labels.set([0, 0, 1, 1])
  return {
    rows,
    features: ['age', 'tau', 'sex'],
    values,
    labels,
    ...stratifiedSplit(labels, 0.25, rng),
    validationRows: new Uint32Array(0),
  }
}

/** Options of a run among `nodes` clinics with the linear learner. */
export function runOf(nodes: number, seed: string | number, more: Partial<StudyOptions> = {}): StudyOptions {
  return {
    study: studyOf(),
    tables: Array.from({ length: nodes }, (_, i) => [tableOf(`${i}`, 48 + 17 * i)]),
    seed,
    learner: () => new LinearLearner(),
    untilMs: 120_000,
    ...more,
  }
}
