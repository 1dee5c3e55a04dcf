/** Who is due an arm where lists were drawn: enrolments that are final, have no allocation yet, and break no rule. */
import { toHex } from '../../core/bytes.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import type { Cut } from '../agreements.ts'
import { TRIAL_KINDS, type TrialKind } from '../kinds/trials.ts'
import type { TrialBook, TrialId, TrialRecord, TrialWord } from './book.ts'
import { versionOf } from './enrolment.ts'
import { examineTrial } from './findings.ts'
import { allLists, isFinal, isStopped, type StandingList, versionNumbered } from './standing.ts'

/** An enrolment, and the list that its position is of. */
export interface Due {
  readonly word: TrialWord<'trial.enrolled'>
  readonly list: StandingList
}

/** What was looked at, as numbers: logs only grow, so as many words are the same words. */
interface Looked {
  readonly book: string
  readonly trial: string
}

/** What depends on finality. */
const FINALS = ['trial.approved', 'trial.list', 'trial.enrolled', 'trial.unlocked'] as const
/** What happens to participants makes no other enrolment right or wrong. */
const COUNTED = (Object.keys(TRIAL_KINDS) as TrialKind[]).filter((kind) => kind !== 'trial.event')

/** Of one hospital. Going through a trial takes a while: it is done again when something has changed that the outcome rests on, and no sooner. */
export class Dues {
  readonly #self: MemberId
  readonly #examine: typeof examineTrial
  readonly #settled = new Map<TrialId, Looked>()

  constructor(self: MemberId, examine = examineTrial) {
    this.#self = self
    this.#examine = examine
  }

  /** In one trial; none where that was found before, or settled. */
  in(book: TrialBook, record: TrialRecord, cut: Cut): readonly Due[] {
    const settled = this.#settled.get(record.id)
    const numbers = bookNumbers(book, record, cut)
    if (settled?.book === numbers) return []
    const waiting = waitingIn(record, this.#self, cut)
    const looked = { book: numbers, trial: trialNumbers(book, record, waiting, cut) }
    const isSame = settled?.trial === looked.trial
    const due = isSame || waiting.length === 0 ? [] : this.#dueOf(book, record, waiting, cut)
    if (due.length === 0) this.#settled.set(record.id, looked)
    return due
  }

  /** Nothing can be given to who is due now: not before something changes. */
  settle(book: TrialBook, record: TrialRecord, cut: Cut): void {
    const trial = trialNumbers(book, record, waitingIn(record, this.#self, cut), cut)
    this.#settled.set(record.id, { book: bookNumbers(book, record, cut), trial })
  }

  #dueOf(book: TrialBook, record: TrialRecord, waiting: readonly Due[], cut: Cut): Due[] {
    const sound = this.#examine(book, record, cut).filter(({ perhaps }) => !perhaps)
    const wrong = new Set(sound.map(({ place }) => place.hash))
    return waiting.filter((one) => !wrong.has(one.word.place.hash) && !isStoppedFor(record, one, cut))
  }
}

/** Enrolments at own lists that are final and have nothing yet. */
function waitingIn(record: TrialRecord, self: MemberId, cut: Cut): Due[] {
  const given = record.voices.get(self)?.allocated
  const lists = new Map<Digest, StandingList>(allLists(record).map((list) => [list.hash, list]))
  const waiting: Due[] = []
  for (const [site, voice] of record.voices)
    for (const word of voice.of('trial.enrolled')) {
      if (given?.has(word.place.hash) || !isFinal(word.place, cut)) continue
      const list = lists.get(toHex(word.body.list) as Digest)
      if (list !== undefined && list.word.place.author === self && list.site === site) waiting.push({ word, list })
    }
  return waiting
}

/** Whether the site must do nothing more under the version that the participant is under: a newer one that is only proposed changes nothing. */
function isStoppedFor(record: TrialRecord, { word: { body }, list: { site } }: Due, cut: Cut): boolean {
  const followed = record.voices.get(site)?.followed.get(toHex(body.tag))
  const version = followed === undefined ? undefined : versionNumbered(record, versionOf(record, followed))
  return version === undefined || isStopped(record, version, site, cut)
}

/** Where these are the same all is: told at once, and so asked first. */
function bookNumbers({ changes }: TrialBook, { voices }: TrialRecord, cut: Cut): string {
  const finals = [...voices.values()].flatMap((voice) => FINALS.map((kind) => finalsOf(voice.of(kind), cut)))
  return `${changes} ${finals.join(' ')}`
}

/** All that `examineTrial` and `isStoppedFor` say of who waits rests on these. */
function trialNumbers(book: TrialBook, { voices }: TrialRecord, waiting: readonly Due[], cut: Cut): string {
  const counts = [...voices.values()].flatMap((voice) => [
    ...COUNTED.map((kind) => voice.of(kind).length),
    ...FINALS.map((kind) => finalsOf(voice.of(kind), cut)),
  ])
  let [events, signed] = [0, 0]
  for (const { word, list } of waiting) {
    events += voices.get(list.site)?.followed.get(toHex(word.body.tag))?.events.length ?? 0
    if (book.signOffOf(word.place.hash) !== undefined) signed++
  }
  return [...counts, events, signed].join(' ')
}

/** How many, in the order of a log. */
const finalsOf = (words: readonly TrialWord<TrialKind>[], cut: Cut): number =>
  words.findLastIndex(({ place }) => isFinal(place, cut)) + 1
