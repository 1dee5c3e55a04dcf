/** Who has which rows in an experiment, and what they train: a world's rows, or the same rows in one place. */
import type { FleetSpec } from '../../src/learn/kernels/kernelFleet.ts'
import type { DesignMatrix, ModelSpec, TrainingSpec } from '../../src/learn/learner.ts'
import { fault } from '../world/fault.ts'
import type { World } from '../world/make.ts'

/** The rows of all nodes as a learner takes them, standardised; every matrix has `columns` columns. */
export interface Federation {
  readonly nodes: number
  readonly columns: number
  readonly model: ModelSpec
  /** What one local update does, unless an experiment's paper says otherwise. */
  readonly training: TrainingSpec
  /** Rows to train on, at least one, and rows held out. The same ones at every call. */
  rowsOf: FleetSpec['rowsOf']
}

/** The federation of a world. Error: `scenario-data`, where its scenario has none. */
export function federationOf(world: World): Federation {
  const { rows, nodes } = world
  if (rows === null) throw fault('data', 'data.kind: none was given: an experiment needs rows, any other kind has them')
  const { designer, study } = rows
  const { model, training } = study
  return { nodes, columns: designer.columns, model, training, rowsOf: (node) => designer.rowsOf(node) }
}

/** One node that has everybody's rows, in the order of nodes: what a federation would be, could records travel. */
export function pooledFederation(federation: Federation): Federation {
  const all = Array.from({ length: federation.nodes }, (_, node) => federation.rowsOf(node))
  const rows = { train: stacked(all.map(({ train }) => train)), test: stacked(all.map(({ test }) => test)) }
  return { ...federation, nodes: 1, rowsOf: () => rows }
}

function stacked(matrices: readonly DesignMatrix[]): DesignMatrix {
  const rows = matrices.reduce((sum, matrix) => sum + matrix.rows, 0)
  const columns = matrices[0]?.columns ?? 0
  const x = new Float32Array(rows * columns)
  const y = new Uint8Array(rows)
  let at = 0
  for (const matrix of matrices) {
    x.set(matrix.x, at * columns)
    y.set(matrix.y, at)
    at += matrix.rows
  }
  return { rows, columns, x, y }
}
