/** Which of its lists a site takes positions from: the first that has any. Between two it could take the one whose next arm it guesses. */
import { toHex } from '../../core/bytes.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import type { TrialPlace, TrialRecord } from './book.ts'
import type { Tell } from './findingCodes.ts'
import { isOpened, type StandingList, versionNumbered } from './standing.ts'

/** Lists that stand for each other, in the order in which they were drawn. Those before `next` are full. */
interface Row {
  readonly lists: StandingList[]
  next: number
}

/** Enrolments of a site that passed over a list. */
export function listChoiceFindings(
  record: TrialRecord,
  site: MemberId,
  lists: ReadonlyMap<Digest, StandingList>,
  tell: Tell,
): void {
  const rows = rowsOf(record, site, lists)
  const taken = new Map<Digest, number>()
  const takenOf = ({ hash }: StandingList): number => taken.get(hash) ?? 0
  for (const { body, place } of record.voices.get(site)?.of('trial.enrolled') ?? []) {
    const list = lists.get(toHex(body.list) as Digest)
    const row = list === undefined ? undefined : rows.get(list.hash)
    if (list === undefined || row === undefined) continue
    for (; isFull(row.lists[row.next], takenOf); row.next++);
    const passed = row.lists
      .slice(row.next, row.lists.indexOf(list))
      .find((one) => takenOf(one) < one.size && isKnown(one, place) && !isOpened(record, one, takenOf(one), place))
    if (passed !== undefined) tell('list-passed', place, passed.word.place)
    taken.set(list.hash, Math.max(takenOf(list), body.position + 1))
  }
}

const isFull = (list: StandingList | undefined, takenOf: (list: StandingList) => number): boolean =>
  list !== undefined && takenOf(list) >= list.size

/** Whoever takes a list knows those that its author drew before it. */
const isKnown = ({ word }: StandingList, place: TrialPlace): boolean => word.place.lamport < place.lamport

/** By list. Alike are those of one site, stratum and author, for the same arms. */
function rowsOf(record: TrialRecord, site: MemberId, lists: ReadonlyMap<Digest, StandingList>): Map<Digest, Row> {
  const rows = new Map<string, Row>()
  const found = new Map<Digest, Row>()
  for (const list of lists.values()) {
    if (list.site !== site) continue
    const { body, place } = list.word
    const key = JSON.stringify([list.stratum, place.author, versionNumbered(record, body.version)?.body.arms])
    const row = rows.get(key) ?? { lists: [], next: 0 }
    row.lists.push(list)
    rows.set(key, row)
    found.set(list.hash, row)
  }
  return found
}
