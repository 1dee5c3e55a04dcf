/** The rows of all nodes, from a scenario and its seed. */
import type { Dataset } from '../../src/data/dataset.ts'
import type { Scenario } from '../scenario/schema.ts'
import type { ScenarioFiles } from './files.ts'
import { syntheticDeal } from './synthetic.ts'
import { dealtTable, siteDeal } from './tableDeal.ts'
import type { Deal } from './world.ts'

/**
 * Deals the rows that `scenario.data` describes; null where it is `none`. Every node has at least 2 rows to train on, and one or more
 * held out where it has 3. Errors: `scenario-data`, `scenario-file`, and `data-…` for files that are no sound CSV.
 */
export async function dealOf(scenario: Scenario, seed: string | number, files: ScenarioFiles): Promise<Deal | null> {
  const { data } = scenario
  const facts = { nodes: scenario.nodes.count, testShare: scenario.study.testShare, seed }
  switch (data.kind) {
    case 'none':
      return null
    case 'sites':
      return siteDeal(data, facts, files)
    case 'table':
      return dealtTable(data, facts, files)
    case 'synthetic':
      return syntheticDeal(data, facts)
  }
}

/** One node's rows as the product binds a hospital's table. */
export function datasetOf(deal: Deal, node: number): Dataset {
  const [start, end] = [deal.from[node] as number, deal.from[node + 1] as number]
  const values = new Float32Array((end - start) * deal.features.length)
  deal.fill(node, values)
  return {
    rows: end - start,
    features: deal.features.map(({ name }) => name),
    values: Float64Array.from(values),
    labels: deal.labels.slice(start, end),
    testRows: rowsWith(deal, node, 1),
    validationRows: new Uint32Array(0), // a simulation's training rows serve
    trainRows: rowsWith(deal, node, 0),
  }
}

/** Row numbers within the node, ascending: those held out (1) or those that train (0). */
export function rowsWith(deal: Deal, node: number, mark: 0 | 1): Uint32Array {
  const [start, end] = [deal.from[node] as number, deal.from[node + 1] as number]
  const rows = new Uint32Array(end - start)
  let count = 0
  for (let row = start; row < end; row++) if (deal.test[row] === mark) rows[count++] = row - start
  return rows.subarray(0, count)
}
