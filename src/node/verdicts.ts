/** What the machine answers to gossip, and against whom a rejected message counts. */
import type { MemberId } from '../core/ids.ts'
import type { LogState } from '../ledger/replication.ts'
import type { Context } from './context.ts'
import type { NodeEvent, Ticket } from './events.ts'
import type { Rejections } from './rejections.ts'
import type { Witnessing } from './witnessing.ts'

interface Parts {
  readonly context: Context
  readonly rejections: Rejections
}

/** Answers a message; a rejected one is noted against the member who signed it (not against who relayed it unseen). */
export function verdict(
  { context, rejections }: Parts,
  ticket: Ticket | null,
  from: MemberId,
  author: MemberId,
  verdict: 'accept' | 'ignore' | 'reject',
  reason: string | null,
): void {
  if (ticket !== null) context.out.push({ type: 'verdict', ticket, verdict, reason })
  if (verdict === 'reject') rejections.member(context, ticket === null ? from : author, reason ?? 'rejected')
}

/** Cosignatures that a witness tells of; gives the heads that are final with them. */
export function cosignedHeard(
  parts: Parts & { readonly witnessing: Witnessing },
  { ticket, from, logs, valid }: Extract<NodeEvent, { type: 'cosigned-heard' }>,
): LogState[] {
  verdict(parts, ticket, from, from, valid ? 'accept' : 'reject', valid ? null : 'cosignature-invalid')
  return valid ? parts.witnessing.heard(from, logs) : []
}
