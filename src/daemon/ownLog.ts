/** Reads from this hospital's own log what its patients ask about. */
import type { OwnRounds } from '../governance/ownRounds.ts'
import type { LogTraces } from './logTraces.ts'

/** One per daemon. */
export class OwnLog {
  readonly #traces: LogTraces

  constructor(traces: LogTraces) {
    this.#traces = traces
  }

  /** Everything that the log tells now. Errors: those of `decodeEntry`, where the store is damaged. */
  rounds(): Promise<OwnRounds> {
    return this.#traces.own()
  }
}
