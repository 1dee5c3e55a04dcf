/** Frames of another's log on their way to a simulated disk: verified and stored one by one, as the daemon does. */
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { factsOf } from '../../src/governance/facts.ts'
import { publishedRounds } from '../../src/governance/published.ts'
import { advance, rootAt } from '../../src/ledger/chain.ts'
import { rootOf } from '../../src/ledger/head.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Disk, Frame } from './disk.ts'
import type { Identities } from './identity.ts'

/** What came of one fetch. */
export interface Arrival {
  readonly self: MemberId
  readonly author: MemberId
  readonly peer: MemberId
  readonly frames: readonly Frame[]
  readonly feed: (event: NodeEvent) => void
}

/** Null where all were stored, else the code of the first fault. */
export function takeFrames(
  { disk, identities }: { readonly disk: Disk; readonly identities: Identities },
  { self, author, peer, frames, feed }: Arrival,
): string | null {
  for (const { from, raws, note } of frames) {
    const { tip } = disk.log(author)
    if (from !== tip.size) return 'stream-failed' // another fetch was quicker
    const { head, signatureValid } = identities.readHead(note)
    const result = advance(tip, raws)
    if (!result.ok) return result.code
    const fits = signatureValid && head.author === author && head.size === result.tip.size
    if (!fits || toHex(rootAt(result.tip)) !== rootOf(head)) return 'range-root'
    disk.append(result.tip, result.entries, note)
    const facts = factsOf(result.entries, self)
    const published = author === self ? publishedRounds(result.entries) : []
    feed({ type: 'replicated', log: disk.sizeOf(author), from: peer, facts, published })
  }
  return null
}
