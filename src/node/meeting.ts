/** Members that come and go, and what those who come say of their heads. */
import { fromHex } from '../core/bytes.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import type { Liveness } from '../gossip/liveness.ts'
import type { Replication } from '../ledger/replication.ts'
import type { Arrivals } from './arrivals.ts'
import type { Context } from './context.ts'
import type { Fence } from './fence.ts'
import type { Witnessing } from './witnessing.ts'

const SEEN_AGAIN_MS = 24 * 3_600_000 // one `member.seen` a day and member keeps the log readable over months

interface Parts {
  readonly context: Context
  readonly liveness: Liveness
  readonly witnessing: Witnessing
  readonly seen: Map<MemberId, number>
}

/** A member's connection is up: it is asked for its heads, and the log says once a day that it was there. */
export function met({ context, liveness, witnessing, seen }: Parts, member: MemberId): void {
  if (!liveness.connected(member, context.now)) return
  context.out.push({ type: 'ask-heads', peer: member })
  witnessing.met()
  const before = seen.get(member)
  if (!context.roll.isMember(member) || (before !== undefined && context.now - before < SEEN_AGAIN_MS)) return
  seen.set(member, context.now)
  context.record('seen', [context.draft('member.seen', null, { member: fromHex(member) })])
}

/** A member is gone: what was asked of it is asked of others, and it is asked again when it is back. */
export function parted(
  {
    replication,
    liveness,
    runs,
  }: Pick<Parts, 'liveness'> & {
    readonly replication: Pick<Replication, 'onPeerGone'>
    readonly runs: ReadonlyMap<StudyId, { readonly arrivals: Pick<Arrivals, 'peerGone'> }>
  },
  member: MemberId,
): void {
  replication.onPeerGone(member)
  for (const { arrivals } of runs.values()) arrivals.peerGone(member)
  liveness.disconnected(member)
}

/** A member has told of all its heads. Of a candidate's word nobody knows what it is worth. */
export function headsTold(
  { context, fence }: Pick<Parts, 'context'> & { readonly fence: Fence },
  from: MemberId,
): void {
  if (context.roll.isMember(from)) fence.answered(from, context.now)
}
