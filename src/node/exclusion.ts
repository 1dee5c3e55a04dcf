/** An operator's word on whose updates are not merged here: what it reads like in the own log, and when it may be given. */
import { fromHex, toHex } from '../core/bytes.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { EXCLUSION_REASONS, READMISSION_REASONS, readBody } from '../governance/kinds.ts'
import type { Fact, StudyState } from '../governance/studies.ts'
import type { Draft } from './actions.ts'
import type { Context } from './context.ts'
import type { NodeEvent } from './events.ts'

type Command = Extract<NodeEvent, { type: 'study-exclude' }>

/** Whom an entry excludes or takes back in, and in which study; null where it is about something else. */
export function exclusionOf({
  kind,
  study,
  body,
}: Fact): { study: StudyId; member: MemberId; excluded: boolean } | null {
  if (study === null || (kind !== 'study.excluded' && kind !== 'study.readmitted')) return null
  const read = readBody(kind, body)
  return read && { study, member: toHex(read.member) as MemberId, excluded: kind === 'study.excluded' }
}

/** Why the word may not be given, or null. */
export function exclusionRefusal(
  { member, excluded, reason }: Command,
  { accepted }: StudyState,
  { self }: Context,
  isExcluded: boolean,
): { code: string; message: string } | null {
  const words: readonly string[] = excluded ? EXCLUSION_REASONS : READMISSION_REASONS
  if (!words.includes(reason))
    return no(
      'exclusion-reason',
      `--reason: ${JSON.stringify(reason.slice(0, 40))} given; ${words.join(', ')} are allowed`,
    )
  if (member === self) return no('exclusion-self', 'this hospital cannot exclude itself: pause the study instead')
  if (excluded && !accepted.has(member))
    return no('exclusion-member', 'this member does not take part in the study, so nothing of it is merged')
  if (excluded === isExcluded)
    return no('exclusion-twice', excluded ? 'this member is excluded already' : 'this member is not excluded')
  return null
}

/** The entry that says so; it counts when it is durable. */
export function exclusionDraft({ study, member, excluded, reason }: Command, context: Context): Draft {
  const body = { member: fromHex(member), reason }
  return excluded
    ? context.draft('study.excluded', study, body as Parameters<typeof context.draft<'study.excluded'>>[2])
    : context.draft('study.readmitted', study, body as Parameters<typeof context.draft<'study.readmitted'>>[2])
}

function no(code: string, message: string): { code: string; message: string } {
  return { code, message }
}
