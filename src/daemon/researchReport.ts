/** What went out in studies that ask no patients: by study and recipient, for an accounting in which nobody knows whose rows they were. */
import { readBody } from '../governance/kinds.ts'
import type { OwnRounds } from '../governance/ownRounds.ts'
import type { StudyState } from '../governance/studies.ts'
import { decodeEntry } from '../ledger/entry.ts'
import type { AccountedPeriod, AccountedResearch } from '../report/exports/accounting.ts'
import type { ResearchReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'
import { refOf } from './models.ts'
import { recipientsOf } from './subjectReport.ts'

/** What it works with. */
type Reported = Pick<Daemon, 'ownLog' | 'machine' | 'home' | 'logs' | 'nameOf'>

/** Studies of which this hospital computed updates in that time that rest on no set of patients. Errors: those of `decodeEntry`, where the store is damaged. */
export async function researchReport(daemon: Reported, period: AccountedPeriod): Promise<ResearchReport> {
  const own = await daemon.ownLog.rounds()
  const states = daemon.machine.view().studies.map(({ state }) => state)
  const found = await Promise.all(states.map((state) => studyOf(daemon, state, own, period)))
  return { hospital: daemon.nameOf(daemon.home.key.id), studies: found.filter((one) => one !== null) }
}

async function studyOf(
  daemon: Reported,
  { id, study, proposedBy }: Pick<StudyState, 'id' | 'study' | 'proposedBy'>,
  own: OwnRounds,
  { sinceMs, untilMs }: AccountedPeriod,
): Promise<AccountedResearch | null> {
  const self = daemon.home.key.id
  const rounds = own.unasked(id).filter(({ timeMs }) => timeMs >= sinceMs && timeMs < untilMs)
  const newest = rounds.at(-1)
  if (newest === undefined) return null
  const placed = ({ seq, timeMs }: (typeof rounds)[number]) => ({ timeMs, entry: refOf(daemon, self, seq) })
  const sent = await recipientsOf(
    daemon,
    id,
    rounds.map(({ seq }) => seq),
  )
  return {
    ...{ study: id, name: study.name, purpose: study.purpose, proposedBy: daemon.nameOf(proposedBy) },
    columns: [...study.features, study.label].map(({ name }) => name),
    rows: await rowsOf(daemon, newest.seq),
    updates: rounds.length,
    recipients: sent.map(({ member, after }) => {
      const first = rounds[after] ?? newest
      return { member, number: rounds.length - after, first: placed(first), last: placed(newest) }
    }),
  }
}

/** Rows that a round was computed from; null where its body is gone. */
async function rowsOf({ logs, home }: Reported, seq: number): Promise<number | null> {
  const [raw] = await logs.entries(home.key.id, seq, seq + 1)
  return raw === undefined ? null : (readBody('round.trained', decodeEntry(raw).body)?.examples ?? null)
}
