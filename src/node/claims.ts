/** What this node says of the update that it publishes. */
import type { MemberId, StudyId } from '../core/ids.ts'
import type { Publication } from '../gossip/rounds.ts'
import type { UpdateClaims } from '../gossip/update.ts'

/** Of a recorded update, as it goes out; `terms` are those that it was trained on. */
export function claimsOf(
  author: MemberId,
  study: StudyId,
  { round, base, parents, own }: Publication,
  terms: Pick<UpdateClaims, 'scaling' | 'parameters' | 'privacy'>,
): UpdateClaims {
  return { study, author, round, examples: own.examples, base, parents: [...parents], digest: own.update, ...terms }
}
