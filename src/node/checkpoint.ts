/** What of a study's progress is written in one batch with the entries that tell of it, so that a restart resumes there. */
import type { Digest, StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { PrivacyClaim } from '../core/privacy.ts'
import type { Held } from '../gossip/exchange.ts'
import type { StandingState } from './standing.ts'

/** `trained`: U_r is recorded, not yet merged. `merged`: round r is complete and `shared` is the base of the next. */
export interface Checkpoint {
  readonly study: StudyId
  readonly stage: 'trained' | 'merged' | 'ended'
  readonly round: number
  /** Digest of the scaling that these weights belong to. */
  readonly scaling: Digest
  /** What this round trained from, and the updates merged into that: named again if U_r must be sent again. */
  readonly base: Digest
  readonly parents: readonly Digest[]
  /** Digest of the shared weights to store with this: U_r when trained, the merge's result when merged. */
  readonly shared: Digest
  readonly head: Digest
  readonly examples: number
  /** Of a private study: what the own update says. */
  readonly privacy?: PrivacyClaim
  /** What the last merged model measured here, for people to see; null before the first. */
  readonly metrics: Metrics | null
  /** At the end: the others' updates that were held, which are still to be tested on the own patients. */
  readonly others?: readonly Held[]
  /** How the merged models have stood here; null before the first. */
  readonly standing: StandingState | null
}

/** Rounds that lie behind: all of them once the study has ended. */
export function roundsBehind(checkpoint: Checkpoint | null): number {
  if (checkpoint === null) return 0
  return checkpoint.stage === 'trained' ? checkpoint.round : checkpoint.round + 1
}
