/** A member's connection is up: it is asked for its heads, and the log says once a day that it was there. */
import { fromHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import type { Liveness } from '../gossip/liveness.ts'
import type { Context } from './context.ts'
import type { Witnessing } from './witnessing.ts'

const SEEN_AGAIN_MS = 24 * 3_600_000 // one `member.seen` a day and member keeps the log readable over months

interface Parts {
  readonly context: Context
  readonly liveness: Liveness
  readonly witnessing: Witnessing
  readonly seen: Map<MemberId, number>
}

/** Takes note of it. */
export function met({ context, liveness, witnessing, seen }: Parts, member: MemberId): void {
  if (!liveness.connected(member, context.now)) return
  context.out.push({ type: 'ask-heads', peer: member })
  witnessing.met()
  const before = seen.get(member)
  if (!context.roll.isMember(member) || (before !== undefined && context.now - before < SEEN_AGAIN_MS)) return
  seen.set(member, context.now)
  context.record('seen', [context.draft('member.seen', null, { member: fromHex(member) })])
}
