/** A trial as people read it: who approved it, how each site stands, what happened to a participant, and what does not fit. */
import { toHex } from '../core/bytes.ts'
import { DUO_CODES, duoNumber } from '../core/duo.ts'
import { verify } from '../core/ed25519.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import type { Cut } from '../governance/agreements.ts'
import type { Body } from '../governance/kinds.ts'
import type { Person } from '../governance/people.ts'
import { signOffMessage } from '../governance/signOff.ts'
import {
  comparePlaces,
  type Followed,
  type TrialBook,
  type TrialPlace,
  type TrialRecord,
  type TrialWord,
  type Version,
} from '../governance/trials/book.ts'
import { endOf, siteRefusal, versionOf } from '../governance/trials/enrolment.ts'
import { TRIAL_FINDINGS } from '../governance/trials/findingCodes.ts'
import { examineTrial } from '../governance/trials/findings.ts'
import { armKnown, type ListStanding, listStanding } from '../governance/trials/listFindings.ts'
import { trialRef } from '../governance/trials/naming.ts'
import type { SignedTrialKind } from '../governance/trials/signature.ts'
import {
  type ApprovalStanding,
  allLists,
  approvalsDropped,
  currentVersion,
  siteStanding,
  sitesOf,
  type TrialRefusal,
} from '../governance/trials/standing.ts'
import { trialHash } from '../governance/trials/state.ts'
import type {
  TrialApprovalReport,
  TrialCheckReport,
  TrialEntryReport,
  TrialLine,
  TrialListReport,
  TrialLockReport,
  TrialParticipantReport,
  TrialReport,
  TrialSignatureReport,
  TrialSiteReport,
  TrialStepReport,
} from './trialApi.ts'

/** How members, entries and people are called where it is read, and over which cut. `final` is that of entries which both have. */
export interface Telling {
  readonly self: MemberId | null
  readonly founding: Digest
  readonly cut: Cut
  readonly nameOf: (member: MemberId) => string
  readonly refOf: (member: MemberId, seq: number) => string
  /** People of the own hospital. */
  readonly names: ReadonlyMap<Digest, string>
}

const FINDINGS_SHOWN = 1_000

/** One line for a refusal: the rule, the entry that it rests on, and whom to ask. */
export function refusalText({ nameOf, refOf }: Telling, { says, rests, ask }: TrialRefusal): string {
  const entry = rests === null ? '' : `; see ${refOf(rests.author, rests.seq)}`
  return `${says(nameOf)}${entry}${ask.length === 0 ? '' : `; ask ${ask.map(nameOf).join(' or ')}`}`
}

/** An entry. */
export function entryReport({ nameOf, refOf, cut }: Telling, { author, seq, timeMs }: TrialPlace): TrialEntryReport {
  return { by: nameOf(author), entry: refOf(author, seq), atMs: timeMs, final: seq < cut.final(author) }
}

/** All trials. */
export function trialLines(book: TrialBook, telling: Telling): TrialLine[] {
  const { cut, nameOf, self } = telling
  return book.trials().flatMap((record): TrialLine[] => {
    const version = currentVersion(record, cut)
    if (version === null) return []
    const isSite = self !== null && version.sites.includes(self)
    const { refusal: refused } = isSite ? siteRefusal(record, self, cut) : { refusal: null }
    const here = !isSite ? 'no site' : refused === null ? 'may enrol' : refused.code.replace('trial-', '')
    const enrolled = participantsOf(record)
    const { name } = version.body
    const sponsor = nameOf(record.sponsor as MemberId)
    return [{ trial: record.id, name, version: version.number, sponsor, sites: version.sites.length, enrolled, here }]
  })
}

/** At sites: what others say of enrolments counts for nothing. */
function participantsOf(record: TrialRecord): number {
  let sum = 0
  for (const site of sitesOf(record)) sum += enrolledIn(record.voices.get(site)?.followed ?? new Map()).length
  return sum
}

const enrolledIn = (followed: ReadonlyMap<string, Followed>): Followed[] =>
  [...followed.values()].filter(({ enrolled }) => enrolled !== null)

/** One trial under its current version. `withoutConsent` is found by who has the vault. */
export function trialReport(
  book: TrialBook,
  record: TrialRecord,
  version: Version,
  telling: Telling,
  withoutConsent: TrialReport['withoutConsent'],
): TrialReport {
  const { nameOf, cut, self, founding } = telling
  const { body } = version
  const own = self === null ? undefined : record.voices.get(self)
  return {
    ...{
      trial: record.id,
      name: body.name,
      ref: trialRef(book, record, self),
      sponsor: nameOf(record.sponsor as MemberId),
      lists: nameOf(version.lists),
    },
    ...{ strata: body.strata, consent: body.consent },
    purposes: DUO_CODES.filter((code) => body.purposes.includes(duoNumber(code))),
    versions: record.versions.map((one) => ({
      ...entryReport(telling, one.place),
      ...{ version: one.number, protocol: one.place.hash, document: toHex(one.body.document) },
      ...{ disclosure: one.body.disclosure, arms: one.arms.map((arm, i) => `${arm}:${one.ratios[i]}`) },
      asksNoMore: approvalsDropped(record, one).map(({ meaning, by }) => ({ meaning, by: by && nameOf(by) })),
    })),
    sites: version.sites.map((site) => siteReport(book, record, version, site, telling)),
    randomisation: allLists(record).map((list) => listReport(listStanding(record, list), telling)),
    locks: locksOf(record).map((word) => lockReport(book, record, word, telling)),
    withoutConsent,
    signing: {
      founding,
      member: self ?? '',
      lastLock:
        own?.of('trial.locked').findLast(({ fault, place }) => fault === null && place.seq < cut.known(place.author))
          ?.place.hash ?? null,
    },
  }
}

function locksOf({ voices }: TrialRecord): TrialWord<'trial.locked'>[] {
  const all = [...voices.values()].flatMap((voice) => voice.of('trial.locked'))
  return all.sort((a, b) => comparePlaces(a.place, b.place))
}

function siteReport(
  book: TrialBook,
  record: TrialRecord,
  version: Version,
  site: MemberId,
  telling: Telling,
): TrialSiteReport {
  const { cut, nameOf, self } = telling
  const { approvals, halted, locked } = siteStanding(record, version, site, cut)
  const { refusal: refused, closed } = siteRefusal(record, site, cut)
  const participants = enrolledIn(record.voices.get(site)?.followed ?? new Map())
  return {
    ...{ site: nameOf(site), ours: site === self },
    approvals: approvals.map((one) => approvalReport(book, one, telling)),
    halted: halted && { ...entryReport(telling, halted.place), reason: halted.body.reason },
    locked: locked && lockReport(book, record, locked, telling),
    enrolled: participants.length,
    ended: participants.filter((one) => endOf(one) !== null).length,
    refusal: refused && refusalText(telling, refused),
    closed: closed.map(([stratum, why]) => ({ stratum, refusal: refusalText(telling, why) })),
  }
}

function approvalReport(book: TrialBook, standing: ApprovalStanding, telling: Telling): TrialApprovalReport {
  const { meaning, by, state, word, withdrawn } = standing
  return {
    ...{ meaning, by: telling.nameOf(by), state },
    signature: word && signatureReport(book, word, telling),
    withdrawn: withdrawn && { ...entryReport(telling, withdrawn.place), reason: withdrawn.body.reason },
  }
}

/** Who signed, as enrolled at that hospital. */
function signatureReport(
  book: TrialBook,
  { place, body, fault }: TrialWord<'trial.approved' | 'trial.locked' | 'trial.unlocked'>,
  telling: Telling,
): TrialSignatureReport {
  const person = toHex(body.person) as Digest
  const roles = book.peopleOf(place.author).named(person)?.roles ?? []
  const name = place.author === telling.self ? (telling.names.get(person) ?? null) : null
  return { ...entryReport(telling, place), person, name, roles, signedAtMs: body.signedAtMs, fault }
}

function lockReport(
  book: TrialBook,
  { voices }: TrialRecord,
  word: TrialWord<'trial.locked'>,
  telling: Telling,
): TrialLockReport {
  const { place, body } = word
  const unlocked = voices
    .get(place.author)
    ?.of('trial.unlocked')
    .find((one) => one.fault === null && toHex(one.body.lock) === place.hash)
  return {
    ...entryReport(telling, place),
    ...{ lock: place.hash, data: toHex(body.data), rows: body.rows },
    previous: body.previous === null ? null : toHex(body.previous),
    signature: signatureReport(book, word, telling),
    unlocked: unlocked === undefined ? null : { ...entryReport(telling, unlocked.place), reason: unlocked.body.reason },
  }
}

function listReport(
  { list, enrolled, allocated, opened, unsealed, arms }: ListStanding,
  telling: Telling,
): TrialListReport {
  return {
    ...entryReport(telling, list.word.place),
    ...{ list: list.hash, site: telling.nameOf(list.site), stratum: list.stratum, size: list.size },
    ...{ taken: enrolled.size, allocated: allocated.size, opened: opened.size },
    unsealed: unsealed && { ...entryReport(telling, unsealed.place), reason: unsealed.body.reason },
    arms: arms === null ? null : armCounts(arms),
  }
}

/** How often each arm occurs. */
export function armCounts(arms: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const arm of [...arms].sort()) counts[arm] = (counts[arm] ?? 0) + 1
  return counts
}

/** What one participant's hospital tells; null where nobody has that tag. */
export function participantReport(
  book: TrialBook,
  record: TrialRecord,
  site: MemberId,
  tag: string,
  telling: Telling,
): TrialParticipantReport | null {
  const startMs = performance.now()
  const followed = record.voices.get(site)?.followed.get(tag)
  const enrolled = followed?.enrolled ?? null
  if (followed === undefined || enrolled === null) return null
  const list = allLists(record).find(({ hash }) => hash === toHex(enrolled.body.list))
  const standing = list === undefined ? null : listStanding(record, list)
  const { position } = enrolled.body
  const steps = [
    stepOf(book, enrolled.place, 'enrolled', numberOf(record, enrolled.body), `position ${position}`, telling),
    ...allocationStep(book, standing?.allocated.get(position), telling),
    ...followed.events.map(({ place, body }) => stepOf(book, place, body.event, body.version, null, telling)),
    ...openingStep(book, standing?.opened.get(position), telling),
  ]
  return {
    ...{ trial: record.id, name: currentVersion(record, telling.cut)?.body.name ?? '', participant: tag },
    ...{ site: telling.nameOf(site), version: versionOf(record, followed) },
    state: endOf(followed)?.body.event ?? 'taking part',
    ...{ stratum: enrolled.body.stratum, position },
    arm: armKnown(standing, enrolled),
    steps: steps.sort((a, b) => a.atMs - b.atMs),
    tookMs: performance.now() - startMs,
  }
}

const numberOf = ({ versions }: TrialRecord, { protocol }: Body<'trial.enrolled'>): number | null =>
  versions.find(({ place }) => place.hash === toHex(protocol))?.number ?? null

function allocationStep(
  book: TrialBook,
  word: TrialWord<'trial.allocated'> | undefined,
  telling: Telling,
): TrialStepReport[] {
  return word === undefined ? [] : [stepOf(book, word.place, 'allocated', null, 'arm sealed for the site', telling)]
}

function openingStep(
  book: TrialBook,
  word: TrialWord<'trial.opened'> | undefined,
  telling: Telling,
): TrialStepReport[] {
  if (word === undefined) return []
  return [stepOf(book, word.place, 'opened', null, `${word.body.arm}, ${word.body.reason}`, telling)]
}

function stepOf(
  book: TrialBook,
  place: TrialPlace,
  what: string,
  version: number | null,
  more: string | null,
  telling: Telling,
): TrialStepReport {
  return { ...entryReport(telling, place), what, version, more, signedOff: signOffReport(book, place, telling) }
}

/** Who signed off an entry; verified here, for of ten thousand participants one is looked at. */
function signOffReport(book: TrialBook, at: TrialPlace, telling: Telling): TrialSignatureReport | null {
  const acted = book.signOffOf(at.hash)
  if (acted === undefined) return null
  const { place, body, person } = acted
  const name = place.author === telling.self && person !== undefined ? (telling.names.get(person.person) ?? null) : null
  return {
    ...entryReport(telling, place),
    ...{ person: toHex(body.person), name, roles: person?.roles ?? [], signedAtMs: body.timeMs },
    fault: signOffFault(body, person, place.author, telling.founding),
  }
}

function signOffFault(
  body: Body<'person.acted'>,
  person: Person | undefined,
  member: MemberId,
  founding: Digest,
): string | null {
  if (person === undefined) return 'nobody is enrolled there under this commitment'
  if (person.ended !== null) return `that person acts there no longer, since entry ${person.ended.seq}`
  const { action, request, timeMs, signature } = body
  return verify(person.key, signOffMessage({ founding, member, action, request, timeMs }), signature)
    ? null
    : 'its signature is not by the key that is enrolled'
}

const SIGNED: readonly SignedTrialKind[] = ['trial.approved', 'trial.locked', 'trial.unlocked']

/** Everything of a trial, gone through. */
export function checkReport(book: TrialBook, record: TrialRecord, telling: Telling): TrialCheckReport {
  const startMs = performance.now()
  const { cut, refOf, nameOf } = telling
  const version = currentVersion(record, cut)
  const findings = examineTrial(book, record, cut)
  const lists = allLists(record).map((list) => listReport(listStanding(record, list), telling))
  const state = trialHash(book, record, { final: cut.final, known: cut.final }, findings)
  const voices = [...record.voices.values()]
  const sum = (of: (voice: (typeof voices)[number]) => number): number =>
    voices.reduce((total, voice) => total + of(voice), 0)
  return {
    ...{ trial: record.id, name: version?.body.name ?? '', version: version?.number ?? 0 },
    participants: participantsOf(record),
    entries: sum((voice) => voice.size),
    signatures: sum((voice) => SIGNED.flatMap((kind) => voice.of(kind)).filter(({ fault }) => fault === null).length),
    lists,
    locks: sum((voice) => voice.of('trial.locked').length),
    dropped: sum(({ dropped }) => dropped),
    findings: findings.slice(0, FINDINGS_SHOWN).map(({ code, place, because, more, perhaps }) => ({
      ...{
        code,
        says: TRIAL_FINDINGS[code],
        by: nameOf(place.author),
        entry: refOf(place.author, place.seq),
        atMs: place.timeMs,
      },
      ...{ because: because && refOf(because.author, because.seq), more, perhaps },
    })),
    findingsInAll: findings.length,
    state,
    tookMs: performance.now() - startMs,
  }
}
