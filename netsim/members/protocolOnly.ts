/** A study for simulations of the protocol alone: a table of one column, the same at every node, that nobody learns from. */
import { parseStudy, type Study } from '../../src/config/study.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import type { Scenario } from '../scenario/schema.ts'

const ROWS = 64 // above the least minimum cohort, so that statistics can be told

/** With the scenario's rounds, merge and deadlines. */
export function protocolStudy(scenario: Scenario): Study {
  const text = JSON.stringify({
    name: 'Protocol alone',
    purpose: 'To simulate messages and entries.',
    label: { name: 'label', positive: 'one', negative: 'zero' },
    features: [{ name: 'number', kind: 'number' }],
    ...scenario.study,
    model: { kind: 'logistic' },
    minimumCohort: Math.min(scenario.study.minimumCohort, ROWS / 2),
  })
  return parseStudy(text, 'scenario')
}

export function protocolTable(): Dataset {
  const rows = Uint32Array.from({ length: ROWS }, (_, row) => row)
  return {
    rows: ROWS,
    features: ['number'],
    values: Float64Array.from(rows),
    labels: Uint8Array.from(rows, (row) => row % 2),
    testRows: rows.subarray(0, 4),
    validationRows: new Uint32Array(0),
    trainRows: rows.subarray(4),
  }
}
