/** The learners of nodes with a ledger, as a scenario asks for them. */

import type { StudyId } from '../../src/core/ids.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import { Rng } from '../../src/core/rng.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { Kernels } from '../../src/learn/kernels/kernels.ts'
import {
  type DesignMatrix,
  type Learner,
  type OpenRequest,
  type Part,
  rowsOf,
  type TrainRequest,
  type TrainResult,
  type Weights,
} from '../../src/learn/learner.ts'
import { PrivateLearner } from '../../src/learn/privacy/privateLearner.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import type { Attackers } from '../adversary/attackers.ts'
import { seededFill } from '../privacy.ts'
import type { World } from '../world/make.ts'
import { LinearLearner } from './linearLearner.ts'

/** One learner per node. Those who poison their rows have two, the second for when they attack: `nowMs` is virtual, since the start. */
export function learnersOf({ scenario, nodes, seed }: World, attackers: Attackers, nowMs: () => number): Learner[] {
  const plain = maker(scenario.learner)
  const isPrivate = scenario.study.privacy !== null
  return Array.from({ length: nodes }, (_, node) => {
    const make = (): Learner => (isPrivate ? new PrivateLearner(seededFill(seed, node)) : plain())
    const attack = attackers.attackOf(node)
    if (attack !== 'label-flip' && attack !== 'backdoor') return make()
    const spoil = (train: DesignMatrix): DesignMatrix => ({ ...train, ...attackers.rows(node, train) })
    return new Poisoned(make(), make(), spoil, () => nowMs() >= attackers.fromMs(node))
  })
}

function maker(learner: World['scenario']['learner']): () => Learner {
  switch (learner.kind) {
    case 'kernels': {
      const kernels = new Kernels() // one memory for all
      return () => new KernelLearner(kernels)
    }
    case 'tfjs':
      return () => new TfjsLearner({ backend: learner.backend })
    case 'linear':
      return () => new LinearLearner()
    case 'null':
      return () => new NullLearner()
  }
}

class Poisoned implements Learner {
  readonly #honest: Learner
  readonly #poisoned: Learner
  readonly #spoil: (train: DesignMatrix) => DesignMatrix
  readonly #attacks: () => boolean

  constructor(
    honest: Learner,
    poisoned: Learner,
    spoil: (train: DesignMatrix) => DesignMatrix,
    attacks: () => boolean,
  ) {
    this.#honest = honest
    this.#poisoned = poisoned
    this.#spoil = spoil
    this.#attacks = attacks
  }

  async open(request: OpenRequest): ReturnType<Learner['open']> {
    await this.#poisoned.open({ ...request, train: this.#spoil(request.train) })
    return this.#honest.open(request)
  }

  train(request: TrainRequest): Promise<TrainResult> {
    return (this.#attacks() ? this.#poisoned : this.#honest).train(request)
  }

  evaluate(...given: Parameters<Learner['evaluate']>): Promise<Metrics> {
    return this.#honest.evaluate(...given)
  }

  logits(...given: Parameters<Learner['logits']>): Promise<Float32Array> {
    return this.#honest.logits(...given)
  }

  async close(): Promise<void> {
    await this.#honest.close()
    await this.#poisoned.close()
  }
}

const WHOLE = { steps: 1, lossSum: 0 } // one step is a round

/** Learns nothing: each update is its base, moved a little by the seed, so that no two are alike. */
class NullLearner implements Learner {
  readonly #open = new Map<StudyId, OpenRequest>()

  async open(request: OpenRequest): Promise<{ readonly backend: string; readonly why: string }> {
    this.#open.set(request.study, request)
    return { backend: 'null', why: 'the scenario asked for the protocol alone' }
  }

  async train({ base, seed }: TrainRequest): Promise<TrainResult> {
    const rng = Rng.from('null', seed)
    const shared = base.shared.map((weight) => weight + (rng.float() - 0.5) / 100)
    return {
      weights: { shared, head: base.head },
      optimiser: new Uint8Array(0),
      loss: 0,
      examples: 1,
      place: WHOLE,
      done: true,
    }
  }

  async evaluate(): Promise<Metrics> {
    return { examples: 1, positives: 0, auc: null, accuracy: 0, logLoss: 0, brier: 0, calibrationError: 0 }
  }

  async logits(study: StudyId, _weights: Weights, rows: Part | DesignMatrix): Promise<Float32Array> {
    const opened = this.#open.get(study) as OpenRequest
    return new Float32Array((typeof rows === 'string' ? rowsOf(opened, rows) : rows).rows)
  }

  async close(): Promise<void> {
    this.#open.clear()
  }
}
