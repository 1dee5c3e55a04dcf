/** A simulated node as a witness: the rule of `ledger/witness.ts` over its disk, in the daemon's order. Signatures are modelled as true. */
import { fromHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { type CosignRefusal, cosignRefusal } from '../../src/ledger/witness.ts'
import type { LogSize } from '../../src/node/events.ts'
import type { Disk } from './disk.ts'

/** Cosigns `log` as `disk` has it; null where that was done, and is durable. */
export function cosign(disk: Disk, log: LogSize): CosignRefusal | null {
  const head = { size: log.size, root: fromHex(log.root) }
  const last = disk.witnessed.get(log.author)
  const { size } = disk.log(log.author).tip
  const refusal = cosignRefusal(
    {
      last,
      size,
      rootAtLast: last !== undefined && last.size <= size ? disk.rootAt(log.author, last.size) : null,
      rootAtHead: head.size <= size ? disk.rootAt(log.author, head.size) : null,
      frozen: disk.forks.has(log.author),
    },
    head,
  )
  if (refusal === null) disk.witnessed.set(log.author, head)
  return refusal
}

/** The final heads that `disk` keeps and `held` has not yet. */
export function finalsBeyond(disk: Disk, held: ReadonlyMap<MemberId, LogSize>): LogSize[] {
  return [...disk.finals.values()].filter(({ author, size }) => size > (held.get(author)?.size ?? 0))
}
