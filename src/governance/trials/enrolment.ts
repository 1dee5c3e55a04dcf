/** What a site may do now: take a patient in, or record what happened to a participant. Errors deny, and say what they rest on and whom to ask. */
import { fromHex, toHex } from '../../core/bytes.ts'
import { encodeCbor } from '../../core/cbor.ts'
import { hmacSha256, taggedMessage } from '../../core/digest.ts'
import type { MemberId } from '../../core/ids.ts'
import type { Cut } from '../agreements.ts'
import type { TrialEvent } from '../kinds/trials.ts'
import type { VaultSubject } from '../vaultBook.ts'
import type { Followed, TrialId, TrialPlace, TrialRecord, TrialWord, Version } from './book.ts'
import {
  currentVersion,
  isFinal,
  isForArms,
  isOpened,
  listsAt,
  refusal,
  type SiteStanding,
  type StandingList,
  siteStanding,
  sitesOf,
  standingRefusal,
  type TrialRefusal,
  takenOf,
  versionNumbered,
} from './standing.ts'

/** Leave to enrol. */
export interface Enrolling {
  readonly version: Version
  readonly list: StandingList
  readonly position: number
  /** What it rests on: the version, the list, the approvals. */
  readonly rests: readonly TrialPlace[]
}

/** Who is asked, where, and over which cut. */
export interface EnrolmentQuestion {
  readonly site: MemberId
  readonly stratum: string | null
  readonly tag: Uint8Array
  readonly cut: Cut
}

const TAG_BYTES = 16

/** What these keep secret: a key that never leaves the hospital's vault. The key that a patient is handed is another one, and opens nothing here. */
type InVault = Pick<VaultSubject, 'trialKey'>

/** What a participant is called in one trial. */
export function participantTag({ trialKey }: InVault, trial: TrialId, hospital: MemberId): Uint8Array {
  return hmacSha256(trialKey, contextOf('trialTag', trial, hospital)).slice(0, TAG_BYTES)
}

/** The seed of the key that this participant's arm is sealed for; 32 bytes. */
export function participantSecret({ trialKey }: InVault, trial: TrialId, hospital: MemberId): Uint8Array {
  return hmacSha256(trialKey, contextOf('trialKey', trial, hospital))
}

const contextOf = (domain: 'trialTag' | 'trialKey', trial: TrialId, hospital: MemberId): Uint8Array =>
  taggedMessage(domain, encodeCbor([fromHex(trial), fromHex(hospital)]))

/** Whether a patient may be enrolled now, at which position. Whether the patient agreed is asked elsewhere. */
export function enrolmentAt(record: TrialRecord, question: EnrolmentQuestion): Enrolling | TrialRefusal {
  const { site, tag, cut } = question
  const leave = leaveOf(record, site, cut)
  if ('code' in leave) return leave
  const { version, standing } = leave
  const before = record.voices.get(site)?.followed.get(toHex(tag))?.enrolled
  if (before != null)
    return refusal('trial-enrolled-twice', before.place, [site], () => {
      return `this patient is participant ${toHex(tag)} already: nobody is enrolled twice`
    })
  const place = placeIn(record, version, question)
  if ('code' in place) return place
  const approvals = standing.approvals.flatMap(({ word }) => (word === null ? [] : [word.place]))
  return { version, ...place, rests: [version.place, place.list.word.place, ...approvals] }
}

/** Why a site may enrol nobody now, whoever it is; null where it may. Of several strata in those of `closed` nobody. */
export function siteRefusal(
  record: TrialRecord,
  site: MemberId,
  cut: Cut,
): { readonly refusal: TrialRefusal | null; readonly closed: readonly (readonly [stratum: string, TrialRefusal])[] } {
  const leave = leaveOf(record, site, cut)
  if ('code' in leave) return { refusal: leave, closed: [] }
  const { version } = leave
  const strata = version.body.strata.length === 0 ? [null] : version.body.strata
  const closed = strata.flatMap((stratum): (readonly [string, TrialRefusal])[] => {
    const place = placeIn(record, version, { site, stratum, cut })
    return 'code' in place ? [[stratum ?? '', place]] : []
  })
  const [first] = closed
  return closed.length === strata.length && first !== undefined
    ? { refusal: first[1], closed: [] }
    : { refusal: null, closed }
}

/** What a site has under the newest version, where it may enrol under that. */
function leaveOf(
  record: TrialRecord,
  site: MemberId,
  cut: Cut,
): { readonly version: Version; readonly standing: SiteStanding } | TrialRefusal {
  const version = currentVersion(record, cut)
  const sponsor = record.sponsor
  if (version === null || sponsor === null)
    return refusal('trial-unknown', null, [], () => 'its protocol is not here yet')
  if (!version.sites.includes(site))
    return refusal(
      'trial-no-site',
      version.place,
      [sponsor],
      () => `this hospital is no site of version ${version.number}`,
    )
  if (!isFinal(version.place, cut))
    return refusal('trial-version-pending', version.place, [sponsor], () => {
      return `version ${version.number} is not final yet, and enrolment under the one before has ended: try again in a while`
    })
  const standing = siteStanding(record, version, site, cut)
  return standingRefusal(record, standing) ?? { version, standing }
}

/** The next free position, of the first list that has one. */
function placeIn(
  record: TrialRecord,
  version: Version,
  { site, stratum, cut }: Omit<EnrolmentQuestion, 'tag'>,
): Pick<Enrolling, 'list' | 'position'> | TrialRefusal {
  const { strata } = version.body
  if (stratum === null ? strata.length > 0 : !strata.includes(stratum)) {
    const which =
      strata.length === 0 ? 'it has no strata: leave --stratum out' : `--stratum ${strata.join(', ')} is expected`
    return refusal('trial-stratum', version.place, [], () => which)
  }
  const lists = listsAt(record, site, stratum, cut).filter((list) => {
    return list.word.place.author === version.lists && isForArms(record, list, version)
  })
  const free = lists.find((list) => {
    const next = takenOf(record, list)
    return next < list.size && !isOpened(record, list, next)
  })
  const of = stratum === null ? '' : ` for stratum ${stratum}`
  if (free === undefined)
    return refusal('trial-no-list', lists.at(-1)?.word.place ?? null, [version.lists], (name) => {
      const why = lists.length === 0 ? 'there is none' : 'all positions of its lists are taken, or known'
      return `enrolment takes the next position of a list of randomisation that ${name(version.lists)} draws${of}, and ${why}`
    })
  if (!isFinal(free.word.place, cut))
    return refusal('trial-list-pending', free.word.place, [version.lists], () => {
      return `the list of randomisation${of} is not final yet: try again in a while`
    })
  return { list: free, position: takenOf(record, free) }
}

/** The version under which a participant takes part: that of the enrolment, or of the newest consent to another one. */
export function versionOf(record: TrialRecord, { enrolled, events }: Followed): number {
  const first =
    enrolled === null ? undefined : record.versions.find(({ place }) => place.hash === toHex(enrolled.body.protocol))
  const renewed = events.filter(({ body }) => body.event === 're-consented').map(({ body }) => body.version)
  return Math.max(first?.number ?? 0, ...renewed)
}

/** A participant: where, and by which tag. */
export interface Participant {
  readonly site: MemberId
  readonly tag: string
  readonly followed: Followed
  readonly enrolled: TrialWord<'trial.enrolled'>
}

/** Those whose tag begins so, at sites that are meant. At sites alone: anybody may write down a tag that is read in others' logs. */
export function participantsWith(
  record: TrialRecord,
  digits: string,
  isMeant: (site: MemberId) => boolean,
): Participant[] {
  const found: Participant[] = []
  for (const site of sitesOf(record))
    if (isMeant(site))
      for (const [tag, followed] of record.voices.get(site)?.followed ?? [])
        if (tag.startsWith(digits) && followed.enrolled !== null)
          found.push({ site, tag, followed, enrolled: followed.enrolled })
  return found
}

/** What ended a participant's part; null while it goes on. */
export function endOf({ events }: Followed): TrialWord<'trial.event'> | null {
  return events.find(({ body }) => ENDS.has(body.event)) ?? null
}

const ENDS: ReadonlySet<TrialEvent> = new Set<TrialEvent>(['withdrawn', 'lost-to-follow-up', 'completed'])
/** What is done to a participant for the trial's sake: not without approvals, consent, or after the end. What befalls one is always told. */
const TREATS: ReadonlySet<TrialEvent> = new Set<TrialEvent>(['dispensed', 'dose', 're-consented'])

/** Whether an event is something that the trial does. */
export const isTreatment = (event: TrialEvent): boolean => TREATS.has(event)

/** Whether an event may be recorded now, and under which version. */
export function eventAt(
  record: TrialRecord,
  { site, tag, event, cut }: Omit<EnrolmentQuestion, 'stratum'> & { readonly event: TrialEvent },
): { readonly version: number } | TrialRefusal {
  const followed = record.voices.get(site)?.followed.get(toHex(tag))
  if (followed === undefined || followed.enrolled === null)
    return refusal(
      'trial-participant-unknown',
      null,
      [],
      () => 'this patient is no participant here: see "consilium trial show"',
    )
  const of = versionOf(record, followed)
  const current = currentVersion(record, cut)
  const number = event === 're-consented' ? (current?.number ?? of) : of
  const version = versionNumbered(record, number)
  if (version === undefined) return refusal('trial-unknown', null, [], () => 'its protocol is not here yet')
  const standing = siteStanding(record, version, site, cut)
  const forbidden = standingRefusal(
    record,
    isTreatment(event) ? standing : { ...standing, approvals: [], halted: null },
  )
  if (forbidden !== null) return forbidden
  if (event === 're-consented' && number === of)
    return refusal(
      'trial-version-same',
      version.place,
      [],
      () => `this participant takes part under version ${of}, the newest`,
    )
  const end = endOf(followed)
  if (end !== null && (isTreatment(event) || ENDS.has(event)))
    return refusal(
      'trial-participant-ended',
      end.place,
      [site],
      () => `this participant's part has ended (${end.body.event})`,
    )
  return { version: number }
}
