/** When a study is over before its last round, at its time or when most of its members say that it is enough; and what this node says of its end. */
import type { Study } from '../config/study.ts'
import type { LocalFigures } from '../core/figures.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Context } from './context.ts'
import type { Progress } from './progress.ts'
import { endedDrafts } from './roundEntries.ts'

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
  if (state.enough.size === 0) return null
  const taking = [...state.bound].filter(isMember)
  const enough = taking.filter((member) => state.enough.has(member))
  return 2 * enough.length > taking.length ? 'agreed' : null
}

/** Whether a node may say by itself that its model stands still: in a private study ε does not cover what rows that train would say by that. */
export function mayVote({ privacy }: Pick<Study, 'privacy'>, { apart }: Pick<LocalFigures, 'apart'>): boolean {
  return privacy === null || apart
}

/** One per study run. */
export class Ending {
  readonly #context: Context
  readonly #id: StudyId
  /** The own word that the study is enough is on its way into the log. */
  #saidEnough = false

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
  }

  isOver(state: StudyState): boolean {
    const { roll, now } = this.#context
    return whyOver(state, (member) => roll.isMember(member), now) !== null
  }

  /** The operator's word, or the node's own: once said it stands. */
  sayEnough(reason: 'operator' | 'plateau'): void {
    if (this.#saidEnough || this.#context.studies.get(this.#id)?.enough.has(this.#context.self)) return
    this.#saidEnough = true
    this.#context.record(`enough:${this.#id}`, [this.#context.draft('study.enough', this.#id, { reason })])
    this.#context.tell('info', 'study-enough', { study: this.#id, reason })
  }

  /** Records that the study is over here after `rounds` rounds, with `model`, without a merge that says so. */
  record(state: StudyState, rounds: number, scaling: Digest, model: Digest, progress: Progress): void {
    const checkpoint = progress.end(scaling, model)
    const drafts = endedDrafts(this.#context, state, rounds, model, progress.standing)
    this.#context.out.push({ type: 'record', tag: `ended:${this.#id}`, drafts, checkpoint })
    this.#context.tell('info', 'study-ended', { study: this.#id, rounds, model })
  }
}
