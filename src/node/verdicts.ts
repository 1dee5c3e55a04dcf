/** What the machine answers to gossip, and against whom a rejected message counts. */
import type { MemberId, StudyId } from '../core/ids.ts'
import { UPDATE_CONTRADICTS } from '../gossip/exchange.ts'
import type { LogState } from '../ledger/replication.ts'
import type { Context } from './context.ts'
import type { NodeEvent, Ticket } from './events.ts'
import type { Rejections } from './rejections.ts'
import type { StudyRun } from './studyRun.ts'
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

/** What the update's study says of it. */
export function updateHeard(
  parts: Parts & { readonly runs: ReadonlyMap<StudyId, StudyRun> },
  { ticket, from, header, facts, cell }: Extract<NodeEvent, { type: 'update-heard' }>,
): void {
  const { author, study } = header
  const judgement = parts.runs.get(study)?.judge(header, facts, cell) ?? { verdict: 'ignore', reason: 'study-unknown' }
  if (judgement.verdict === 'accept') return verdict(parts, ticket, from, author, 'accept', null)
  verdict(parts, ticket, from, author, judgement.verdict, judgement.reason)
  if (judgement.reason === UPDATE_CONTRADICTS) parts.rejections.member(parts.context, author, judgement.reason)
}

/** Cosignatures that a witness tells of; gives the heads that are final with them. */
export function cosignedHeard(
  parts: Parts & { readonly witnessing: Witnessing },
  { ticket, from, logs, valid }: Extract<NodeEvent, { type: 'cosigned-heard' }>,
): LogState[] {
  verdict(parts, ticket, from, from, valid ? 'accept' : 'reject', valid ? null : 'cosignature-invalid')
  return valid ? parts.witnessing.heard(from, logs) : []
}
