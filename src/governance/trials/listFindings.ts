/** Lists of randomisation: positions in order, allocations and openings against the roots, and lists drawn again out of what was unsealed. */
import { toHex } from '../../core/bytes.ts'
import type { Digest } from '../../core/ids.ts'
import { comparePlaces, type TrialPlace, type TrialRecord, type TrialWord } from './book.ts'
import type { Tell } from './findingCodes.ts'
import { drawnAgain, positionLeaf, standsIn } from './randomisation.ts'
import { allLists, type StandingList, versionNumbered } from './standing.ts'

/** How a list stands: what was enrolled and allocated at its positions, and which arms are known. */
export interface ListStanding {
  readonly list: StandingList
  /** By position. */
  readonly enrolled: ReadonlyMap<number, TrialWord<'trial.enrolled'>>
  readonly allocated: ReadonlyMap<number, TrialWord<'trial.allocated'>>
  /** Openings of single positions that hold. */
  readonly opened: ReadonlyMap<number, TrialWord<'trial.opened'>>
  readonly unsealed: TrialWord<'trial.unsealed'> | null
  /** The arm of each position, where the list was unsealed and drawn again. */
  readonly arms: readonly string[] | null
}

const WRONG_TOLD = 3 // of one author and list; whatever comes after is one finding, so that it hides no other

/** All lists by the hash of their entries, those of no standing left out; and what is wrong with them. */
export function listFindings(record: TrialRecord, tell: Tell): ReadonlyMap<Digest, StandingList> {
  const lists = new Map(allLists(record).map((list) => [list.hash, list]))
  const locks = record.sponsor === null ? [] : (record.voices.get(record.sponsor)?.of('trial.locked') ?? [])
  for (const voice of record.voices.values()) {
    for (const { place } of voice.of('trial.list')) if (!lists.has(place.hash)) tell('foreign', place)
    for (const { place, body } of [...voice.of('trial.opened'), ...voice.of('trial.unsealed')]) {
      if (!lists.has(toHex(body.list) as Digest)) tell('list-unknown', place)
      else if (body.reason === 'end-of-trial' && !locks.some((lock) => isBefore(lock, place)))
        tell('opened-early', place)
    }
  }
  for (const list of lists.values()) listStanding(record, list, tell)
  return lists
}

const isBefore = ({ place, fault }: TrialWord<'trial.locked'>, other: TrialPlace): boolean =>
  fault === null && comparePlaces(place, other) < 0

/** One list; `tell` hears what is wrong. */
export function listStanding(record: TrialRecord, list: StandingList, tell: Tell = () => undefined): ListStanding {
  const enrolled = positionsOf(record, list, tell)
  const allocated = allocationsOf(record, list, enrolled, tell)
  const opened = new Map<number, TrialWord<'trial.opened'>>()
  const { unsealed, arms } = unsealedOf(record, list, tell)
  for (const voice of record.voices.values())
    for (const word of voice.opened.get(list.hash) ?? []) {
      if (openingHolds(record, list, word)) keepFirst(opened, word)
      else tell('opening-wrong', word.place, list.word.place, `position ${word.body.position}`)
    }
  for (const [position, { place }] of enrolled) {
    const known = [unsealed, opened.get(position)].find((word) => word && comparePlaces(word.place, place) < 0)
    if (known) tell('enrolled-open', place, known.place)
  }
  return { list, enrolled, allocated, opened, unsealed, arms }
}

/** The arm that was made known of who takes the enrolment's position of its list; null of whom the list has none, or where it is sealed. */
export function armKnown(
  standing: ListStanding | null,
  { place, body: { position } }: TrialWord<'trial.enrolled'>,
): string | null {
  if (standing?.enrolled.get(position)?.place.hash !== place.hash) return null
  return standing.opened.get(position)?.body.arm ?? standing.arms?.[position] ?? null
}

/** Of the site's and the holder's the first, whichever log came first here. */
function keepFirst(opened: Map<number, TrialWord<'trial.opened'>>, word: TrialWord<'trial.opened'>): void {
  const before = opened.get(word.body.position)
  if (before === undefined || comparePlaces(word.place, before.place) < 0) opened.set(word.body.position, word)
}

/** A list is of one site, whose own order its positions follow. */
function positionsOf(record: TrialRecord, list: StandingList, tell: Tell): Map<number, TrialWord<'trial.enrolled'>> {
  const taken = new Map<number, TrialWord<'trial.enrolled'>>()
  let next = 0
  for (const word of record.voices.get(list.site)?.of('trial.enrolled') ?? []) {
    const { body, place } = word
    if (toHex(body.list) !== list.hash) continue
    const { position } = body
    if (position >= list.size) tell('position-beyond', place, list.word.place, `position ${position} of ${list.size}`)
    else if (taken.has(position)) tell('position-repeated', place, taken.get(position)?.place, `position ${position}`)
    else {
      if (position > next) {
        const skipped = position - next === 1 ? `position ${next}` : `positions ${next} to ${position - 1}`
        tell('position-skipped', place, list.word.place, skipped)
      }
      taken.set(position, word)
    }
    next = Math.max(next, position + 1)
  }
  return taken
}

/** Of who drew the list, the first that stands for each participant. */
function allocationsOf(
  record: TrialRecord,
  list: StandingList,
  enrolled: ListStanding['enrolled'],
  tell: Tell,
): Map<number, TrialWord<'trial.allocated'>> {
  const given = record.voices.get(list.word.place.author)?.allocated
  const found = new Map<number, TrialWord<'trial.allocated'>>()
  for (const [position, { place }] of enrolled)
    for (const word of given?.get(place.hash) ?? []) {
      if (found.has(position)) break
      if (allocationStands(record, list, position, word)) found.set(position, word)
      else tell('allocation-wrong', word.place, list.word.place, `position ${position}`)
    }
  return found
}

/**
 * Verifies what was allocated, opened and unsealed and was not looked at yet, for whoever asks next finds it done; gives what each took, one for
 * the path of a position. The record must not change before the end.
 */
export function* verifying(record: TrialRecord): Generator<number> {
  const lists = new Map(allLists(record).map((list) => [list.hash, list]))
  const isNew = ({ place }: TrialWord<'trial.allocated' | 'trial.opened'>): boolean => !record.stands.has(place.hash)
  for (const [site, voice] of record.voices)
    for (const { place, body } of voice.of('trial.enrolled')) {
      const list = lists.get(toHex(body.list) as Digest)
      if (list?.site !== site) continue
      for (const word of (record.voices.get(list.word.place.author)?.allocated.get(place.hash) ?? []).filter(isNew)) {
        allocationStands(record, list, body.position, word)
        yield 1
      }
    }
  for (const list of lists.values())
    for (const voice of record.voices.values()) {
      for (const word of (voice.opened.get(list.hash) ?? []).filter(isNew)) {
        openingHolds(record, list, word)
        yield 1
      }
      for (const word of voice.unsealed.get(list.hash) ?? []) {
        const before = record.drawn.size
        armsOf(record, list, word)
        if (record.drawn.size > before) yield list.size
      }
    }
}

/** An allocation names one enrolment, and that one position of one list: what is found of it holds for good. */
function allocationStands(
  { stands }: TrialRecord,
  { size, word }: StandingList,
  position: number,
  { place, body }: TrialWord<'trial.allocated'>,
): boolean {
  const known = stands.get(place.hash)
  if (known !== undefined) return known
  const found = standsIn(body.leaf, position, body.path, { size, root: word.body.root })
  stands.set(place.hash, found)
  return found
}

/** Whether an opening stands in the list: what was allocated there stands there too, and so is the same. It names that list: so it is for good. */
function openingHolds(record: TrialRecord, list: StandingList, word: TrialWord<'trial.opened'>): boolean {
  const known = record.stands.get(word.place.hash)
  if (known !== undefined) return known
  const found = standsOpened(record, list, word)
  record.stands.set(word.place.hash, found)
  return found
}

function standsOpened(record: TrialRecord, list: StandingList, { place, body }: TrialWord<'trial.opened'>): boolean {
  const version = versionNumbered(record, list.word.body.version)
  const mayOpen = place.author === list.site || place.author === list.word.place.author
  const arm = version?.arms.indexOf(body.arm) ?? -1
  if (arm < 0 || !mayOpen) return false
  const leaf = positionLeaf(body.salt, body.position, arm)
  return standsIn(leaf, body.position, body.path, { size: list.size, root: list.word.body.root })
}

function unsealedOf(record: TrialRecord, list: StandingList, tell: Tell): Pick<ListStanding, 'unsealed' | 'arms'> {
  const version = versionNumbered(record, list.word.body.version)
  let found: Pick<ListStanding, 'unsealed' | 'arms'> = { unsealed: null, arms: null }
  for (const [by, voice] of record.voices) {
    const isOwn = by === list.word.place.author
    let wrong = 0
    let last: TrialPlace | null = null
    for (const word of voice.unsealed.get(list.hash) ?? []) {
      if (isOwn && found.arms !== null) break
      const arms = armsOf(record, list, word)
      if (typeof arms !== 'string') found = { unsealed: word, arms: [...arms].map((arm) => version?.arms[arm] ?? '') }
      else if (wrong++ < WRONG_TOLD) tell('unsealing-wrong', word.place, list.word.place, arms)
      else last = word.place
    }
    const rest = wrong - WRONG_TOLD
    if (last !== null)
      tell('unsealing-wrong', last, list.word.place, `${rest} more of the same author and list, to this one`)
  }
  return found
}

/** The list drawn again; or why what was unsealed does not give the list. */
function armsOf(
  record: TrialRecord,
  { word: { place, body: list } }: StandingList,
  word: TrialWord<'trial.unsealed'>,
): Uint8Array | string {
  const version = versionNumbered(record, list.version)
  if (word.place.author !== place.author || version === undefined) return 'it is by another than who drew the list'
  const { seed, blocks } = word.body
  const key = `${place.hash} ${toHex(seed)} ${blocks.join(' ')}`
  const known = record.drawn.get(key)
  if (known !== undefined) return known
  const drawn = drawnAgain(seed, { ratios: version.ratios, blocks }, list)
  const found = typeof drawn === 'string' ? drawn : drawn.arms
  record.drawn.set(key, found)
  return found
}
