/** Answers a range request from a store: frames that each end at a head which the author signed. */
import { LIMITS } from '../core/limits.ts'
import type { LogStore } from '../ledger/store.ts'
import { encodeFrame, type RangeRequest } from '../ledger/wire.ts'

/**
 * Frames from `fromSize` to the stored head, commits joined under the newest head that fits a frame. Ends without a frame when there is
 * nothing newer, at `upTo` entries, and early at a hole. Reads one frame at a time, so a slow reader holds one in memory.
 */
export async function* serveRange(
  store: LogStore,
  { author, fromSize }: RangeRequest,
  upTo = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<Uint8Array> {
  for (let at = fromSize; at < upTo; ) {
    const raws = await store.entries(author, at, at + LIMITS.rangeEntriesMax, LIMITS.rangeBytesMax)
    const commit = raws.length === 0 ? undefined : await store.commit(author, at, Math.min(at + raws.length, upTo))
    if (commit === undefined) return
    yield encodeFrame({ note: commit.note, raws: raws.slice(0, commit.size - at) })
    at = commit.size
  }
}
