/** When this node proposes a scaling: once, as soon as everybody's statistics are here or the deadline is past. */
import { fromHex } from '../core/bytes.ts'
import { betterScaling, proposalFrom, type StudyState } from '../governance/studies.ts'
import type { Context } from './context.ts'

/** One per study run. The deadline counts from the first call of `propose`: a restart begins it anew. */
export class Freezing {
  #deadlineMs: number | null = null
  #proposed = false

  /** Proposes where it is time; `state` has this node's own statistics. */
  propose(context: Context, state: StudyState): void {
    this.#deadlineMs ??= context.now + state.study.statistics.deadlineSeconds * 1000
    const complete = state.statistics.size === context.members.length
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
