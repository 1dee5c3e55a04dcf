/** Reads stored logs in order, a slice at a time, so that other work gets its turn; a hole is an error, never the end. */
import { setImmediate } from 'node:timers/promises'
import { equalBytes } from '../core/bytes.ts'
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import type { Kind } from '../governance/kinds.ts'
import { decodeEntry, type Entry, type Glance, glanceAt } from '../ledger/entry.ts'
import type { Logs } from './logs.ts'

const ENTRIES_AT_A_TIME = 200 // about 5 ms where all are decoded
const BYTES_AT_A_TIME = 8_388_608 // entries of goods have up to a megabyte

/** What is read. */
export type SlicedLogs = Pick<Logs, 'sizeOf' | 'entries'>

/** Where to begin and to end: seq from `from` on and below `to`, as far as the log goes here. */
export interface Stretch {
  readonly from?: number
  readonly to?: number
}

/** Raw entries of one log; `from` is the number of the first of a slice. Error: `database-corrupt` at a hole, which the scrub mends. */
export async function* slicesOf(
  logs: SlicedLogs,
  author: MemberId,
  { from = 0, to = Number.POSITIVE_INFINITY }: Stretch = {},
): AsyncGenerator<{ readonly from: number; readonly raws: readonly Uint8Array[] }> {
  const size = Math.min(to, logs.sizeOf(author).size)
  for (let at = from; at < size; ) {
    const raws = await logs.entries(author, at, Math.min(size, at + ENTRIES_AT_A_TIME), BYTES_AT_A_TIME)
    if (raws.length === 0) throw lacking(author, at)
    yield { from: at, raws }
    at += raws.length
    await setImmediate()
  }
}

/** The entries of one log whose headers are wanted, or that are of these kinds, or all; the others are passed over. Error: as `slicesOf`. */
export async function* entriesOf(
  logs: SlicedLogs,
  author: MemberId,
  wanted: ((glance: Glance) => boolean) | readonly Kind[] | null,
  stretch: Stretch = {},
): AsyncGenerator<Entry> {
  const kinds = new Set<string>(typeof wanted === 'function' ? [] : wanted)
  const isWanted = typeof wanted === 'function' ? wanted : ({ kind }: Glance) => kinds.has(kind)
  for await (const { raws } of slicesOf(logs, author, stretch))
    for (const raw of raws) if (wanted === null || isWanted(glanceAt(raw))) yield decodeEntry(raw)
}

/** The first entry from `from` on with this kind and body, as what was just recorded is found again; null where there is none. */
export async function entryWith(
  logs: SlicedLogs,
  author: MemberId,
  { kind, body, from }: { readonly kind: Kind; readonly body: Cbor; readonly from: number },
): Promise<Entry | null> {
  const wanted = encodeCbor(body)
  for await (const entry of entriesOf(logs, author, [kind], { from }))
    if (entry.body !== null && equalBytes(encodeCbor(entry.body), wanted)) return entry
  return null
}

/** A fold that knows how far it has read each log. */
export interface Book {
  readOf(author: MemberId): number
  /** The next entries of a log, raw. */
  take(author: MemberId, raws: readonly Uint8Array[]): void
}

/** Has a book read on in all logs, up to `end` of each. Error: as `slicesOf`. */
export async function catchUp(
  logs: SlicedLogs & Pick<Logs, 'authors'>,
  book: Book,
  end: (author: MemberId) => number = () => Number.POSITIVE_INFINITY,
): Promise<void> {
  for (const author of logs.authors()) {
    const stretch = { from: book.readOf(author), to: end(author) }
    for await (const { raws } of slicesOf(logs, author, stretch)) book.take(author, raws)
  }
}

/** Of a log that has a hole, which the start or the scrub finds too. */
export function lacking(author: string, seq: number): ConsiliumError {
  return new ConsiliumError({
    code: 'database-corrupt',
    message: `the log of ${author} lacks entry ${seq} here: it is fetched again from the others; see "consilium log verify"`,
  })
}
