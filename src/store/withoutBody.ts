/** What both stores share of dropping bodies: the check of what is asked, and the entry that takes the place of the old one. */
import { equalBytes } from '../core/bytes.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { decodeEntry, dropBody, type Entry } from '../ledger/entry.ts'
import { DROP_ENTRIES_MAX } from '../ledger/store.ts'

/** Checks which entries of a log of `size` are asked for. A mismatch is our own bug. */
export function checkSeqs(seqs: readonly number[], size: number): void {
  invariant(seqs.length > 0 && seqs.length <= DROP_ENTRIES_MAX, `1 to ${DROP_ENTRIES_MAX} bodies are dropped at once`)
  for (const [i, seq] of seqs.entries()) {
    invariant(seq > (seqs[i - 1] ?? -1) && seq < size, 'numbers of stored entries ascend')
  }
}

/** The stored entry `raw` without its body. Error: `database-corrupt` where it is not the entry that belongs there. */
export function withoutBody(author: MemberId, seq: number, raw: Uint8Array | undefined): Uint8Array {
  const entry = decodeOrNull(raw)
  if (entry?.author !== author || entry.seq !== seq) {
    throw new ConsiliumError({
      code: 'database-corrupt',
      message: `entry ${seq} of the log of ${author.slice(0, 16)}… is missing or damaged, so that its body cannot be dropped`,
    })
  }
  const dropped = dropBody(entry.raw)
  invariant(equalBytes(decodeEntry(dropped).leaf, entry.leaf), 'an entry without its body keeps its hash')
  return dropped
}

function decodeOrNull(raw: Uint8Array | undefined): Entry | null {
  try {
    return raw === undefined ? null : decodeEntry(raw)
  } catch {
    return null
  }
}
