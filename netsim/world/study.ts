/** What the simulated members train together: the study that a scenario describes, its frozen scaling, and rows as a learner takes them. */
import { designColumns, type Study, statisticsRules } from '../../src/config/study.ts'
import { studySchema } from '../../src/config/studySchema.ts'
import { oneLine, readValue } from '../../src/config/yaml.ts'
import {
  cappedStatistics,
  combineStatistics,
  type FeatureStatistics,
  freezeScaling,
  type Scaling,
} from '../../src/core/statistics.ts'
import { type DesignMatrix, fillDesign } from '../../src/data/design.ts'
import { scalingHere } from '../../src/data/ownScaling.ts'
import { localStatistics } from '../../src/data/statistics.ts'
import type { Scenario } from '../scenario/schema.ts'
import { datasetOf, rowsWith } from './deal.ts'
import { fault } from './fault.ts'
import type { Deal } from './world.ts'

/** The study of a simulation, with the deal's columns as features. Errors: `scenario-study`, where the product would refuse the columns' names. */
export function studyOf(scenario: Scenario, deal: Deal): Study {
  const study = { name: 'Simulation', purpose: scenario.question, label: deal.label, features: deal.features }
  const { value, complaint } = readValue(studySchema, { ...study, ...scenario.study })
  if (complaint) throw fault('study', `the data give a study that no member would accept: ${oneLine(complaint)}`)
  return value
}

const COMBINED_AT_ONCE = 1_000 // nodes' statistics in memory

/**
 * The scaling that members freeze where all contribute, by the product's own functions, summed in the order of nodes: what a node with
 * fewer training rows than the minimum cohort knows is not told. Where nobody tells anything, values stay as they are (mean 0,
 * deviation 1), for simulated studies give no ranges. Members sum in the order of their keys, so that theirs may differ in the last bits.
 */
export function frozenScaling(study: Study, deal: Deal): Scaling {
  const numbers = study.features.filter(({ kind }) => kind === 'number').length
  let total = combineStatistics([], numbers)
  let waiting: FeatureStatistics[] = []
  for (let node = 0; node < deal.nodes; node++) {
    // a smaller node's statistics are all zero: adding them would change nothing
    if (rowsWith(deal, node, 0).length >= study.minimumCohort)
      waiting.push(cappedStatistics(localStatistics(study, datasetOf(deal, node)), study.merge.examplesCap))
    if (waiting.length < COMBINED_AT_ONCE && node < deal.nodes - 1) continue
    total = combineStatistics([total, ...waiting])
    waiting = []
  }
  return freezeScaling(total, statisticsRules(study).ranges)
}

/** Rows as a learner takes them. */
export interface DesignRows {
  readonly train: DesignMatrix
  readonly test: DesignMatrix
}

/** Makes design matrices of one node after the other, by the product's own code, through one buffer of the largest node's size. */
export class Designer {
  /** Columns of the design matrix. */
  readonly columns: number
  readonly #study: Study
  readonly #deal: Deal
  readonly #scaling: Scaling
  readonly #values: Float32Array
  /** Of the node whose rows were made last, where each has its own. */
  #own: { readonly node: number; readonly scaling: Scaling } | null = null

  constructor(study: Study, deal: Deal, scaling: Scaling) {
    this.columns = designColumns(study)
    this.#study = study
    this.#deal = deal
    this.#scaling = scaling
    this.#values = new Float32Array(deal.rowsMax * deal.features.length)
  }

  /** Training and held-out rows of `node`, in arrays of their own. */
  rowsOf(node: number): DesignRows {
    this.#deal.fill(node, this.#values)
    return { train: this.#matrix(node, 0), test: this.#matrix(node, 1) }
  }

  /**
   * Writes the training rows of `node` and then its held-out ones into `x` from index `at` on, rows × columns; there must be zeros.
   * For learners that keep all nodes in one array. `y` gets their labels from index `row` on.
   */
  fill(node: number, x: Float32Array, at: number, y: Uint8Array, row: number): void {
    this.#deal.fill(node, this.#values)
    const train = rowsWith(this.#deal, node, 0)
    const test = rowsWith(this.#deal, node, 1)
    this.#write(node, train, x, at, y, row)
    this.#write(node, test, x, at + train.length * this.columns, y, row + train.length)
  }

  #scalingOf(node: number): Scaling {
    if (this.#study.local.normalisation === 'consortium') return this.#scaling
    if (this.#own?.node !== node)
      this.#own = { node, scaling: scalingHere(this.#study, datasetOf(this.#deal, node), this.#scaling) }
    return this.#own.scaling
  }

  #matrix(node: number, mark: 0 | 1): DesignMatrix {
    const rows = rowsWith(this.#deal, node, mark)
    const x = new Float32Array(rows.length * this.columns)
    const y = new Uint8Array(rows.length)
    this.#write(node, rows, x, 0, y, 0)
    return { rows: rows.length, columns: this.columns, x, y }
  }

  #write(node: number, rows: Uint32Array, x: Float32Array, at: number, y: Uint8Array, row: number): void {
    fillDesign(this.#study.features, this.#values, rows, this.#scalingOf(node), { x, at, columns: this.columns })
    const start = this.#deal.from[node] as number
    for (let r = 0; r < rows.length; r++) y[row + r] = this.#deal.labels[start + (rows[r] as number)] as number
  }
}
