/** The rows that experiments run on: made-up ones, or tables by name, dealt as a scenario would deal them. */
import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import type { TrainingSpec } from '../../src/learn/learner.ts'
import { type ScenarioInput, scenarioSchema } from '../scenario/schema.ts'
import { makeWorld } from '../world/make.ts'
import type { SplitSpec } from '../world/partition.ts'
import { type Federation, federationOf } from './federation.ts'

/** A scenario's words for rows, and how to train on them. */
interface DataSet {
  readonly nodes: number
  readonly data: ScenarioInput['data']
  readonly training: TrainingSpec
}

const ALL_ROWS = 65_536 // more than any node has: one batch

/**
 * Files are named from the project's root. The stroke trial's may not lie in the project: netsim/README.md says where it comes from.
 * Few local epochs of SGD: a paper's own number of local steps replaces them where it matters.
 */
export const DATA_SETS = {
  synthetic: {
    nodes: 100,
    data: { kind: 'synthetic', features: 10, rows: 12, separation: 2 },
    training: { localEpochs: 1, batchRows: 8, learningRate: 0.1, l2: 0.001, optimiser: 'sgd' },
  },
  alzheimer: {
    nodes: 5,
    data: {
      kind: 'table',
      file: 'scripts/demo/alzheimer_modeldata.csv',
      label: 'Class',
      positive: 'Impaired',
      split: { kind: 'iid' },
    },
    training: { localEpochs: 3, batchRows: 16, learningRate: 0.05, l2: 0.1, optimiser: 'sgd' }, // scripts/demo/DATA.md
  },
  stroke: {
    nodes: 118,
    data: {
      kind: 'sites',
      file: '../shared/data/ist_stroke_consortium.csv',
      label: 'y',
      site: 'hospnum',
      rowsMin: 50, // 118 hospitals
      splitColumn: 'split',
      drop: ['country'],
    },
    training: { localEpochs: 5, batchRows: ALL_ROWS, learningRate: 0.2, l2: 0.001, optimiser: 'sgd' }, // swept: README.md
  },
} as const satisfies Record<string, DataSet>

export type DataSetName = keyof typeof DATA_SETS

/** A table by its name; `folder` is the project's root. Errors: `scenario-…` and `data-…`, for files that are not there or not sound. */
export function loadFederation(name: DataSetName, seed: number, folder: string): Promise<Federation> {
  return federationFor(DATA_SETS[name], seed, folder)
}

/** Made-up rows: two Gaussian classes. */
export interface MadeUp {
  readonly nodes: number
  /** Rows of each node on average, held-out ones included. */
  readonly rowsEach: number
  /** 10 where absent. */
  readonly features?: number
  /** How nodes differ; `iid` where absent. */
  readonly split?: SplitSpec
  /** Of SGD in batches of 8; 0.1 where absent. */
  readonly learningRate?: number
  /** 1 where absent. */
  readonly localEpochs?: number
}

/** Deals made-up rows. */
export function madeUp(seed: number, given: MadeUp): Promise<Federation> {
  const { data, training } = DATA_SETS.synthetic
  const { nodes, rowsEach, features = data.features, split = { kind: 'iid' } } = given
  const { learningRate = training.learningRate, localEpochs = training.localEpochs } = given
  return federationFor(
    { nodes, data: { ...data, rows: rowsEach, features, split }, training: { ...training, learningRate, localEpochs } },
    seed,
    '.',
  )
}

async function federationFor({ nodes, data, training }: DataSet, seed: number, folder: string): Promise<Federation> {
  const input: ScenarioInput = {
    question: 'What does a method learn from these rows?',
    nodes: { count: nodes },
    data,
    study: { training, minimumCohort: 5 },
    end: { seconds: 1 }, // nothing of it is simulated
  }
  const scenario = v.parse(scenarioSchema, input)
  return federationOf(await makeWorld(scenario, seed, { folder, readFile: (path) => readFileSync(path) }))
}
