/** Reads from the stored logs what models were made of, for commands and for the machine. */
import type { Lineages } from '../governance/lineages.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import type { LogTraces } from './logTraces.ts'

/** One per daemon. */
export class LineageReader {
  readonly #traces: LogTraces

  constructor(traces: LogTraces) {
    this.#traces = traces
  }

  /** Everything that the logs here tell now. Errors: those of `decodeEntry`, where the store is damaged. */
  current(): Promise<Lineages> {
    return this.#traces.lineages()
  }

  /** Answers what the machine asks. */
  async trace({ study, trace, models, subjects }: Extract<Action, { type: 'trace' }>): Promise<NodeEvent> {
    const lineage = (await this.current()).of(study)
    return { type: 'traced', study, trace, standings: lineage.standings(subjects, models) }
  }
}
