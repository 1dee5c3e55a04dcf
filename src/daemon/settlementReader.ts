/** Reads from the stored logs what settlements count: on request, from where it had come to, and of each log only what is final. */
import { setImmediate } from 'node:timers/promises'
import type { MemberId } from '../core/ids.ts'
import { countsInSettlements, SettlementBook } from '../governance/settlement/book.ts'
import { decodeEntry, glanceAt } from '../ledger/entry.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

const SLICE = 200 // entries looked at before the event loop gets its turn: about 5 ms where all are rounds

/** What it reads. `final` is how much of a log no history can contradict. */
export interface SettlementReaderParts {
  readonly logs: () => Pick<Logs, 'authors' | 'sizeOf' | 'entries'>
  readonly final: (author: MemberId) => number
}

/** One per daemon. A node that nobody asks for a settlement reads nothing. */
export class SettlementReader {
  readonly #parts: SettlementReaderParts
  readonly #book = new SettlementBook()
  readonly #turns = new Turns<'read'>()

  constructor(parts: SettlementReaderParts) {
    this.#parts = parts
  }

  /** Everything that is final here now. Errors: those of `decodeEntry`, where the store is damaged. */
  current(): Promise<SettlementBook> {
    return this.#turns.run('read', async () => {
      for (const author of this.#parts.logs().authors()) await this.#catchUp(author)
      return this.#book
    })
  }

  async #catchUp(author: MemberId): Promise<void> {
    const { logs, final } = this.#parts
    const size = Math.min(logs().sizeOf(author).size, final(author))
    for (let from = this.#book.readOf(author); from < size; from = this.#book.readOf(author)) {
      const raws = await logs().entries(author, from, Math.min(size, from + SLICE))
      if (raws.length === 0) return
      for (const raw of raws) if (countsInSettlements(glanceAt(raw).kind)) this.#book.take(decodeEntry(raw))
      this.#book.skipTo(author, from + raws.length)
      await setImmediate()
    }
  }
}
