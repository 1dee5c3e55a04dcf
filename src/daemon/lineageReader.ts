/** Reads from the stored logs what models were made of: on request, from where it had come to, so that a node without withdrawals reads nothing. */
import { setImmediate } from 'node:timers/promises'
import { Lineages } from '../governance/lineages.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

const SLICE = 200 // entries looked at before the event loop gets its turn: about 5 ms where all are rounds

/** One per daemon. Holds about 120 bytes for each model and 4 for each input of a merge. */
export class LineageReader {
  readonly #logs: () => Pick<Logs, 'authors' | 'sizeOf' | 'entries'>
  readonly #lineages = new Lineages()
  readonly #turns = new Turns<'read'>()

  constructor(logs: () => Pick<Logs, 'authors' | 'sizeOf' | 'entries'>) {
    this.#logs = logs
  }

  /** Everything that the logs here tell now. Errors: those of `decodeEntry`, where the store is damaged. */
  current(): Promise<Lineages> {
    return this.#turns.run('read', async () => {
      for (const author of this.#logs().authors()) await this.#catchUp(author)
      return this.#lineages
    })
  }

  /** Answers what the machine asks. */
  async trace({ study, trace, models, subjects }: Extract<Action, { type: 'trace' }>): Promise<NodeEvent> {
    const lineage = (await this.current()).of(study)
    return { type: 'traced', study, trace, standings: lineage.standings(subjects, models) }
  }

  async #catchUp(author: Parameters<Logs['sizeOf']>[0]): Promise<void> {
    const { size } = this.#logs().sizeOf(author)
    for (let from = this.#lineages.readOf(author); from < size; from = this.#lineages.readOf(author)) {
      this.#lineages.take(author, await this.#logs().entries(author, from, Math.min(size, from + SLICE)))
      await setImmediate()
    }
  }
}
