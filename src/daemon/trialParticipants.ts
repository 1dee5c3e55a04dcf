/** All participants of a trial, one row each, with the arms that were made known: what those who analyse locked data go by. */
import { toHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import type { Cut } from '../governance/agreements.ts'
import { type Followed, recordBelow, type TrialRecord } from '../governance/trials/book.ts'
import { endOf, versionOf } from '../governance/trials/enrolment.ts'
import { armKnown, type ListStanding, listStanding } from '../governance/trials/listFindings.ts'
import { allLists, isFinal, sitesOf } from '../governance/trials/standing.ts'
import type { TrialParticipantLine } from './trialApi.ts'
import { refused } from './trialFaults.ts'
import type { Telling } from './trialReports.ts'

const PARTICIPANTS_MAX = 200_000 // of one answer, 60 MB; one site never has as many

/**
 * By site, this hospital first, then in the order of enrolment; of one site where that is given. Versions and arms are by what is final, for that
 * others have too; an end as soon as it is known. Error: `trial-too-many`.
 */
export function participantLines(
  record: TrialRecord,
  telling: Pick<Telling, 'self' | 'cut' | 'nameOf'>,
  only: MemberId | null = null,
): TrialParticipantLine[] {
  const { self, cut, nameOf } = telling
  const sites = [...sitesOf(record)]
    .filter((site) => only === null || site === only)
    .map((site) => ({ site, name: nameOf(site), key: site === self ? '' : `${nameOf(site)} ${site}` }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  const all = sites.reduce((sum, { site }) => sum + (record.voices.get(site)?.followed.size ?? 0), 0)
  if (all > PARTICIPANTS_MAX)
    throw refused('trial-too-many', `${all} participants, and ${PARTICIPANTS_MAX} are told at once: name a --site`)
  const below = recordBelow(record, { final: cut.final, known: cut.final })
  const lists = new Map(allLists(below).map((list) => [list.hash as string, listStanding(below, list)]))
  return sites.flatMap(({ site, name }) => {
    const final = below.voices.get(site)?.followed
    return [...(record.voices.get(site)?.followed ?? [])].flatMap(([tag, followed]) => {
      const by = final?.get(tag)?.enrolled == null ? null : { record: below, followed: final.get(tag) as Followed }
      return lineOf({ tag, site: name, followed }, by ?? { record, followed }, lists, cut)
    })
  })
}

/** `by`: what it is read from; all that is known where the enrolment is not final. */
function lineOf(
  { tag, site, followed }: { readonly tag: string; readonly site: string; readonly followed: Followed },
  by: { readonly record: TrialRecord; readonly followed: Followed },
  lists: ReadonlyMap<string, ListStanding>,
  cut: Cut,
): TrialParticipantLine[] {
  const { enrolled } = followed
  if (enrolled === null) return []
  const { stratum, position } = enrolled.body
  const list = toHex(enrolled.body.list)
  const end = endOf(followed)
  return [
    {
      ...{ participant: tag, site, stratum, list, position, version: versionOf(by.record, by.followed) },
      state: end?.body.event ?? 'taking part',
      final: isFinal(enrolled.place, cut) && (end === null || isFinal(end.place, cut)),
      arm: armKnown(lists.get(list) ?? null, enrolled),
    },
  ]
}
