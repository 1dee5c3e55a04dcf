/** Entries of chosen kinds in one log, read in order; the others are passed over by their headers. */
import { setImmediate } from 'node:timers/promises'
import type { MemberId } from '../core/ids.ts'
import type { Kind } from '../governance/kinds.ts'
import { decodeEntry, type Entry, glanceAt } from '../ledger/entry.ts'
import type { Logs } from './logs.ts'

const ENTRIES_AT_A_TIME = 1_000 // headers glanced at in a millisecond or two, then the event loop gets its turn

/** Those with seq from `from` on and below `to`. */
export async function* entriesOf(
  logs: Pick<Logs, 'sizeOf' | 'entries'>,
  author: MemberId,
  kinds: ReadonlySet<string> | readonly Kind[],
  to: number = Number.POSITIVE_INFINITY,
  from = 0,
): AsyncGenerator<Entry> {
  const wanted = new Set<string>(kinds)
  const size = Math.min(to, logs.sizeOf(author).size)
  for (let at = from; at < size; ) {
    const raws = await logs.entries(author, at, Math.min(size, at + ENTRIES_AT_A_TIME))
    for (const raw of raws) if (wanted.has(glanceAt(raw).kind)) yield decodeEntry(raw)
    at += raws.length
    await setImmediate()
  }
}
