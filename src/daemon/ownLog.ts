/** Reads from this hospital's own log what its patients ask about: on request, from where it had come to. */
import { setImmediate } from 'node:timers/promises'
import { OwnRounds } from '../governance/ownRounds.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

const SLICE = 1_000 // entries looked at before the event loop gets its turn: a few milliseconds

/** One per daemon. Holds about 200 bytes for each round of a study that asks patients. */
export class OwnLog {
  readonly #logs: () => Pick<Logs, 'self' | 'sizeOf' | 'entries'>
  readonly #rounds = new OwnRounds()
  readonly #turns = new Turns<'read'>()

  constructor(logs: () => Pick<Logs, 'self' | 'sizeOf' | 'entries'>) {
    this.#logs = logs
  }

  /** Everything that the log tells now. Errors: those of `decodeEntry`, where the store is damaged. */
  rounds(): Promise<OwnRounds> {
    return this.#turns.run('read', async () => {
      const logs = this.#logs()
      const { size } = logs.sizeOf(logs.self)
      for (let from = this.#rounds.read; from < size; from = this.#rounds.read) {
        this.#rounds.take(await logs.entries(logs.self, from, Math.min(size, from + SLICE)))
        await setImmediate()
      }
      return this.#rounds
    })
  }
}
