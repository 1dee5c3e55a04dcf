/**
 * All trials of all logs: each word kept with its place, by trial and author. A reading of the logs in memory, given each log from its
 * beginning, in order and once; it is the same in whatever order authors came, and what counts is evaluated over a cut by who asks.
 */
import { equalBytes, toHex } from '../../core/bytes.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import { compareIds } from '../../core/ids.ts'
import { decodeEntry, type Entry, glanceAt, type Ref } from '../../ledger/entry.ts'
import type { Cut } from '../agreements.ts'
import { type ApprovalMeaning, TRIAL_BOUNDS, TRIAL_KINDS, type TrialKind } from '../kinds/trials.ts'
import { type Body, readBody } from '../kinds.ts'
import { People, type Person } from '../people.ts'
import { type SignedTrialKind, trialSignatureFault } from './signature.ts'

/** A trial is named by the hash of the entry with the first version of its protocol. */
export type TrialId = Digest

/** Where an entry stands, and when its author's clock says that it was written. */
export interface TrialPlace {
  readonly author: MemberId
  readonly seq: number
  readonly hash: Digest
  readonly lamport: number
  readonly timeMs: number
}

/** An entry about a trial. */
export interface TrialWord<K extends TrialKind> {
  readonly place: TrialPlace
  readonly refs: readonly Ref[]
  readonly body: Body<K>
  /** Of a kind that a person signs: why that does not count; null where it does, and of other kinds. */
  readonly fault: string | null
  /** Whether people signed for what its author did, when it was written. */
  readonly mustSign: boolean
}

/** One participant at one site: the first enrolment, those after it, and what happened, in the author's order. */
export interface Followed {
  enrolled: TrialWord<'trial.enrolled'> | null
  readonly again: TrialWord<'trial.enrolled'>[]
  readonly events: TrialWord<'trial.event'>[]
}

/** All that one member says of one trial, by kind, in the order of its log. */
export class Voice {
  readonly #words = new Map<TrialKind, TrialWord<TrialKind>[]>()
  /** By tag. */
  readonly followed = new Map<string, Followed>()
  /** By the hash of the enrolment. */
  readonly allocated = new Map<string, TrialWord<'trial.allocated'>[]>()
  /** By the hash of the list. */
  readonly opened = new Map<string, TrialWord<'trial.opened'>[]>()
  readonly unsealed = new Map<string, TrialWord<'trial.unsealed'>[]>()
  /** Versions that continue nothing. */
  readonly broken: TrialPlace[] = []
  /** Words beyond the bound of their kind. */
  dropped = 0
  /** The first of all. */
  first: TrialPlace | null = null

  of<K extends TrialKind>(kind: K): readonly TrialWord<K>[] {
    return (this.#words.get(kind) ?? NONE) as readonly TrialWord<K>[]
  }

  get size(): number {
    let size = 0
    for (const words of this.#words.values()) size += words.length
    return size
  }

  /** @returns whether there was room. */
  add<K extends TrialKind>(kind: K, word: TrialWord<K>): boolean {
    const words = this.#words.get(kind) ?? []
    if (words.length >= WORDS_MAX[kind]) {
      this.dropped++
      return false
    }
    if (words.push(word as TrialWord<TrialKind>) === 1) this.#words.set(kind, words)
    this.first ??= word.place
    return true
  }

  /** What is said in the first `size` entries of the log; itself where that is all. */
  below(size: number): Voice {
    const isIn = ({ seq }: TrialPlace): boolean => seq < size
    const last = [...[...this.#words.values()].map((words) => words.at(-1)?.place), this.broken.at(-1)]
    if (last.every((place) => place === undefined || isIn(place))) return this
    const part = new Voice()
    for (const [kind, words] of this.#words) for (const word of words) if (isIn(word.place)) hold(part, kind, word)
    part.broken.push(...this.broken.filter(isIn))
    part.first = this.first !== null && isIn(this.first) ? this.first : null
    return part
  }
}

/** Who signed off an entry, as `person.acted` has it. */
export interface Acted {
  readonly place: TrialPlace
  readonly body: Body<'person.acted'>
  /** As enrolled when that was written; undefined where nobody was. */
  readonly person: Person | undefined
}

/** All that was said of one trial. Live: the book changes it with each entry. */
export interface TrialRecord {
  readonly id: TrialId
  /** Who proposed it; null while that entry is not here. */
  sponsor: MemberId | null
  /** Each continues the one before it. */
  readonly versions: Version[]
  readonly voices: Map<MemberId, Voice>
  /** Whether allocations and openings stand in their lists, by their entries: found once, for the paths of ten thousand take a second. */
  readonly stands: Map<Digest, boolean>
  /** Lists drawn again, by list, seed and blocks: the arms as `DrawnList` has them, or what is wrong. Found once too: ten thousand take 0.2 s. */
  readonly drawn: Map<string, Uint8Array | string>
}

/** A version of a protocol, with members by key. */
export interface Version {
  readonly number: number
  readonly place: TrialPlace
  readonly body: Body<'trial.protocol'>
  readonly arms: readonly string[]
  readonly ratios: readonly number[]
  readonly sites: readonly MemberId[]
  /** Who draws lists and allocates. */
  readonly lists: MemberId
  /** `by` is null where each site needs its own. */
  readonly approvals: readonly { readonly meaning: ApprovalMeaning; readonly by: MemberId | null }[]
}

/** How many words of one member in one trial are followed. */
const WORDS_MAX: Readonly<Record<TrialKind, number>> = {
  'trial.protocol': TRIAL_BOUNDS.versionsMax,
  'trial.approved': 1_000, // every version in every meaning, and again after it was withdrawn
  'trial.withdrawn': 2_000, // one of each approval, and one halt of each version
  'trial.list': 2_000, // a list for each stratum at thirty sites
  'trial.enrolled': 50_000, // the largest trials have as many at all sites together
  'trial.allocated': 100_000,
  'trial.opened': 100_000,
  'trial.unsealed': 2_000,
  'trial.event': 1_000_000, // a visit a week for a year of 20,000 participants
  'trial.locked': 1_000,
  'trial.unlocked': 1_000,
}
const TRIALS_MENTIONED_MAX = 256 // by one member, known or not
const NONE: readonly TrialWord<TrialKind>[] = []

/** One per shell, or per bundle. */
export class TrialBook {
  readonly #founding: Digest
  readonly #trials = new Map<TrialId, TrialRecord>()
  readonly #people = new Map<MemberId, People>()
  readonly #acted = new Map<Digest, Acted>()
  readonly #hashes = new Set<Digest>()
  readonly #mentioned = new Map<MemberId, Set<TrialId>>()
  readonly #read = new Map<MemberId, number>()
  /** Grows with each entry that was taken: what was derived before is to be derived anew. */
  changes = 0

  constructor(founding: Digest) {
    this.#founding = founding
  }

  /** Up to which entry an author's log was read. */
  readOf(author: MemberId): number {
    return this.#read.get(author) ?? 0
  }

  /** The next entries of a log. Bodies that were dropped tell nothing. Errors: those of `decodeEntry`, where the store is damaged. */
  take(author: MemberId, raws: readonly Uint8Array[]): void {
    for (const raw of raws) {
      const { kind } = glanceAt(raw)
      if (kind.startsWith('trial.') || kind.startsWith('person.')) this.tell(decodeEntry(raw))
    }
    this.#read.set(author, this.readOf(author) + raws.length)
  }

  /** One entry of a log, after those before it. */
  tell(entry: Pick<Entry, 'kind' | 'author' | 'seq' | 'hash' | 'lamport' | 'timeMs' | 'refs' | 'body'>): void {
    const { kind, author } = entry
    if (kind === 'person.acted') this.#act(entry)
    else if (kind.startsWith('person.')) this.peopleOf(author).fold(entry)
    else if (isTrialKind(kind)) this.#say(kind, entry)
  }

  /** All whose protocol is here, by id. */
  trials(): TrialRecord[] {
    return [...this.#trials.values()].filter(({ sponsor }) => sponsor !== null).sort((a, b) => compareIds(a.id, b.id))
  }

  get(id: TrialId): TrialRecord | undefined {
    return this.#trials.get(id)
  }

  /** Who acts for a member, by its log. */
  peopleOf(member: MemberId): People {
    const known = this.#people.get(member)
    if (known !== undefined) return known
    const people = new People()
    this.#people.set(member, people)
    return people
  }

  /** Who signed off an entry about a trial; undefined where nobody did. */
  signOffOf(hash: Digest): Acted | undefined {
    return this.#acted.get(hash)
  }

  /** A sign-off cites what stands right before it in the same log. */
  #act(entry: Parameters<TrialBook['tell']>[0]): void {
    const cited = entry.refs.filter(([author, , hash]) => author === entry.author && this.#hashes.has(hash))
    const body = cited.length === 0 ? null : readBody('person.acted', entry.body)
    if (body === null) return
    const person = this.peopleOf(entry.author).named(toHex(body.person) as Digest)
    const acted = { place: placeOf(entry), body, person }
    for (const [, , hash] of cited) if (!this.#acted.has(hash)) this.#acted.set(hash, acted)
    this.changes++
  }

  #say(kind: TrialKind, entry: Parameters<TrialBook['tell']>[0]): void {
    const body = readBody(kind, entry.body)
    if (body === null) return
    const place = placeOf(entry)
    const id = (body.trial === null ? entry.hash : toHex(body.trial)) as TrialId // of a first version alone it is null
    const record = this.#recordOf(entry.author, id)
    if (record === null) return
    const voice = record.voices.get(entry.author) ?? new Voice()
    const mustSign = this.peopleOf(entry.author).required !== null
    const word = { place, refs: entry.refs, body, fault: this.#faultOf(kind, entry, body, voice), mustSign }
    if (!keep(record, voice, kind, word)) return
    record.voices.set(entry.author, voice)
    this.#hashes.add(entry.hash)
    this.changes++
  }

  #faultOf(
    kind: TrialKind,
    { author, timeMs }: Parameters<TrialBook['tell']>[0],
    body: Body<TrialKind>,
    voice: Voice,
  ): string | null {
    if (!('signature' in body)) return null
    const { signature } = body
    const before = voice.of(kind as SignedTrialKind).find((one) => equalBytes(one.body.signature, signature))
    if (before !== undefined) return `it stands in entry ${before.place.seq} already, and counts once`
    const person = this.peopleOf(author).named(toHex(body.person) as Digest)
    const where = { founding: this.#founding, member: author }
    return trialSignatureFault(where, kind as SignedTrialKind, body as Body<SignedTrialKind>, timeMs, person)
  }

  #recordOf(author: MemberId, id: TrialId): TrialRecord | null {
    const mentioned = this.#mentioned.get(author) ?? new Set()
    if (!mentioned.has(id)) {
      if (mentioned.size >= TRIALS_MENTIONED_MAX) return null
      this.#mentioned.set(author, mentioned.add(id))
    }
    const known = this.#trials.get(id)
    if (known !== undefined) return known
    const record = { id, sponsor: null, versions: [], voices: new Map(), stands: new Map(), drawn: new Map() }
    this.#trials.set(id, record)
    return record
  }
}

function keep(record: TrialRecord, voice: Voice, kind: TrialKind, word: TrialWord<TrialKind>): boolean {
  switch (kind) {
    case 'trial.protocol':
      return keepVersion(record, voice, word as TrialWord<'trial.protocol'>)
    case 'trial.withdrawn':
      return changesAnything(voice, word.body as Body<'trial.withdrawn'>) && voice.add(kind, word)
    default:
      return hold(voice, kind, word)
  }
}

function hold(voice: Voice, kind: TrialKind, word: TrialWord<TrialKind>): boolean {
  if (!voice.add(kind, word)) return false
  index(voice, kind, word)
  return true
}

function index(voice: Voice, kind: TrialKind, word: TrialWord<TrialKind>): void {
  if (is(kind, 'trial.enrolled', word)) follow(voice, word)
  else if (is(kind, 'trial.allocated', word)) push(voice.allocated, word.body.enrolled, word)
  else if (is(kind, 'trial.opened', word)) push(voice.opened, word.body.list, word)
  else if (is(kind, 'trial.unsealed', word)) push(voice.unsealed, word.body.list, word)
  else if (is(kind, 'trial.event', word)) followedIn(voice, toHex(word.body.tag)).events.push(word)
}

const is = <K extends TrialKind>(kind: TrialKind, wanted: K, _: TrialWord<TrialKind>): _ is TrialWord<K> =>
  kind === wanted

/** A version continues the one before it, of the same author and under the same name, or is none. */
function keepVersion(record: TrialRecord, voice: Voice, word: TrialWord<'trial.protocol'>): boolean {
  const { body, place } = word
  const last = voice.of('trial.protocol').at(-1)
  const first = body.trial === null
  const continues = first
    ? body.version === 1 && body.previous === null
    : last !== undefined &&
      body.version === last.body.version + 1 &&
      body.name === last.body.name &&
      body.previous !== null &&
      toHex(body.previous) === last.place.hash
  if (!continues) {
    if (voice.broken.length < TRIAL_BOUNDS.versionsMax) voice.broken.push(place)
    voice.first ??= place
    return true
  }
  if (!voice.add('trial.protocol', word)) return false
  if (first) record.sponsor = place.author
  record.versions.push(versionOf(word))
  return true
}

function versionOf({ place, body }: TrialWord<'trial.protocol'>): Version {
  const member = (key: Uint8Array): MemberId => toHex(key) as MemberId
  return {
    ...{ number: body.version, place, body, sites: body.sites.map(member), lists: member(body.lists) },
    ...{ arms: body.arms.map(([arm]) => arm), ratios: body.arms.map(([, ratio]) => ratio) },
    approvals: body.approvals.map(([meaning, by]) => ({ meaning, by: by === null ? null : member(by) })),
  }
}

/** Saying it again changes nothing, and takes no room: so none that binds is ever one too many. */
function changesAnything(voice: Voice, body: Body<'trial.withdrawn'>): boolean {
  const before = voice.of('trial.withdrawn')
  if (body.what === 'halt') return !before.some((one) => one.body.what === 'halt' && one.body.version >= body.version)
  if (body.meaning === null) return false
  const since = before.findLast((one) => one.body.what === 'approval' && one.body.meaning === body.meaning)
  const approved = voice.of('trial.approved').findLast((one) => one.body.meaning === body.meaning)
  if (approved === undefined) return false
  return since === undefined || since.place.seq < approved.place.seq || since.body.version < body.version
}

function follow(voice: Voice, word: TrialWord<'trial.enrolled'>): void {
  const followed = followedIn(voice, toHex(word.body.tag))
  if (followed.enrolled === null) followed.enrolled = word
  else followed.again.push(word)
}

function push<T>(words: Map<string, T[]>, about: Uint8Array, word: T): void {
  const before = words.get(toHex(about))
  if (before === undefined) words.set(toHex(about), [word])
  else before.push(word)
}

function followedIn(voice: Voice, tag: string): Followed {
  const known = voice.followed.get(tag)
  if (known !== undefined) return known
  const followed: Followed = { enrolled: null, again: [], events: [] }
  voice.followed.set(tag, followed)
  return followed
}

function placeOf({ author, seq, hash, lamport, timeMs }: TrialPlace): TrialPlace {
  return { author, seq, hash, lamport, timeMs }
}

const isTrialKind = (kind: string): kind is TrialKind => Object.hasOwn(TRIAL_KINDS, kind)

/** The canonical order of entries of several authors. */
export function comparePlaces(a: TrialPlace, b: TrialPlace): number {
  return a.lamport - b.lamport || compareIds(a.author, b.author) || a.seq - b.seq
}

/** All that was said below the cut: the same at every node that has those entries, whatever else it has. Itself where that is all. */
export function recordBelow(record: TrialRecord, { known }: Cut): TrialRecord {
  const voices = new Map([...record.voices].map(([author, voice]) => [author, voice.below(known(author))]))
  if ([...voices].every(([author, voice]) => voice === record.voices.get(author))) return record
  const versions = record.versions.filter(({ place }) => place.seq < known(place.author))
  return { ...record, voices, versions, sponsor: versions.length === 0 ? null : record.sponsor }
}
