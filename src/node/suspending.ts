/** An operator's word that a member's key is not to be trusted, or is again: when it may be given, and the entry that says it. */
import { fromHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import { SUSPENSION_REASONS } from '../governance/kinds/members.ts'
import { type SuspensionReason, suspensionBody } from '../governance/suspensions.ts'
import type { Context } from './context.ts'
import type { NodeEvent } from './events.ts'

/** The commands about members whose keys are not to be trusted. */
export type SuspendCommand = Extract<NodeEvent, { type: 'member-suspend' | 'member-reinstate' }>

/** Why a member whose own key is suspended may not act. */
export const SUSPENDED = {
  code: 'member-suspended',
  message:
    'this member is suspended: its key is not to be trusted until the members give it a new one, or take that back; see "consilium members ls"',
} as const

/** Whether `suspending` takes it. */
export function isSuspendCommand(event: NodeEvent): event is SuspendCommand {
  return event.type === 'member-suspend' || event.type === 'member-reinstate'
}

/** Null where it is carried out; the word counts when it is durable. */
export function suspending(event: SuspendCommand, context: Context): { code: string; message: string } | null {
  const { self, roll, suspensions } = context
  const { member, size } = event
  if (!roll.isMember(self)) return no('not-a-member', 'members alone say whose key is not to be trusted')
  if (!roll.isMember(member)) return no('member-unknown', 'it is no member any more, and nothing new of it counts')
  const found = suspensions.of(member, context)
  const said = found?.words.some(({ by }) => by === self) ?? false
  if (event.type === 'member-reinstate') return reinstating(member, size, found !== null, context)
  if (!(SUSPENSION_REASONS as readonly string[]).includes(event.reason))
    return no(
      'suspension-reason',
      `--reason: ${JSON.stringify(event.reason.slice(0, 40))} given; ${SUSPENSION_REASONS.join(', ')} are allowed`,
    )
  if (said) return no('suspension-twice', 'this hospital has said so already: see "consilium members ls"')
  const body = suspensionBody(member, event.reason as SuspensionReason, size)
  context.record('suspension', [context.draft('member.suspended', null, body)])
  return null
}

function reinstating(
  member: MemberId,
  size: number,
  isSpokenOf: boolean,
  context: Context,
): { code: string; message: string } | null {
  if (member === context.self)
    return no(
      'reinstatement-own',
      'whoever holds this key may be a thief, so the others alone lift what was said with it: ask them, or have them give this member a new key',
    )
  if (!isSpokenOf) return no('suspension-none', 'nobody says that this member is suspended')
  context.record('suspension', [context.draft('member.reinstated', null, { member: fromHex(member), size })])
  return null
}

function no(code: string, message: string): { code: string; message: string } {
  return { code, message }
}
