/** Whose updates this node's merges set aside again and again: counted for people, and said once in the log for each time that it begins. */
import { fromHex } from '../core/bytes.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import type { AsideReason } from '../governance/kinds/rounds.ts'
import type { Context } from './context.ts'
import type { SetAside } from './events.ts'

const REPEATED_MERGES = 10 // in a row: a hospital whose patients differ is at the edge for a merge or two

/** How it stands with one member. */
export interface Standing {
  /** Merges in a row that set it aside, up to the newest that knew of an update of it. */
  readonly merges: number
  readonly reason: AsideReason
  readonly sinceRound: number
  readonly sinceMs: number
}

/** One per study; since the node's start. */
export class Outliers {
  readonly #standings = new Map<MemberId, Standing>()

  /** Takes up one merge: of everybody whose update it knew of. Who is merged again is an outlier no more. */
  note(context: Context, study: StudyId, round: number, known: readonly MemberId[], aside: readonly SetAside[]): void {
    const reasons = new Map(aside.map(({ author, reason }) => [author, reason]))
    for (const member of known) {
      const reason = reasons.get(member)
      if (reason === undefined) this.#standings.delete(member)
      else this.#again(context, study, round, member, reason)
    }
  }

  /** Those that were set aside so often in a row that a person should look, ascending by member. */
  repeated(): (Standing & { readonly member: MemberId })[] {
    return [...this.#standings]
      .filter(([, { merges }]) => merges >= REPEATED_MERGES)
      .map(([member, standing]) => ({ member, ...standing }))
      .sort((a, b) => (a.member < b.member ? -1 : 1))
  }

  #again(context: Context, study: StudyId, round: number, member: MemberId, reason: AsideReason): void {
    const before = this.#standings.get(member)
    const since = before ?? { sinceRound: round, sinceMs: context.now }
    const merges = (before?.merges ?? 0) + 1
    this.#standings.set(member, { merges, reason, sinceRound: since.sinceRound, sinceMs: since.sinceMs })
    if (merges !== REPEATED_MERGES || reason === 'excluded' || reason === 'suspended') return
    const body = { member: fromHex(member), reason, merges }
    context.record(`outlier:${study}`, [context.draft('alarm.outlier', study, body)])
    context.tell('warn', 'outlier', { study, member, reason, merges })
  }
}
