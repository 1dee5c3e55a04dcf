/** One learner of two: private studies have their own. */
import type { StudyId } from '../../core/ids.ts'
import type { Metrics } from '../../core/metrics.ts'
import { learnerError } from '../checks.ts'
import type { Learner, Opened, OpenRequest, TrainRequest, TrainResult } from '../learner.ts'

/** Sends each call where its study was opened. Error: `learner-study-not-open`, and those of both. */
export class ByStudy implements Learner {
  readonly #plain: Learner
  readonly #private: Learner
  readonly #of = new Map<StudyId, Learner>()

  constructor(plain: Learner, forPrivate: Learner) {
    this.#plain = plain
    this.#private = forPrivate
  }

  async open(request: OpenRequest): Promise<Opened> {
    const learner = request.privacy === undefined ? this.#plain : this.#private
    const opened = await learner.open(request)
    this.#of.set(request.study, learner)
    return opened
  }

  async train(request: TrainRequest): Promise<TrainResult> {
    return this.#learner(request.study).train(request)
  }

  async evaluate(...given: Parameters<Learner['evaluate']>): Promise<Metrics> {
    return this.#learner(given[0]).evaluate(...given)
  }

  async logits(...given: Parameters<Learner['logits']>): Promise<Float32Array> {
    return this.#learner(given[0]).logits(...given)
  }

  async close(): Promise<void> {
    await this.#plain.close()
    await this.#private.close()
  }

  #learner(study: StudyId): Learner {
    const learner = this.#of.get(study)
    if (learner !== undefined) return learner
    throw learnerError('learner-study-not-open', `study ${study} is not open here; open it first`)
  }
}
