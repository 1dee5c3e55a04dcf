/** What a node that fetches its own log back learns of the rounds that it has published. */
import type { StudyId } from '../core/ids.ts'
import type { Entry } from '../ledger/entry.ts'
import { readBody } from './kinds.ts'

/** A round that this node has published, as its own log says. */
export interface PublishedRound {
  readonly study: StudyId
  readonly round: number
}

/** The newest round of each study that went out, as own entries tell. */
export function publishedRounds(entries: readonly Entry[]): PublishedRound[] {
  const newest = new Map<StudyId, number>()
  for (const { kind, study, body } of entries) {
    const round = kind === 'round.trained' ? readBody('round.trained', body)?.round : undefined
    if (study !== null && round !== undefined) newest.set(study, Math.max(newest.get(study) ?? 0, round))
  }
  return [...newest].map(([study, round]) => ({ study, round }))
}
