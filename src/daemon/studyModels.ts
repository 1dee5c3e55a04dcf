/** The models of this hospital's studies, for its own people: which there are, who trains them, and what their inputs are scaled with. */
import { ConsiliumError } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import type { Scaling } from '../core/statistics.ts'
import type { Dataset } from '../data/dataset.ts'
import { scalingHere } from '../data/ownScaling.ts'
import type { ScalingProposal, StudyState } from '../governance/studies.ts'
import type { Weights } from '../learn/learner.ts'
import type { Machine } from '../node/machine.ts'
import type { Trainer } from '../training/trainer.ts'
import type { ModelReport } from './modelReport.ts'

/** `trainer` is null before the start. */
export interface StudyModelsParts {
  readonly trainer: () => Trainer | null
  readonly machine: Machine
  readonly dataset: (state: StudyState) => Promise<Dataset>
}

/** One per daemon. */
export class StudyModels {
  readonly #parts: StudyModelsParts

  constructor(parts: StudyModelsParts) {
    this.#parts = parts
  }

  /** What trains a study here, and why; null until it is opened after a start. */
  learner(id: StudyId): { readonly backend: string; readonly why: string } | null {
    return this.#parts.trainer()?.learner(id) ?? null
  }

  /** What inputs are standardised with here. Errors: those of the bound table, where that is its own. */
  async scaling(state: StudyState & { readonly scaling: ScalingProposal }): Promise<Scaling> {
    const { study, scaling } = state
    if (study.local.normalisation === 'consortium') return scaling.scaling
    return scalingHere(study, await this.#parts.dataset(state), scaling.scaling)
  }

  /** Of a study that has ended the best by validation loss, unless the newest is asked for; else the newest. Error: `model-missing`. */
  async report(state: StudyState, newest: boolean): Promise<ModelReport> {
    const { id } = state
    const run = this.#parts.machine.view().studies.find((one) => one.state.id === id)?.run
    const which = run?.phase === 'ended' && !newest ? 'best' : 'newest'
    const found = this.#parts.trainer()?.model(id, which) ?? null
    if (found === null || state.scaling === null) {
      throw new ConsiliumError({
        code: 'model-missing',
        message: `study ${id.slice(0, 12)} has no model here yet; it has one after its first round`,
      })
    }
    const { digest } = state.scaling
    const scaling = await this.scaling({ ...state, scaling: state.scaling })
    const { slope, intercept } = run?.standing?.[which].calibration ?? { slope: 1, intercept: 0 }
    const personal = this.#parts.trainer()?.personal(id) ?? null
    return {
      ...{ study: id, round: found.round + 1, digest: found.digest, which, ...plain(found.weights) },
      calibration: { slope, intercept },
      personal: personal && plain(personal),
      scaling: { digest, mean: scaling.mean, deviation: scaling.deviation },
    }
  }
}

const plain = ({ shared, head }: Weights) => ({ shared: [...shared], head: [...head] })
