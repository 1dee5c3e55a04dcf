/** Reads from the stored logs what models were used for: on request, from where it had come to. */
import type { MemberId } from '../core/ids.ts'
import { UseBook } from '../governance/useBook.ts'
import type { BodiesDropped } from './droppedBodies.ts'
import { catchUp } from './logSlices.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

type UseLogs = Pick<Logs, 'authors' | 'sizeOf' | 'entries' | 'dropped'>

/** One per daemon. What a body told is forgotten when that goes from the disk. */
export class UseReader {
  readonly #logs: () => UseLogs
  readonly #book = new UseBook()
  readonly #turns = new Turns<'read'>()
  /** Entries whose bodies went while entries were being read: those may have been read before. */
  #gone: { readonly author: MemberId; readonly seqs: readonly number[] }[] = []
  #isReading = false

  constructor(logs: () => UseLogs) {
    this.#logs = logs
  }

  /** Everything that the logs here tell now. Errors: those of `decodeEntry` and `catchUp`, where the store is damaged. */
  current(): Promise<UseBook> {
    return this.#turns.run('read', async () => {
      this.#logs().dropped.add(this.#forget)
      this.#isReading = true
      try {
        await catchUp(this.#logs(), this.#book)
      } finally {
        this.#isReading = false
        this.#forgetGone()
      }
      return this.#book
    })
  }

  readonly #forget: BodiesDropped = (author, seqs) => {
    this.#gone.push({ author, seqs })
    if (!this.#isReading) this.#forgetGone()
  }

  #forgetGone(): void {
    for (const { author, seqs } of this.#gone.splice(0)) this.#book.forget(author, seqs)
  }
}
