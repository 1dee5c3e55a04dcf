/** What the machine reads of the logs: entries of the kinds that change what it does, whose bodies fit. */
import type { MemberId } from '../core/ids.ts'
import type { Entry } from '../ledger/entry.ts'
import { isKind, KINDS, type Kind, readBody } from './kinds.ts'
import type { Fact } from './studies.ts'

/**
 * Of other members nothing is read of these; its own tell a node whom it has seen, in which slots it votes, whose log is frozen, which
 * alarms it has recorded, whom its operator excluded, what privacy its training has cost, how many words of patients it has told of,
 * and who acts for its hospital.
 */
const OWN_ONLY: ReadonlySet<string> = new Set<Kind>([
  'member.seen',
  'epoch.voting',
  'alarm.fork',
  'alarm.witness',
  'privacy.spent',
  'study.excluded',
  'study.readmitted',
  'consent.recorded',
  'person.enrolled',
  'person.revoked',
  'person.reset',
])
const UNREAD: ReadonlySet<string> = new Set<Kind>([
  'member.rejected',
  'stranger.rejected',
  'node.started',
  'node.stopped',
  'round.trained',
  'round.published',
  'round.merged',
  'round.evaluated',
  'model.exported',
  'model.used',
  'model.served',
  'model.explained',
  'alarm.outlier',
  'privacy.audited',
  'round.personal',
  'study.calibrated',
  'operator.pruned',
  'operator.scrubbed',
  'subject.erased',
  'subject.disclosed',
  'consent.restarted',
  'operator.backup',
  'operator.restored',
  'operator.corrected',
  'agreement.denied',
  'dataset.registered',
  'dataset.verified',
  'person.acted',
  'supply.recorded',
  'supply.recalled',
  'supply.lifted',
  'supply.recall-slice',
  'supply.list-lifted',
  'supply.product',
  'access.denied',
  'count.asked',
  'count.answered',
  'value.measured',
  'trial.protocol',
  'trial.approved',
  'trial.withdrawn',
  'trial.list',
  'trial.enrolled',
  'trial.allocated',
  'trial.opened',
  'trial.unsealed',
  'trial.event',
  'trial.locked',
  'trial.unlocked',
])

/** Says which kinds are read: what was read by another rule has to be read again. */
export const READING = JSON.stringify([Object.keys(KINDS), [...OWN_ONLY], [...UNREAD]])

/** In the order given; `self` is the member whose node this is. */
export function factsOf(entries: readonly Entry[], self: MemberId): Fact[] {
  return entries
    .filter((entry) => isRead(entry, self))
    .map((entry) => {
      const { author, seq, hash, timeMs, lamport, kind, study, refs, body } = entry
      return { author, seq, hash, timeMs, lamport, kind, study, refs, body }
    })
}

function isRead({ kind, author, body }: Entry, self: MemberId): boolean {
  if (!isKind(kind) || UNREAD.has(kind)) return false
  return (author === self || !OWN_ONLY.has(kind)) && readBody(kind, body) !== null
}
