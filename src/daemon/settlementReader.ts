/** Reads from the stored logs what settlements count: on request, from where it had come to, and of each log only what is final. */
import type { MemberId } from '../core/ids.ts'
import { countsInSettlements, SettlementBook } from '../governance/settlement/book.ts'
import { decodeEntry, glanceAt } from '../ledger/entry.ts'
import { catchUp } from './logSlices.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

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

  /** Everything that is final here now. Errors: those of `decodeEntry` and `catchUp`, where the store is damaged. */
  current(): Promise<SettlementBook> {
    return this.#turns.run('read', async () => {
      const { logs, final } = this.#parts
      const book = this.#book
      const take = (author: MemberId, raws: readonly Uint8Array[]): void => {
        const end = book.readOf(author) + raws.length
        for (const raw of raws) if (countsInSettlements(glanceAt(raw).kind)) book.take(decodeEntry(raw))
        book.skipTo(author, end)
      }
      await catchUp(logs(), { readOf: (author) => book.readOf(author), take }, final)
      return book
    })
  }
}
