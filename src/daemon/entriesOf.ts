/** Entries of chosen kinds in one log, read from its beginning; the others are passed over by their headers. */
import { setImmediate } from 'node:timers/promises'
import type { MemberId } from '../core/ids.ts'
import type { Kind } from '../governance/kinds.ts'
import { decodeEntry, type Entry, glanceAt } from '../ledger/entry.ts'
import type { Logs } from './logs.ts'

const ENTRIES_AT_A_TIME = 1_000 // headers glanced at in a millisecond or two, then the event loop gets its turn

/** In order, those with seq below `to`. */
export async function* entriesOf(
  logs: Pick<Logs, 'sizeOf' | 'entries'>,
  author: MemberId,
  kinds: ReadonlySet<string> | readonly Kind[],
  to: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<Entry> {
  const wanted = new Set<string>(kinds)
  const size = Math.min(to, logs.sizeOf(author).size)
  for (let from = 0; from < size; ) {
    const raws = await logs.entries(author, from, Math.min(size, from + ENTRIES_AT_A_TIME))
    for (const raw of raws) if (wanted.has(glanceAt(raw).kind)) yield decodeEntry(raw)
    from += raws.length
    await setImmediate()
  }
}
