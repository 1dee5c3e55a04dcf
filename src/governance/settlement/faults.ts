/** What is wrong with a proposal to close a period, as far as it shows by itself. */
import { timeText } from '../../config/agreementText.ts'
import type { AgreementState } from '../agreements.ts'
import type { Objection } from '../kinds/settlement.ts'
import type { ProposalWord } from './closings.ts'

const DAY_MS = 86_400_000
export const SLACK_MS = 600_000 // clocks of hospitals differ, and what was written last is cosigned minutes later

/** What a node says by itself; other faults everybody sees, and they cost nobody its vote. */
export const ANSWERED: ReadonlySet<Objection> = new Set(['differs', 'bodies-missing', 'cut-behind', 'cut-ahead'])

/** What shows without a statement. `previous` is what closed the period before; null in the first. */
export function proposalFault(
  { agreement }: AgreementState,
  { cut, until, timeMs }: Pick<ProposalWord, 'cut' | 'until' | 'timeMs'>,
  previous: ProposalWord | null,
  nowMs: number,
): Objection | null {
  const { parties, settlement, starts } = agreement
  if (cut.size !== parties.length || parties.some(({ member }) => !cut.has(member))) return 'differs'
  if (until > Math.min(timeMs, nowMs) + SLACK_MS) return 'future'
  const begun = previous?.until ?? starts
  if (begun !== null && until < begun + (settlement.periodDays ?? 0) * DAY_MS) return 'early'
  return null
}

/** What to do about it, for who proposes or would confirm. */
export function faultText(
  { agreement }: AgreementState,
  objection: Objection,
  untilMs: number,
  previous: ProposalWord | null,
): string {
  const from = previous?.until ?? agreement.starts ?? 0
  const ends = timeText(from + (agreement.settlement.periodDays ?? 0) * DAY_MS)
  const until = timeText(untilMs)
  const words: Record<Objection, string> = {
    differs: 'this node computes another statement from the same cut',
    'bodies-missing': 'bodies of entries that count were dropped here: ask a hospital that has them',
    chain: 'it does not follow on the period that was closed last: propose again',
    'cut-behind': `its cut leaves out entries that are final here and of before ${until}: propose again when all logs have arrived`,
    'cut-ahead': 'its cut takes in entries that are not final here a day later',
    early: `the period lasts until ${ends} at least (settlement.periodDays), and ${until} was asked: propose it then`,
    future: `${until} has not come: name a time that is over, or now`,
    unsigned: 'not all who must sign the agreement had by then: see "consilium agreement show"',
    operator: 'its people say no',
  }
  return words[objection]
}
