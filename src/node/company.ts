/** Says once when a node begins to train alone, and once when others are heard again. */
import type { StudyId } from '../core/ids.ts'
import type { Context } from './context.ts'

/** One per study run. It begins as if in company, so that a first round alone is said. */
export class Company {
  #alone = false

  /** Called once a round with the number of other members whose updates are here, or on their way. */
  note(context: Context, study: StudyId, round: number, others: number): void {
    const alone = others === 0
    if (alone === this.#alone) return
    this.#alone = alone
    if (alone) context.tell('info', 'training-alone', { study, round })
    else context.tell('info', 'training-together', { study, round, others })
  }
}
