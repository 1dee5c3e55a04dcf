/** Reads from the stored logs what models were used for: on request, from where it had come to. */
import { UseBook } from '../governance/useBook.ts'
import { Forgetting } from './droppedBodies.ts'
import { catchUp } from './logSlices.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

type UseLogs = Pick<Logs, 'authors' | 'sizeOf' | 'entries' | 'dropped'>

/** One per daemon. What a body told is forgotten when that goes from the disk. */
export class UseReader {
  readonly #logs: () => UseLogs
  readonly #book = new UseBook()
  readonly #turns = new Turns<'read'>()
  readonly #forgetting = new Forgetting((author, seqs) => this.#book.forget(author, seqs))

  constructor(logs: () => UseLogs) {
    this.#logs = logs
  }

  /** Everything that the logs here tell now. Errors: those of `decodeEntry` and `catchUp`, where the store is damaged. */
  current(): Promise<UseBook> {
    return this.#turns.run('read', async () => {
      await this.#forgetting.during(this.#logs().dropped, () => catchUp(this.#logs(), this.#book))
      return this.#book
    })
  }
}
