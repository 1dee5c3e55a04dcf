/** The learners that a scenario asks for. */
import { dirname, join } from 'node:path'
import { modelOf } from '../../src/config/study.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import { KernelFleet } from '../../src/learn/kernels/kernelFleet.ts'
import { NullFleet } from '../../src/learn/kernels/nullFleet.ts'
import type { ModelFile } from '../../src/learn/stacked/modelFile.ts'
import { StackedFleet } from '../../src/learn/stacked/stackedFleet.ts'
import { privateTraining } from '../../src/training/privateTraining.ts'
import type { Attackers } from '../adversary/attackers.ts'
import { bytesOf, type ScenarioFiles } from '../world/files.ts'
import type { World } from '../world/make.ts'
import { PrivateFleet } from './privateFleet.ts'

/** The rows of all nodes in one memory, with room for their models. Errors: `scenario-learner`, `scenario-file`, `learner-…`. */
export async function fleetOf(world: World, attackers: Attackers, files: ScenarioFiles): Promise<Fleet> {
  const { scenario, nodes, rows } = world
  const { learner } = scenario
  if (learner.kind === 'null') return new NullFleet(nodes)
  if (rows === null) throw unfit(`learner: kind: ${learner.kind} was given without data: use kind: null, or give data`)
  if (learner.kind === 'linear')
    throw unfit('learner: kind: linear was given, without a ledger kernels, tfjs or null is allowed')
  const { designer, study } = rows
  const spec = {
    model: study.model,
    training: study.training,
    columns: designer.columns,
    nodes,
    privateHeads: study.local.head === 'bias',
    rowsOf: (node: number) => {
      const { train, test } = designer.rowsOf(node)
      return { train: attackers.flipsLater(node) ? train : attackers.rows(node, train), test }
    },
  }
  const { privacy } = study
  if (privacy !== null) {
    const { seed } = world
    const given = { spent: [], roundsMax: study.rounds.count, epsilonMax: null }
    return PrivateFleet.make({ ...spec, seed, privacy: (rows) => privateTraining(privacy, { rows, ...given }) })
  }
  if (learner.kind === 'kernels') return KernelFleet.build({ ...spec, model: modelOf(study) })
  const model = learner.model === null ? study.model : modelFile(files, learner.model)
  return StackedFleet.build({ ...spec, model, backend: learner.backend })
}

/** The files of its weights lie beside it. */
function modelFile(files: ScenarioFiles, name: string): ModelFile {
  const weights = (path: string) => bytesOf(files, join(dirname(name), path))
  return { kind: 'file', name: `learner.model: ${name}`, json: bytesOf(files, name), weights }
}

const unfit = (message: string): ConsiliumError => new ConsiliumError({ code: 'scenario-learner', message })
