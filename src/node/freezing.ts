/** When this node proposes a scaling: once, as soon as everybody's statistics are here or the deadline is past. */
import { fromHex } from '../core/bytes.ts'
import { betterScaling, proposalFrom, type StudyState } from '../governance/studies.ts'
import type { Context } from './context.ts'

export const HEARING_MS = 10_000 // after a start: time to hear what the others froze or trained meanwhile

/** One per study run. The deadline counts from the entry with this node's own statistics, so that restarts do not put it off. */
export class Freezing {
  #deadlineMs: number | null = null
  #proposed = false

  /** Proposes where it is time; `state` has this node's own statistics. */
  propose(context: Context, state: StudyState): void {
    this.#deadlineMs ??= deadlineOf(context, state)
    const complete = context.roll.members.every((member) => state.statistics.has(member)) // who left may have contributed too
    if (this.#proposed || (!complete && context.now < this.#deadlineMs)) return
    this.#proposed = true
    const { proposal, refs } = proposalFrom(state)
    if (!betterScaling(proposal, state.scaling)) return
    const draft = context.draft('study.scaling', state.id, { digest: fromHex(proposal.digest) }, refs)
    context.record(`scaling:${state.id}`, [draft])
    context.tell('info', 'scaling-proposed', { study: state.id, contributions: refs.length, complete })
  }

  wakeAtMs(): number | null {
    return this.#proposed ? null : this.#deadlineMs
  }
}

function deadlineOf({ self, now }: Context, { study, statistics }: StudyState): number {
  const waitMs = study.statistics.deadlineSeconds * 1000
  const sinceMs = Math.min(now, statistics.get(self)?.timeMs ?? now) // a clock that was set back must not put it off
  return Math.max(sinceMs + waitMs, now + Math.min(waitMs, HEARING_MS))
}
