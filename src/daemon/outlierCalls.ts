/** The calls about updates that merges set aside: who, why, how often and since when; and the operator's word on whose are merged here. */
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import type { AsideReason } from '../governance/kinds/rounds.ts'
import { readBody } from '../governance/kinds.ts'
import type { Entry, Glance } from '../ledger/entry.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'
import { entriesOf } from './logSlices.ts'
import type { OutlierReport, OutliersReport } from './outliersReport.ts'
import { findStudy } from './studyReference.ts'

/** Routes of the control API. */
export function outlierCalls(daemon: Daemon): Routes {
  return {
    'GET /v1/studies/:/outliers': ({ parts }) => outliers(daemon, findStudy(daemon, parts[0] ?? '').id),
    'POST /v1/studies/:/exclude': ({ parts, body }) => exclude(daemon, parts[0] ?? '', body, true),
    'POST /v1/studies/:/readmit': ({ parts, body }) => exclude(daemon, parts[0] ?? '', body, false),
  }
}

async function exclude(daemon: Daemon, ref: string, body: Record<string, unknown>, excluded: boolean) {
  const { id: study, study: described } = findStudy(daemon, ref)
  const member = memberOf(daemon, word(body, 'member'))
  const reason = word(body, 'reason')
  await daemon.command((ticket) => ({ type: 'study-exclude', ticket, study, member, excluded, reason }))
  return { study, name: described.name, member: daemon.nameOf(member) }
}

function word(body: Record<string, unknown>, key: string): string {
  const value = body[key]
  if (typeof value === 'string' && value !== '') return value
  throw new ConsiliumError({ code: 'bad-request', message: `${key}: a text is expected` })
}

/** From this node's own log, so that a restart forgets nothing; bodies that were pruned are not counted. */
async function outliers(daemon: Daemon, study: StudyId): Promise<OutliersReport> {
  const self = daemon.home.key.id
  const records = new Map<MemberId, Counts>()
  let merges = 0
  const isMerge = ({ kind, study: of }: Glance): boolean => kind === 'round.merged' && of === study
  for await (const entry of entriesOf(daemon.logs, self, isMerge)) merges += count(records, entry, self)
  const excluded = new Set(daemon.machine.view().studies.find(({ state }) => state.id === study)?.run?.excluded ?? [])
  for (const member of excluded)
    if (!records.has(member)) records.set(member, { known: 0, aside: 0, row: 0, last: null })
  const members = [...records]
    .filter(([member, { aside }]) => aside > 0 || excluded.has(member))
    .map(([member, counts]): OutlierReport => {
      const { known, aside, row, last } = counts
      return { member, name: daemon.nameOf(member), known, aside, inARow: row, last, excluded: excluded.has(member) }
    })
  return { study, merges, members: members.sort((a, b) => b.inARow - a.inARow || b.aside - a.aside) }
}

interface Counts {
  known: number
  aside: number
  /** In a row, up to the newest merge that knew of an update. */
  row: number
  last: OutlierReport['last']
}

function count(records: Map<MemberId, Counts>, { body, timeMs }: Entry, self: MemberId): 0 | 1 {
  const merged = body === null ? null : readBody('round.merged', body)
  if (merged === null) return 0
  const reasons = new Map((merged.aside ?? []).map(([author, , , reason]) => [toHex(author) as MemberId, reason]))
  const known = new Set([...reasons.keys(), ...merged.inputs.map(([author]) => toHex(author) as MemberId)])
  known.delete(self)
  for (const member of known) {
    const counts = records.get(member) ?? { known: 0, aside: 0, row: 0, last: null }
    records.set(member, counts)
    counts.known++
    const reason = reasons.get(member)
    if (reason === undefined) counts.row = 0
    else note(counts, reason, merged.round, timeMs)
  }
  return 1
}

function note(counts: Counts, reason: AsideReason, round: number, timeMs: number): void {
  const since = counts.row === 0 || counts.last === null ? { sinceRound: round, sinceMs: timeMs } : counts.last
  counts.aside++
  counts.row++
  counts.last = { reason, round, sinceRound: since.sinceRound, sinceMs: since.sinceMs }
}
