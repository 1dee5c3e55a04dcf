/** Who the members are, and whose signatures count under a head: epoch by epoch, from the founding on. */
import type { MemberId } from '../core/ids.ts'
import { type Founding, quorum } from './founding.ts'

/** Whose signatures count under a head. */
export interface Membership {
  /** The members and the quorum of the epoch that governs a head of `author` over `size` entries; null where it is no member's. */
  governing(author: MemberId, size: number): Governing | null
}

/** One epoch, as far as a signature's worth depends on it. */
export interface Governing {
  readonly members: ReadonlySet<MemberId>
  readonly quorum: number
}

/** The membership of a consortium that never changed it. */
export function foundersOnly({ members }: Founding): Membership {
  const founders = { members: new Set(members.map(({ key }) => key)), quorum: quorum(members.length) }
  return { governing: (author) => (founders.members.has(author) ? founders : null) }
}
