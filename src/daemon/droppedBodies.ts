/** Bodies that go from the disk, told to who holds in memory what they said. */
import type { MemberId } from '../core/ids.ts'
import type { LogStore } from '../ledger/store.ts'

/** Must not throw. */
export type BodiesDropped = (author: MemberId, seqs: readonly number[]) => void

type Dropping = Pick<LogStore, 'entries' | 'dropBodies' | 'listState'>

/** The store, with each drop told once it is durable. */
export function telling(store: Dropping, listeners: ReadonlySet<BodiesDropped>): Dropping {
  return {
    entries: (author, from, to) => store.entries(author, from, to),
    listState: (prefix) => store.listState(prefix),
    dropBodies: async (author, seqs, state) => {
      await store.dropBodies(author, seqs, state)
      for (const tell of listeners) tell(author, seqs)
    },
  }
}

/** For a reader that holds what bodies said. Those that go while it reads may have been read before: they are forgotten at its next pause. */
export class Forgetting {
  readonly #forget: BodiesDropped
  #gone: Parameters<BodiesDropped>[] = []
  #isReading = false

  constructor(forget: BodiesDropped) {
    this.#forget = forget
  }

  /** Reads, and hears from then on what goes. One at a time. Errors: those of `read`. */
  async during(listeners: Set<BodiesDropped>, read: () => Promise<void>): Promise<void> {
    listeners.add(this.#heard)
    this.#isReading = true
    try {
      await read()
    } finally {
      this.#isReading = false
      this.now()
    }
  }

  /** Between two slices. */
  now(): void {
    for (const gone of this.#gone.splice(0)) this.#forget(...gone)
  }

  readonly #heard: BodiesDropped = (...gone) => {
    this.#gone.push(gone)
    if (!this.#isReading) this.now()
  }
}
