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
