/**
 * What holds in a trial over a cut. An approval, an amendment's leave and an unlocking count when their entries are final; a withdrawal, a halt,
 * an amendment's call for new approvals and a lock as soon as they are known.
 */
import { toHex } from '../../core/bytes.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import type { Cut } from '../agreements.ts'
import type { ApprovalMeaning } from '../kinds/trials.ts'
import { comparePlaces, type TrialPlace, type TrialRecord, type TrialWord, type Version } from './book.ts'

/** `faulty`: signed, but the signature does not hold. */
export interface ApprovalStanding {
  readonly meaning: ApprovalMeaning
  readonly by: MemberId
  readonly state: 'missing' | 'pending' | 'approved' | 'withdrawn' | 'faulty'
  /** The approval; of a withdrawn one the last. */
  readonly word: TrialWord<'trial.approved'> | null
  readonly withdrawn: TrialWord<'trial.withdrawn'> | null
}

/** What a site needs under one version, and has. */
export interface SiteStanding {
  readonly site: MemberId
  readonly version: Version
  readonly approvals: readonly ApprovalStanding[]
  readonly halted: TrialWord<'trial.withdrawn'> | null
  readonly locked: TrialWord<'trial.locked'> | null
}

/** Why something must not be done, for whoever asks; `ask` may change that. */
export interface TrialRefusal {
  readonly code: string
  readonly says: (name: (member: MemberId) => string) => string
  /** The entry that it rests on; null where it is somebody's silence. */
  readonly rests: TrialPlace | null
  readonly ask: readonly MemberId[]
}

const isKnown = ({ author, seq }: TrialPlace, cut: Cut): boolean => seq < cut.known(author)

/** Whether an entry permits. */
export const isFinal = ({ author, seq }: TrialPlace, cut: Cut): boolean => seq < cut.final(author)

/** The newest version that is known. */
export function currentVersion({ versions }: TrialRecord, cut: Cut): Version | null {
  return versions.findLast(({ place }) => isKnown(place, cut)) ?? null
}

/** The version of that number. */
export function versionNumbered({ versions }: TrialRecord, number: number): Version | undefined {
  return versions[number - 1]
}

/** What a site has under a version. */
export function siteStanding(record: TrialRecord, version: Version, site: MemberId, cut: Cut): SiteStanding {
  const approvals = version.approvals.map(({ meaning, by }) =>
    approvalStanding(record, version, meaning, by ?? site, cut),
  )
  return {
    ...{ site, version, approvals },
    halted: haltOf(record, version.number, site, cut),
    locked: lockOf(record, site, cut),
  }
}

/** What one member says of a version in one meaning. */
export function approvalStanding(
  { voices }: TrialRecord,
  version: Version,
  meaning: ApprovalMeaning,
  by: MemberId,
  cut: Cut,
): ApprovalStanding {
  const voice = voices.get(by)
  const said = (voice?.of('trial.approved') ?? []).filter(
    ({ body, place }) => body.meaning === meaning && toHex(body.protocol) === version.place.hash && isKnown(place, cut),
  )
  const withdrawn =
    (voice?.of('trial.withdrawn') ?? []).findLast(
      ({ body, place }) =>
        body.what === 'approval' && body.meaning === meaning && body.version >= version.number && isKnown(place, cut),
    ) ?? null
  const since = said.filter(({ place, fault }) => fault === null && place.seq > (withdrawn?.place.seq ?? -1))
  const final = since.find(({ place }) => isFinal(place, cut))
  if (final !== undefined) return { meaning, by, state: 'approved', word: final, withdrawn: null }
  const sound = said.findLast(({ fault }) => fault === null) ?? null
  if (withdrawn !== null) return { meaning, by, state: 'withdrawn', word: sound, withdrawn }
  if (sound !== null) return { meaning, by, state: 'pending', word: sound, withdrawn: null }
  const faulty = said.at(-1) ?? null
  return { meaning, by, state: faulty === null ? 'missing' : 'faulty', word: faulty, withdrawn: null }
}

/** The sponsor halts everywhere, a site at its own; up to a version, so that the next one, approved anew, goes on. */
export function haltOf(
  { sponsor, voices }: TrialRecord,
  version: number,
  site: MemberId,
  cut: Cut,
): TrialWord<'trial.withdrawn'> | null {
  for (const member of sponsor === null || sponsor === site ? [site] : [sponsor, site]) {
    const halts = voices.get(member)?.of('trial.withdrawn') ?? []
    const found = halts.find(
      ({ body, place }) => body.what === 'halt' && body.version >= version && isKnown(place, cut),
    )
    if (found !== undefined) return found
  }
  return null
}

/** The lock that binds a site: its own, or the sponsor's. */
function lockOf({ sponsor, voices }: TrialRecord, site: MemberId, cut: Cut): TrialWord<'trial.locked'> | null {
  for (const member of sponsor === null || sponsor === site ? [site] : [sponsor, site]) {
    const voice = voices.get(member)
    const lock = (voice?.of('trial.locked') ?? []).findLast(({ place, fault }) => fault === null && isKnown(place, cut))
    if (lock === undefined) continue
    const lifted = (voice?.of('trial.unlocked') ?? []).some(
      ({ body, place, fault }) => fault === null && toHex(body.lock) === lock.place.hash && isFinal(place, cut),
    )
    if (!lifted) return lock
  }
  return null
}

/** Whether the sponsor's lock holds as a leave: it is final, and no word that lifts it is known. */
export function isDataLocked({ sponsor, voices }: TrialRecord, cut: Cut): boolean {
  const voice = sponsor === null ? undefined : voices.get(sponsor)
  const lock = (voice?.of('trial.locked') ?? []).findLast(({ place, fault }) => fault === null && isKnown(place, cut))
  if (lock === undefined || !isFinal(lock.place, cut)) return false
  return !(voice?.of('trial.unlocked') ?? []).some(
    ({ body, place, fault }) => fault === null && toHex(body.lock) === lock.place.hash && isKnown(place, cut),
  )
}

/** Whether a participant must get nothing more under a version: it is halted or locked there, or lost an approval that it needs. */
export function isStopped(record: TrialRecord, version: Version, site: MemberId, cut: Cut): boolean {
  const { halted, locked, approvals } = siteStanding(record, version, site, cut)
  return halted !== null || locked !== null || approvals.some(({ state }) => state === 'withdrawn')
}

/** Approvals that the version before asked for, and this one does not: nobody but the sponsor decided that. */
export function approvalsDropped({ versions }: TrialRecord, version: Version): Version['approvals'] {
  const before = versions[version.number - 2]?.approvals ?? []
  return before.filter((old) => !version.approvals.some(({ meaning, by }) => meaning === old.meaning && by === old.by))
}

/** Hospitals that were ever sites. */
export function sitesOf({ versions }: TrialRecord): ReadonlySet<MemberId> {
  return new Set(versions.flatMap(({ sites }) => sites))
}

/** Who ever had a part: what others say of it counts for nothing. */
export function partiesOf(record: TrialRecord): ReadonlySet<MemberId> {
  const { sponsor, versions } = record
  const asked = versions.flatMap(({ lists, approvals }) => [lists, ...approvals.flatMap(({ by }) => by ?? [])])
  return new Set([...sitesOf(record), ...asked, ...(sponsor === null ? [] : [sponsor])])
}

/** Why a site may do nothing new under a version, or null: not approved there, halted or locked. */
export function standingRefusal(
  record: TrialRecord,
  { site, version, approvals, halted, locked }: SiteStanding,
): TrialRefusal | null {
  const sponsor = record.sponsor as MemberId
  if (locked !== null)
    return refusal('trial-locked', locked.place, [locked.place.author], (name) => {
      return `${name(locked.place.author)} has locked the data: it is unlocked first, with a reason`
    })
  if (halted !== null) {
    const says = (name: Naming) =>
      `${name(halted.place.author)} has halted it (${halted.body.reason}), up to version ${halted.body.version}: it goes on with a new version, approved anew`
    return refusal('trial-halted', halted.place, [halted.place.author, sponsor], says)
  }
  const lacking = approvals.find(({ state }) => state !== 'approved')
  if (lacking === undefined) return null
  const { meaning, by, state, word, withdrawn } = lacking
  const what = (name: Naming): string => `version ${version.number} needs the ${meaning} of ${name(by)}`
  const whose = by === site ? [site] : [by]
  if (withdrawn !== null)
    return refusal('trial-approval-withdrawn', withdrawn.place, whose, (name) => {
      return `${what(name)}, which was withdrawn (${withdrawn.body.reason}): it is approved anew first`
    })
  if (state === 'pending')
    return refusal('trial-approval-pending', word?.place ?? null, whose, (name) => {
      return `${what(name)}, which is signed but not final yet: enough members have to have seen it, try again in a while`
    })
  return refusal('trial-not-approved', word?.place ?? version.place, whose, (name) => {
    return state === 'faulty'
      ? `${what(name)}, and the signature there does not hold: ${word?.fault}`
      : `${what(name)}, and there is none`
  })
}

type Naming = (member: MemberId) => string

/** For this folder's rules. */
export function refusal(
  code: string,
  rests: TrialPlace | null,
  ask: readonly MemberId[],
  says: TrialRefusal['says'],
): TrialRefusal {
  return { code, rests, ask: [...new Set(ask)], says }
}

/** A list of randomisation, with whom it is for. */
export interface StandingList {
  readonly word: TrialWord<'trial.list'>
  readonly hash: Digest
  readonly site: MemberId
  readonly stratum: string | null
  readonly size: number
}

/** The lists at a site, of who may draw them under the version that they name; in the order of their entries. */
export function listsAt(record: TrialRecord, site: MemberId, stratum: string | null, cut: Cut): StandingList[] {
  return allLists(record).filter((one) => one.site === site && one.stratum === stratum && isKnown(one.word.place, cut))
}

/** Of all sites. */
export function allLists(record: TrialRecord): StandingList[] {
  const found: StandingList[] = []
  for (const [author, voice] of record.voices)
    for (const word of voice.of('trial.list')) {
      if (versionNumbered(record, word.body.version)?.lists !== author) continue
      const { site, stratum, size } = word.body
      found.push({ word, hash: word.place.hash, site: toHex(site) as MemberId, stratum, size })
    }
  return found.sort((a, b) => a.word.place.lamport - b.word.place.lamport || (a.hash < b.hash ? -1 : 1))
}

/** Whether positions of the list are arms of that version. */
export function isForArms(record: TrialRecord, list: StandingList, version: Version): boolean {
  const drawn = versionNumbered(record, list.word.body.version)
  const text = ({ arms, ratios }: Version): string => arms.map((arm, i) => `${arm}:${ratios[i]}`).join(' ')
  return drawn !== undefined && text(drawn) === text(version)
}

/** Whether who drew the list has made that position known, alone or with all others; before that entry, or ever. */
export function isOpened(
  { voices }: TrialRecord,
  { hash, word }: StandingList,
  position: number,
  before: TrialPlace | null = null,
): boolean {
  const voice = voices.get(word.place.author)
  const isBefore = (place: TrialPlace): boolean => before === null || comparePlaces(place, before) < 0
  return (
    (voice?.unsealed.get(hash) ?? []).some(({ place }) => isBefore(place)) ||
    (voice?.opened.get(hash) ?? []).some(({ body, place }) => body.position === position && isBefore(place))
  )
}

/** How many positions of a list are taken; of a site's own list that is the next one. */
export function takenOf({ voices }: TrialRecord, list: StandingList): number {
  const enrolled = voices.get(list.site)?.of('trial.enrolled') ?? []
  let taken = 0
  for (const { body } of enrolled) if (toHex(body.list) === list.hash) taken = Math.max(taken, body.position + 1)
  return taken
}
