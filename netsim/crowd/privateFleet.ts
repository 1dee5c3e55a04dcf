/** A crowd that trains with differential privacy: a fleet over the kernels, whose local updates are the product's DP-SGD. */
import type { PrivacySteps } from '../../src/core/privacy.ts'
import { type FleetSpec, KernelFleet } from '../../src/learn/kernels/kernelFleet.ts'
import { Kernels } from '../../src/learn/kernels/kernels.ts'
import { makePlan } from '../../src/learn/kernels/plan.ts'
import type { DesignMatrix, PrivateTraining } from '../../src/learn/learner.ts'
import type { AdamState } from '../../src/learn/optimiserState.ts'
import { epsilonOf } from '../../src/learn/privacy/accountant.ts'
import { Chance } from '../../src/learn/privacy/chance.ts'
import { stepsOfRound, trainPrivately } from '../../src/learn/privacy/dpSgd.ts'
import { seededFill } from '../privacy.ts'

/** What of each node's training is private: `of` its rows. */
export interface PrivateFleetSpec extends FleetSpec {
  readonly seed: number
  readonly privacy: (rows: number) => Pick<PrivateTraining, 'noiseMultiplier' | 'clipNorm' | 'delta'>
}

/** One node's rows, chance, optimiser and steps so far. */
interface Own {
  readonly rows: DesignMatrix
  readonly chance: Chance
  adam: AdamState | null
  rounds: number
}

/** Rows lie here a second time, for plain arithmetic; no budget stops anybody. */
export class PrivateFleet extends KernelFleet {
  readonly #private: PrivateFleetSpec
  readonly #own: Own[]

  /** Errors: those of KernelFleet.build. */
  static make(spec: PrivateFleetSpec): PrivateFleet {
    const kernels = new Kernels()
    return new PrivateFleet(spec, kernels)
  }

  private constructor(spec: PrivateFleetSpec, kernels: Kernels) {
    super(spec, kernels, makePlan(kernels, spec.model, spec.training, spec.columns))
    this.#private = spec
    this.#own = Array.from({ length: spec.nodes }, (_, node) => {
      return { rows: spec.rowsOf(node).train, chance: new Chance(seededFill(spec.seed, node)), adam: null, rounds: 0 }
    })
  }

  override train(node: number, base: number, into: number): number {
    const own = this.#own[node] as Own
    const { model, training, privacy } = this.#private
    const round = { model, training, mechanism: privacy(own.rows.rows), rows: own.rows }
    const { weights, loss, adam } = trainPrivately(round, this.read(base), own.adam, own.chance)
    own.adam = adam
    own.rounds++
    this.write(into, weights)
    return this.isFinite(into) ? loss : Number.NaN
  }

  override flipLabels(node: number): void {
    super.flipLabels(node)
    const own = this.#own[node] as Own
    this.#own[node] = { ...own, rows: { ...own.rows, y: own.rows.y.map((label) => 1 - label) } }
  }

  override resetOptimiser(node: number): void {
    super.resetOptimiser(node)
    if (#own in this) (this.#own[node] as Own).adam = null // not yet while the base class is made
  }

  /** What the node's training has spent so far, lost disks included. */
  epsilonOf(node: number): number {
    const { rows, rounds } = this.#own[node] as Own
    const { noiseMultiplier, delta } = this.#private.privacy(rows.rows)
    const one: PrivacySteps = stepsOfRound(this.#private.training, noiseMultiplier, rows.rows)
    return epsilonOf([{ ...one, steps: one.steps * rounds }], delta)
  }
}
