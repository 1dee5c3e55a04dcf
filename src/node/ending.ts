/** When a study is over before its last round: at its time, or when most of its members say that it is enough. */
import type { MemberId } from '../core/ids.ts'
import type { StudyState } from '../governance/studies.ts'

/** When its time is over, in milliseconds since 1970; null where it has none. */
export function deadlineOf({ study, proposedAtMs }: StudyState): number | null {
  const { afterSeconds } = study.end
  return afterSeconds === null ? null : proposedAtMs + afterSeconds * 1000
}

/**
 * Why the study is over now, or null. Each node judges for itself and by what it knows, so that nobody waits for who is away: the time of the
 * proposal and the words of members are in the ledger, and all come to the same in the end. A majority of those who bound a table decides; a
 * minority can neither end the study for the others nor keep them at it, and a node whose model stands still while others gain goes on with them.
 */
export function whyOver(
  state: StudyState,
  isMember: (member: MemberId) => boolean,
  now: number,
): 'time' | 'agreed' | null {
  const deadlineMs = deadlineOf(state)
  if (deadlineMs !== null && now >= deadlineMs) return 'time'
  const taking = [...state.bound].filter(isMember)
  const enough = taking.filter((member) => state.enough.has(member))
  return 2 * enough.length > taking.length ? 'agreed' : null
}
