/** Whether the table that is bound to a study may be used in it, where the hospital wants a grant for that: asked before each act. */
import type { Digest } from '../core/ids.ts'
import { studyRefusal } from '../governance/access/permits.ts'
import type { Refusal } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Context } from './context.ts'

/** Null where it may, or none is wanted; `dataset` is null of a table that is no registered one. */
export function grantRefusal(context: Context, study: StudyState, dataset: Digest | null): Refusal | null {
  if (!context.grantsRequired) return null
  const { self, now: nowMs, cut, studies } = context
  return studyRefusal(studies.access, { self, study, dataset, cut, nowMs })
}

/** Whether a refusal of that code says that what was granted is so no longer: what was published under it is served no more. */
export function isTakenBack(code: string | null): boolean {
  return code === 'access-revoked' || code === 'access-withdrawn'
}
