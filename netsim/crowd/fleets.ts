/** The learners that a scenario asks for. */
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import { KernelFleet } from '../../src/learn/kernels/kernelFleet.ts'
import { NullFleet } from '../../src/learn/kernels/nullFleet.ts'
import type { Attackers } from '../adversary/attackers.ts'
import type { World } from '../world/make.ts'

/** The rows of all nodes in one memory, with room for their models. Error: `scenario-learner`. */
export function fleetOf({ scenario, nodes, rows }: World, attackers: Attackers): Fleet {
  if (scenario.learner.kind === 'null') return new NullFleet(nodes)
  if (rows === null)
    throw unfit(`learner: kind: ${scenario.learner.kind} was given without data: use kind: null, or give data`)
  if (scenario.learner.kind !== 'kernels')
    throw unfit(`learner: kind: ${scenario.learner.kind} was given, without a ledger kernels or null is allowed`)
  const { designer, study } = rows
  return KernelFleet.build({
    model: study.model,
    training: study.training,
    columns: designer.columns,
    nodes,
    privateHeads: scenario.head === 'private',
    rowsOf: (node) => {
      const { train, test } = designer.rowsOf(node)
      return { train: attackers.rows(node, train), test }
    },
  })
}

const unfit = (message: string): ConsiliumError => new ConsiliumError({ code: 'scenario-learner', message })
