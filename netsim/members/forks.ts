/** Whether what another shows of a log is of the same history as what lies here. */
import { toHex } from '../../src/core/bytes.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import type { LogSize, NodeEvent } from '../../src/node/events.ts'
import type { Disk } from './disk.ts'

/** Root over the first `size` entries, hex. */
const rootOf = (disk: Disk, author: MemberId, size: number): Digest => toHex(disk.rootAt(author, size)) as Digest

/** Keeps a final head, as the daemon does: what contradicts what is stored is an alarm, and not final here. Returns whether it is kept. */
export function keepFinal(disk: Disk, log: LogSize, feed: (event: NodeEvent) => void): boolean {
  const { author, size, root } = log
  if (size <= disk.sizeOf(author).size && rootOf(disk, author, size) !== root) {
    feed({ type: 'final-refused', log, kept: disk.finals.get(author) ?? null })
    return false
  }
  disk.keepFinal(log)
  return true
}

/** Final heads that a peer told of. */
export function takeFinals(disk: Disk, finals: readonly LogSize[], feed: (event: NodeEvent) => void): void {
  for (const log of finals) if (keepFinal(disk, log, feed)) feed({ type: 'final-kept', log })
}

/**
 * Within how many entries two copies of one log differ, where both hold so many under heads that their author signed; null where neither
 * contradicts the other.
 */
export function forkBetween(own: Disk, other: Disk, author: MemberId): number | null {
  const size = Math.min(own.sizeOf(author).size, other.sizeOf(author).size)
  return size === 0 || rootOf(own, author, size) === rootOf(other, author, size) ? null : size
}
