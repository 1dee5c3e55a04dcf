/** Reads from the stored logs what happened to goods: on request, from where it had come to, so that a node without goods reads headers alone. */
import { setImmediate } from 'node:timers/promises'
import { SupplyBook } from '../governance/supply/book.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

const SLICE_MAX = 500 // entries looked at before the event loop gets its turn: a millisecond where none is of goods
const SLICE_MIN = 2 // where all are full of events: about 15 ms
const EVENTS_AT_A_TIME = 1_000

/** One per daemon. Holds about 150 bytes for each event. */
export class SupplyReader {
  readonly #logs: () => Pick<Logs, 'authors' | 'sizeOf' | 'entries'>
  readonly #book = new SupplyBook()
  readonly #turns = new Turns<'read'>()

  constructor(logs: () => Pick<Logs, 'authors' | 'sizeOf' | 'entries'>) {
    this.#logs = logs
  }

  /** Everything that the logs here tell now. Errors: those of `decodeEntry`, where the store is damaged. */
  current(): Promise<SupplyBook> {
    return this.#turns.run('read', async () => {
      for (const author of this.#logs().authors()) await this.#catchUp(author)
      return this.#book
    })
  }

  async #catchUp(author: Parameters<Logs['sizeOf']>[0]): Promise<void> {
    const { size } = this.#logs().sizeOf(author)
    let slice = SLICE_MIN
    for (let from = this.#book.readOf(author); from < size; from = this.#book.readOf(author)) {
      const before = this.#book.events
      this.#book.take(author, await this.#logs().entries(author, from, Math.min(size, from + slice)))
      slice = this.#book.events - before > EVENTS_AT_A_TIME ? SLICE_MIN : Math.min(SLICE_MAX, slice * 2)
      await setImmediate()
    }
  }
}
