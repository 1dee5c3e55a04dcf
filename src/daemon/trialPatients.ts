/** What a site does with participants: it enrols, records what happened, reads the arm, makes it known. Record numbers stay in the vault. */
import { equalBytes, fromHex, toHex } from '../core/bytes.ts'
import { DUO_CODES, duoNumber } from '../core/duo.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { consentOf } from '../governance/consent.ts'
import { OPENING_REASONS, TRIAL_EVENTS, type TrialEvent } from '../governance/kinds/trials.ts'
import type { TrialRecord, TrialWord, Version } from '../governance/trials/book.ts'
import {
  endOf,
  enrolmentAt,
  eventAt,
  isTreatment,
  type Participant,
  participantSecret,
  participantsWith,
  participantTag,
} from '../governance/trials/enrolment.ts'
import { listStanding } from '../governance/trials/listFindings.ts'
import { trialRef } from '../governance/trials/naming.ts'
import { drawList, listTree, positionLeaf, positionSalt, standsIn } from '../governance/trials/randomisation.ts'
import { allLists, type StandingList, versionNumbered } from '../governance/trials/standing.ts'
import type { VaultBook, VaultSubject } from '../governance/vaultBook.ts'
import { text } from './bodyFields.ts'
import { record as recordOf } from './consentCalls.ts'
import { squeeze } from './squeeze.ts'
import type {
  TrialArmReport,
  TrialEnrolled,
  TrialOpened,
  TrialParticipantReport,
  TrialSaid,
  TrialWithoutConsent,
} from './trialApi.ts'
import type { TrialDaemon, TrialDesk } from './trialDesk.ts'
import { oneOf, refused } from './trialFaults.ts'
import { requireDataLocked } from './trialLocks.ts'
import { participantReport } from './trialReports.ts'
import { openAllocation, sealingKey } from './trialSeal.ts'
import { knownIn } from './vaultKeeper.ts'

type Body = Record<string, unknown>
const DIGITS_MIN = 6

/** `subject` where it is this hospital's and known here. */
interface Found extends Participant {
  readonly subject: VaultSubject | null
}

/** Asks the vault and the rules, then takes the next position. Errors: `trial-…`, `subject-…`, `vault-…`. */
export function enrol(daemon: TrialDaemon, desk: TrialDesk, ref: string, body: Body): Promise<TrialEnrolled> {
  return desk.inTurn(async () => {
    const { book, record, version } = await desk.find(ref)
    const given = recordOf(body)
    const vault = version.body.consent === 'waived' ? await daemon.vault.admit([given]) : await daemon.vault.book()
    const subject = knownIn(vault, given)
    const stratum = body.stratum === undefined ? null : text(body, 'stratum')
    const tag = participantTag(subject, record.id, desk.self)
    const leave = enrolmentAt(record, { site: desk.self, stratum, tag, cut: desk.cut })
    if ('code' in leave) throw await desk.denied(record, leave)
    if (!hasConsent(vault, subject, record, version))
      throw refused('trial-no-consent', consentText(version, trialRef(book, record, desk.self)))
    const { list, position, rests } = leave
    const key = sealingKey(participantSecret(subject, record.id, desk.self))
    const place = await desk.record(
      'trial.enrolled',
      {
        trial: fromHex(record.id),
        protocol: fromHex(version.place.hash),
        tag,
        stratum,
        list: fromHex(list.hash),
        position,
        key,
      },
      rests,
    )
    const said = await desk.said(record, place)
    const drawn = daemon.nameOf(list.word.place.author)
    return { ...said, participant: toHex(tag), stratum, list: list.hash, position, lists: drawn }
  })
}

function consentText({ number, body }: Version, ref: string): string {
  const codes = DUO_CODES.filter((code) => body.purposes.includes(duoNumber(code))).join(' ')
  return `version ${number} needs the patient's consent, and none stands in the vault for this trial (${codes}): when the patient has agreed, "consilium consent grant --subject - --trial ${ref}"`
}

/** Whether the patient agreed to this trial, or to its purposes. */
function hasConsent(vault: VaultBook, { decisions }: VaultSubject, { id }: TrialRecord, { body }: Version): boolean {
  if (body.consent === 'waived') return true
  const purposes = DUO_CODES.filter((code) => body.purposes.includes(duoNumber(code)))
  // words about one study alone name it by its digest, and so words about one trial alone by the trial's
  const question = vault.asked({ id: id as string as StudyId, consent: { basis: 'opt-in', purposes } })
  return consentOf(decisions, question, Date.now()).permitted
}

/** How many own participants take part without a standing consent; null where there are none at all, or the vault cannot be read. */
export async function countWithoutConsent(
  daemon: TrialDaemon,
  desk: TrialDesk,
  record: TrialRecord,
  version: Version,
): Promise<number | null> {
  if ((record.voices.get(desk.self)?.followed.size ?? 0) === 0) return null
  const vault = await daemon.vault.book().catch(() => null)
  return vault === null ? null : withoutConsentIn(vault, desk, record, version).length
}

/** Names them, to somebody who signed for it: of whom a consent stands, no log says. Errors: `trial-unknown`, `trial-ambiguous`, `vault-…`. */
export async function withoutConsent(daemon: TrialDaemon, desk: TrialDesk, ref: string): Promise<TrialWithoutConsent> {
  const { record, version } = await desk.find(ref)
  const participants = withoutConsentIn(await daemon.vault.book(), desk, record, version)
  return { trial: record.id, name: version.body.name, participants }
}

function withoutConsentIn(vault: VaultBook, { self }: TrialDesk, record: TrialRecord, version: Version): string[] {
  const own = record.voices.get(self)
  if (own === undefined || own.followed.size === 0) return []
  const without: string[] = []
  for (const subject of vault.subjects()) {
    const tag = toHex(participantTag(subject, record.id, self))
    const followed = own.followed.get(tag)
    if (followed === undefined || followed.enrolled === null || endOf(followed) !== null) continue
    if (!hasConsent(vault, subject, record, version)) without.push(tag)
  }
  return without.sort()
}

/** Records what happened to a participant. Errors: `trial-…`, `subject-…`, `vault-…`. */
export function happened(
  daemon: TrialDaemon,
  desk: TrialDesk,
  ref: string,
  body: Body,
): Promise<TrialSaid & { participant: string }> {
  return desk.inTurn(async () => {
    const { record, version } = await desk.find(ref)
    const event = oneOf('--event', text(body, 'event'), TRIAL_EVENTS)
    if (event === 'arm-read') throw refused('trial-event', 'an arm is read by "consilium trial arm", which records it')
    const found = await own(daemon, desk, record, body, 'alone records what happens to it: ask there')
    const said = await tell(
      desk,
      record,
      found,
      event,
      isTreatment(event) ? await consentFault(daemon, found, record, version) : null,
    )
    return { ...said, participant: found.tag }
  })
}

/** Nothing is done to whom has taken the consent back; a tag whose patient was erased has none. */
async function consentFault(
  daemon: TrialDaemon,
  { subject, tag }: Found,
  record: TrialRecord,
  version: Version,
): Promise<string | null> {
  if (version.body.consent === 'waived') return null
  if (subject !== null && hasConsent(await daemon.vault.book(), subject, record, version)) return null
  return `participant ${tag} has no standing consent: record that the part has ended, "consilium trial event … --event withdrawn", and ask`
}

async function tell(
  desk: TrialDesk,
  record: TrialRecord,
  { tag, enrolled }: Found,
  event: TrialEvent,
  fault: string | null,
): Promise<TrialSaid> {
  const leave = eventAt(record, { site: desk.self, tag: fromHex(tag), event, cut: desk.cut })
  if ('code' in leave) throw await desk.denied(record, leave)
  if (fault !== null) throw refused('trial-no-consent', fault)
  const body = { trial: fromHex(record.id), tag: fromHex(tag), event, version: leave.version }
  return desk.said(record, await desk.record('trial.event', body, [enrolled.place]))
}

/** Shows the arm of an own participant to who hands it out, and records that it was read. Errors: `trial-…`. */
export function readArm(daemon: TrialDaemon, desk: TrialDesk, ref: string, body: Body): Promise<TrialArmReport> {
  return desk.inTurn(async () => {
    const { book, record } = await desk.find(ref)
    const found = await own(
      daemon,
      desk,
      record,
      body,
      'alone reads the arm; it, or who drew the list, opens it for all',
    )
    const { arm } = allocated(daemon, desk, record, found)
    await requireReading(desk, record, found, trialRef(book, record, desk.self))
    const said = await tell(desk, record, found, 'arm-read', null)
    return { ...said, participant: found.tag, arm }
  })
}

/** Where data is locked no reading can be recorded; at a bedside what counts is that the arm can be opened all the same. Error: `trial-locked`. */
async function requireReading(desk: TrialDesk, record: TrialRecord, { tag }: Found, ref: string): Promise<void> {
  const leave = eventAt(record, { site: desk.self, tag: fromHex(tag), event: 'arm-read', cut: desk.cut })
  if (!('code' in leave) || leave.code !== 'trial-locked') return
  const instead = `in an emergency "consilium trial open ${ref} --participant ${tag} --reason emergency" makes this arm known, to all, now too`
  throw await desk.denied(record, { ...leave, says: (name) => `${instead}; to read it alone: ${leave.says(name)}` })
}

/** What the list's holder sealed for this hospital, against the list's root. Errors: `trial-not-allocated`, `trial-allocation-wrong`. */
function allocated(daemon: TrialDaemon, desk: TrialDesk, record: TrialRecord, { enrolled, subject, tag }: Found) {
  const list = listOf(record, enrolled)
  const word = list === null ? undefined : listStanding(record, list).allocated.get(enrolled.body.position)
  const holder = list === null ? 'who draws the lists' : daemon.nameOf(list.word.place.author)
  if (list === null || word === undefined)
    throw refused(
      'trial-not-allocated',
      `participant ${tag} has no allocation yet: the node of ${holder} gives it when the enrolment is final there and nothing is wrong with it ("consilium trial check"); try again in a while, or ask ${holder}`,
    )
  if (subject === null)
    throw refused(
      'trial-erased',
      `the key of participant ${tag} was destroyed with the patient's: ask ${holder} to open the allocation`,
    )
  const secret = participantSecret(subject, record.id, desk.self)
  const opened = openAllocation(secret, fromHex(enrolled.place.hash), word.body.sealed)
  const { position } = enrolled.body
  const arm = opened === null ? undefined : versionNumbered(record, list.word.body.version)?.arms[opened.arm]
  if (
    opened === null ||
    arm === undefined ||
    !equalBytes(positionLeaf(opened.salt, position, opened.arm), word.body.leaf)
  )
    throw refused(
      'trial-allocation-wrong',
      `what ${holder} sealed for participant ${tag} is not what stands at position ${position} of the list: give nothing out, and ask ${holder}`,
    )
  return { arm, salt: opened.salt, path: word.body.path, list, position }
}

/** Makes the arm of one participant known to all: from the allocation at its site, from the list where that was drawn. Errors: `trial-…`. */
export function openOne(daemon: TrialDaemon, desk: TrialDesk, ref: string, body: Body): Promise<TrialOpened> {
  return desk.inTurn(async () => {
    const { record } = await desk.find(ref)
    const reason = oneOf('--reason', text(body, 'reason'), OPENING_REASONS)
    const found = await anywhere(daemon, desk, record, body)
    if (reason === 'end-of-trial') requireDataLocked(daemon, desk, record)
    const list = listOf(record, found.enrolled)
    const { arm, salt, path, position } =
      list !== null && list.word.place.author === desk.self
        ? await drawnHere(desk, record, list, found)
        : allocated(daemon, desk, record, requireOwn(daemon, desk, found, `opens the arm, or who drew the list`))
    const told = { trial: fromHex(record.id), list: found.enrolled.body.list, position, arm, salt, path, reason }
    const said = await desk.said(record, await desk.record('trial.opened', told, [found.enrolled.place]))
    return { ...said, reason, participant: found.tag, arm, lists: [] }
  })
}

/** `does`: what that hospital does, and who else. Error: `trial-foreign`. */
function requireOwn(daemon: TrialDaemon, { self }: TrialDesk, found: Found, does: string): Found {
  if (found.site === self) return found
  const whose = daemon.nameOf(found.site)
  throw refused('trial-foreign', `participant ${found.tag} is ${whose}'s: ${whose} ${does}`)
}

async function drawnHere(desk: TrialDesk, record: TrialRecord, list: StandingList, { enrolled }: Found) {
  const { body } = list.word
  const secret = await desk.secrets.list(body.root)
  if (secret === null)
    throw refused(
      'trial-secret-lost',
      'this list was drawn here, and its seed is not in this data folder: restore a backup that has it',
    )
  const { position } = enrolled.body
  const drawn = drawList(secret.seed, secret, list.size)
  const salt = positionSalt(secret.seed, position)
  const arm = versionNumbered(record, body.version)?.arms[drawn.arms[position] as number] ?? ''
  const path = listTree(secret.seed, drawn).path(position)
  if (!standsIn(positionLeaf(salt, position, drawn.arms[position] as number), position, path, body))
    throw refused(
      'trial-secret-lost',
      'the seed in this data folder does not give the list that was declared: restore a backup that has it',
    )
  return { arm, salt, path, position }
}

/** By tag, or by record number at its own hospital. Errors: `trial-participant-unknown`, those of `own`. */
export async function participant(
  daemon: TrialDaemon,
  desk: TrialDesk,
  ref: string,
  body: Body,
): Promise<TrialParticipantReport> {
  const { book, record } = await desk.find(ref)
  const { site, tag } = await anywhere(daemon, desk, record, body)
  return participantReport(book, record, site, tag, await desk.telling()) as TrialParticipantReport
}

/** A participant of this hospital; `does` as in `requireOwn`. Errors: `trial-participant-unknown`, `trial-foreign`, `subject-…`. */
async function own(
  daemon: TrialDaemon,
  desk: TrialDesk,
  record: TrialRecord,
  body: Body,
  does: string,
): Promise<Found> {
  return requireOwn(daemon, desk, await anywhere(daemon, desk, record, body, true), does)
}

/** `ownFirst`: what fits a participant of this hospital is that one, whatever another hospital calls its own. */
async function anywhere(
  daemon: TrialDaemon,
  desk: TrialDesk,
  record: TrialRecord,
  body: Body,
  ownFirst = false,
): Promise<Found> {
  if (body.participant === undefined) {
    const subject = knownIn(await daemon.vault.book(), recordOf(body))
    const tag = toHex(participantTag(subject, record.id, desk.self))
    const followed = record.voices.get(desk.self)?.followed.get(tag)
    if (followed === undefined || followed.enrolled === null)
      throw refused(
        'trial-participant-unknown',
        'this patient is no participant of this trial: "consilium trial enrol"',
      )
    return { site: desk.self, tag, followed, enrolled: followed.enrolled, subject }
  }
  const given = text(body, 'participant')
  const [, site, digits = ''] = /^(?:(.*)\/)?([^/]*)$/s.exec(given) ?? []
  const isMeant = (one: MemberId): boolean =>
    site === undefined ||
    squeeze(daemon.nameOf(one)) === squeeze(site) ||
    (site.length >= DIGITS_MIN && one.startsWith(site))
  const found = digits.length < DIGITS_MIN ? [] : participantsWith(record, digits, isMeant)
  const ours = ownFirst ? found.filter((one) => one.site === desk.self) : []
  const [one, ...others] = ours.length === 1 ? ours : found
  if (one !== undefined && others.length === 0) return { ...one, subject: await subjectOf(daemon, desk, record, one) }
  const [first] = others.length === 0 ? [] : found.map((each) => daemon.nameOf(each.site))
  const message =
    first !== undefined
      ? `"${digits.slice(0, 40)}" fits ${found.length} participants: give more digits, or say whose it is, as in "${first}/${digits.slice(0, 12)}"`
      : `${JSON.stringify(given.slice(0, 80))} is no participant of this trial; at least ${DIGITS_MIN} digits of one are expected, as "consilium trial enrol" printed them and "consilium trial participants" lists them`
  throw refused('trial-participant-unknown', message)
}

async function subjectOf(
  daemon: TrialDaemon,
  desk: TrialDesk,
  { id }: TrialRecord,
  { site, tag }: Pick<Found, 'site' | 'tag'>,
): Promise<VaultSubject | null> {
  if (site !== desk.self) return null
  for (const subject of (await daemon.vault.book()).subjects())
    if (toHex(participantTag(subject, id, desk.self)) === tag) return subject
  return null
}

function listOf(record: TrialRecord, { body }: TrialWord<'trial.enrolled'>): StandingList | null {
  return allLists(record).find(({ hash }) => hash === toHex(body.list)) ?? null
}
