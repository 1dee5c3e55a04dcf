/** Reads from the stored logs what happened to goods: on request, from where it had come to, so that a node without goods reads headers alone. */
import { setImmediate } from 'node:timers/promises'
import type { MemberId } from '../core/ids.ts'
import type { Checked } from '../governance/supply/answers.ts'
import { SupplyBook } from '../governance/supply/book.ts'
import { Checkup } from '../governance/supply/checkup.ts'
import type { FinalSize } from '../governance/supply/recalls.ts'
import { Forgetting } from './droppedBodies.ts'
import { lacking } from './logSlices.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

const SLICE_MAX = 500 // entries looked at before the event loop gets its turn: a millisecond where none is of goods
const SLICE_MIN = 2 // where all are full of events: about 15 ms
const EVENTS_AT_A_TIME = 1_000
const THINGS_AT_A_TIME = 200 // looked at before the event loop gets its turn: about 10 ms

/** What it reads. */
export type SupplyLogs = Pick<Logs, 'authors' | 'sizeOf' | 'entries' | 'dropped'>

/** One per daemon. Holds about 150 bytes for each event. */
export class SupplyReader {
  readonly #logs: () => SupplyLogs
  readonly #book = new SupplyBook()
  readonly #checkup = new Checkup(this.#book)
  readonly #turns = new Turns<'read'>()
  readonly #forgetting = new Forgetting((author, seqs) => {
    const events = this.#book.toldIn(author, seqs)
    this.#checkup.forgetting(events)
    this.#book.forget(events)
  })

  constructor(logs: () => SupplyLogs) {
    this.#logs = logs
  }

  /** Everything that the logs here tell now. Errors: those of `decodeEntry`, where the store is damaged. */
  current(): Promise<SupplyBook> {
    return this.#turns.run('read', async () => {
      await this.#forgetting.during(this.#logs().dropped, async () => {
        for (const author of this.#logs().authors()) await this.#catchUp(author)
      })
      return this.#book
    })
  }

  /** As `current`, with everything looked at that was told since the last question: all of it at the first. Error: that of `signal`. */
  async checked(final: FinalSize, signal: AbortSignal, ...asked: Parameters<Checkup['answer']>): Promise<Checked> {
    await this.current()
    this.#checkup.update(final)
    while (!this.#checkup.lookOn(THINGS_AT_A_TIME, final)) await setImmediate(undefined, { signal })
    return inSlices(this.#checkup.answer(...asked), signal)
  }

  async #catchUp(author: MemberId): Promise<void> {
    const { size } = this.#logs().sizeOf(author)
    let slice = SLICE_MIN
    for (let from = this.#book.readOf(author); from < size; from = this.#book.readOf(author)) {
      const before = this.#book.events
      const raws = await this.#logs().entries(author, from, Math.min(size, from + slice))
      if (raws.length === 0) throw lacking(author, from)
      this.#book.take(author, raws)
      this.#forgetting.now()
      slice = this.#book.events - before > EVENTS_AT_A_TIME ? SLICE_MIN : Math.min(SLICE_MAX, slice * 2)
      await setImmediate()
    }
  }
}

/** What comes out at the end, with a turn for others after each slice. Error: that of `signal`. */
export async function inSlices<T>(run: Generator<undefined, T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const { done, value } = run.next()
    if (done === true) return value
    await setImmediate(undefined, { signal })
  }
}
