/**
 * Goes through one trial over a cut and names what does not fit: whatever a node of ours would have refused, by whoever's software it was written.
 * Where one hospital restricted and another went on, their logs say in which order, not what was known where; such findings are `perhaps`.
 */
import { toHex } from '../../core/bytes.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import type { Cut } from '../agreements.ts'
import {
  comparePlaces,
  type Followed,
  type TrialBook,
  type TrialPlace,
  type TrialRecord,
  type TrialWord,
  type Voice,
} from './book.ts'
import { endOf, isTreatment } from './enrolment.ts'
import type { Tell, TrialFindingCode } from './findingCodes.ts'
import { listChoiceFindings } from './listChoice.ts'
import { listFindings } from './listFindings.ts'
import { isFinal, partiesOf, type StandingList, versionNumbered } from './standing.ts'

/** Something that does not fit, at an entry. `because`: the entry that it goes against; `more`: what exactly. */
export interface TrialFinding {
  readonly code: TrialFindingCode
  readonly place: TrialPlace
  readonly because: TrialPlace | null
  readonly more: string | null
  readonly perhaps: boolean
}

/** All findings, in canonical order. */
export function examineTrial(book: TrialBook, record: TrialRecord, cut: Cut): TrialFinding[] {
  const found: TrialFinding[] = []
  const tell: Tell = (code, place, because = null, more = null) => {
    const perhaps = PERHAPS.has(code) && because !== null && because.author !== place.author
    found.push({ code, place, because, more, perhaps })
  }
  const inner = withoutStrangers(record, tell)
  approvalFindings(inner, tell)
  lockFindings(inner, tell)
  signOffFindings(book, inner, cut, tell)
  const against = { cut, lists: listFindings(inner, tell), locks: locksIn(inner) }
  const { lists } = against
  for (const [site, { followed }] of inner.voices) {
    for (const one of followed.values()) participantFindings(inner, site, one, against, tell)
    listChoiceFindings(inner, site, lists, tell)
  }
  return found.sort((a, b) => comparePlaces(a.place, b.place) || (a.code < b.code ? -1 : 1))
}

const PERHAPS: ReadonlySet<TrialFindingCode> = new Set<TrialFindingCode>([
  ...(['approval-withdrawn', 'version-outdated', 'after-halt', 'after-lock', 'enrolled-open'] as const),
])

/** Of who has no part one line each, however much they say: it must not hide what the others did. */
function withoutStrangers(record: TrialRecord, tell: Tell): TrialRecord {
  const parties = partiesOf(record)
  for (const [author, { first, size, broken }] of record.voices)
    if (!parties.has(author) && first !== null) tell('foreign', first, null, `entries: ${size + broken.length}`)
  return { ...record, voices: new Map([...record.voices].filter(([author]) => parties.has(author))) }
}

function approvalFindings(record: TrialRecord, tell: Tell): void {
  for (const [author, voice] of record.voices) {
    for (const place of voice.broken) tell('protocol-chain', place)
    for (const { place, body, fault } of voice.of('trial.approved')) {
      const version = record.versions.find((one) => one.place.hash === toHex(body.protocol))
      const asked = version?.approvals.some(
        ({ meaning, by }) => meaning === body.meaning && (by === null ? version.sites.includes(author) : by === author),
      )
      if (fault !== null) tell('signature', place, null, fault)
      else if (asked !== true) tell('foreign', place, version?.place, `${body.meaning} is not asked of its author`)
    }
    for (const { place, body } of voice.of('trial.withdrawn'))
      if (body.what === 'halt' && author !== record.sponsor && !isSite(record, author)) tell('foreign', place)
  }
}

const isSite = ({ versions }: TrialRecord, member: MemberId): boolean =>
  versions.some(({ sites }) => sites.includes(member))

/** Each lock names its author's lock before, which was unlocked in between. */
function lockFindings(record: TrialRecord, tell: Tell): void {
  for (const [author, voice] of record.voices) {
    for (const { place, fault } of voice.of('trial.unlocked')) if (fault !== null) tell('signature', place, null, fault)
    const unlocked = liftsIn(voice)
    let before: TrialPlace | null = null
    for (const { place, body, fault } of voice.of('trial.locked')) {
      if (fault !== null) tell('signature', place, null, fault)
      if (author !== record.sponsor && !isSite(record, author)) tell('foreign', place)
      const previous = body.previous === null ? null : toHex(body.previous)
      if (previous !== (before?.hash ?? null))
        tell('lock-chain', place, before, 'it names another lock as the one before')
      else if (before !== null && (unlocked.get(before.hash)?.seq ?? Number.POSITIVE_INFINITY) > place.seq)
        tell('lock-chain', place, before, 'the one before was not unlocked')
      before = place
    }
  }
}

/** The first word of a log that lifts each of its locks. */
function liftsIn(voice: Voice): ReadonlyMap<string, TrialPlace> {
  const lifts = new Map<string, TrialPlace>()
  for (const { place, body, fault } of voice.of('trial.unlocked')) {
    const lock = toHex(body.lock)
    if (fault === null && !lifts.has(lock)) lifts.set(lock, place)
  }
  return lifts
}

/** A lock that counts, and what lifted it. */
interface Locked {
  readonly place: TrialPlace
  readonly lifted: TrialPlace | null
}

/** By author, in the order of their logs: looked up for each event. */
function locksIn({ voices }: TrialRecord): Against['locks'] {
  const locks = new Map<MemberId, Locked[]>()
  for (const [author, voice] of voices) {
    const lifts = liftsIn(voice)
    const sound = voice.of('trial.locked').filter(({ fault }) => fault === null)
    if (sound.length === 0) continue
    locks.set(
      author,
      sound.map(({ place }) => ({ place, lifted: lifts.get(place.hash) ?? null })),
    )
  }
  return locks
}

/** Where people sign, each act of a hospital's people has its sign-off. */
function signOffFindings(book: TrialBook, { voices }: TrialRecord, { known }: Cut, tell: Tell): void {
  for (const [author, voice] of voices)
    for (const kind of ACTED)
      for (const { place, mustSign } of voice.of(kind)) {
        if (!mustSign) continue
        const acted = book.signOffOf(place.hash)
        if (acted === undefined || acted.place.seq >= known(author)) tell('not-signed-for', place)
        else if (acted.person === undefined || acted.person.ended !== null)
          tell('not-signed-for', place, acted.place, 'whoever is said to have signed does not act there')
      }
}

/** Kinds that a person does not sign directly. */
const ACTED = [
  ...(['trial.protocol', 'trial.withdrawn', 'trial.list', 'trial.enrolled', 'trial.event'] as const),
  ...(['trial.opened', 'trial.unsealed'] as const),
] as const

interface Against {
  readonly cut: Cut
  readonly lists: ReadonlyMap<Digest, StandingList>
  readonly locks: ReadonlyMap<MemberId, readonly Locked[]>
}

function participantFindings(record: TrialRecord, site: MemberId, one: Followed, against: Against, tell: Tell): void {
  const { enrolled, again, events } = one
  if (enrolled !== null) enrolmentFindings(record, site, enrolled, against, tell)
  for (const { place } of again) tell('enrolled-twice', place, enrolled?.place)
  const end = endOf(one)
  let version =
    record.versions.find(({ place }) => place.hash === (enrolled && toHex(enrolled.body.protocol)))?.number ?? 0
  for (const { place, body } of events) {
    if (enrolled === null || place.seq < enrolled.place.seq) {
      tell('participant-unknown', place)
      continue
    }
    if (body.event === 're-consented' && body.version > version && versionNumbered(record, body.version) !== undefined)
      version = body.version
    else if (body.version !== version)
      tell('event-version', place, enrolled.place, `version ${body.version}, under ${version}`)
    if (!isTreatment(body.event)) afterLock(record, site, place, against, tell)
    else {
      if (end !== null && end.place.seq < place.seq) tell('event-after-end', place, end.place)
      afterStop(record, site, version, place, against, tell)
    }
  }
}

function enrolmentFindings(
  record: TrialRecord,
  site: MemberId,
  { place, body, refs }: TrialWord<'trial.enrolled'>,
  against: Against,
  tell: Tell,
): void {
  const { cut, lists } = against
  const version = record.versions.find((one) => one.place.hash === toHex(body.protocol))
  if (version === undefined || !version.sites.includes(site)) return tell('foreign', place, version?.place)
  const next = versionNumbered(record, version.number + 1)
  if (next !== undefined && comparePlaces(next.place, place) < 0) tell('version-outdated', place, next.place)
  const cited = new Set(refs.map(([, , hash]) => hash))
  for (const { meaning, by } of version.approvals) {
    const member = by ?? site
    const word = (record.voices.get(member)?.of('trial.approved') ?? []).find(
      (one) =>
        one.fault === null &&
        one.body.meaning === meaning &&
        toHex(one.body.protocol) === version.place.hash &&
        cited.has(one.place.hash),
    )
    if (word === undefined) {
      tell('not-approved', place, null, meaning)
      continue
    }
    if (!isFinal(word.place, cut)) tell('approval-pending', place, word.place, meaning)
    const withdrawn = (record.voices.get(member)?.of('trial.withdrawn') ?? []).find(({ body: back, place: at }) => {
      const binds = back.what === 'approval' && back.meaning === meaning && back.version >= version.number
      return binds && at.seq > word.place.seq && comparePlaces(at, place) < 0
    })
    if (withdrawn !== undefined) tell('approval-withdrawn', place, withdrawn.place, meaning)
  }
  afterStop(record, site, version.number, place, against, tell)
  const list = lists.get(toHex(body.list) as Digest)
  const isOurs = list?.site === site && list.stratum === body.stratum && list.word.place.author === version.lists
  if (list === undefined || !isOurs) return tell('list-unknown', place)
  if (comparePlaces(list.word.place, place) > 0 || !isFinal(list.word.place, cut))
    tell('list-late', place, list.word.place)
}

/** Halts and locks before it, by the order of the logs. */
function afterStop(
  record: TrialRecord,
  site: MemberId,
  version: number,
  place: TrialPlace,
  against: Against,
  tell: Tell,
): void {
  for (const member of new Set([record.sponsor as MemberId, site])) {
    const halt = (record.voices.get(member)?.of('trial.withdrawn') ?? []).find(
      (one) => one.body.what === 'halt' && one.body.version >= version && comparePlaces(one.place, place) < 0,
    )
    if (halt !== undefined) tell('after-halt', place, halt.place, halt.body.reason)
  }
  afterLock(record, site, place, against, tell)
}

/** Of each the last lock before it. */
function afterLock({ sponsor }: TrialRecord, site: MemberId, place: TrialPlace, { locks }: Against, tell: Tell): void {
  for (const member of new Set([sponsor as MemberId, site])) {
    const last = lastBefore(locks.get(member) ?? [], place)
    if (last === undefined) continue
    const isLifted = last.lifted !== null && comparePlaces(last.lifted, place) < 0
    if (!isLifted) tell('after-lock', place, last.place)
  }
}

/** By halves: the lamport time of a log grows with each entry. */
function lastBefore(locks: readonly Locked[], place: TrialPlace): Locked | undefined {
  let [from, to] = [0, locks.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (comparePlaces((locks[middle] as Locked).place, place) < 0) from = middle + 1
    else to = middle
  }
  return locks[from - 1]
}
