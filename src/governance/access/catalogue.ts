/**
 * Which datasets members announce, as a fold over their entries that gives the same state in whatever order logs arrive: each word is kept with
 * its place, and what holds is evaluated over a cut. An announcement counts when its entry is final, a withdrawal as soon as it is known.
 */
import type { CountColumn } from '../../config/countColumns.ts'
import { toHex } from '../../core/bytes.ts'
import { type DuoCode, duoCode } from '../../core/duo.ts'
import { compareIds, type Digest, type MemberId } from '../../core/ids.ts'
import type { AgreementFact, Cut, Place } from '../agreements.ts'
import { type Body, readBody } from '../kinds.ts'

/** What a member says of a table of its own; what it says of it later takes the place of that. */
export interface Announcement {
  /** The root of the registered version that is meant. */
  readonly version: Digest
  readonly name: string
  readonly title: readonly string[]
  readonly source: Body<'catalogue.announced'>['source']
  readonly purposes: readonly DuoCode[]
  readonly counted: 'patients' | 'rows'
  /** At least so many, to a multiple of `cohort`. */
  readonly count: number
  readonly cohort: number
  /** Who is answered, when it was announced. */
  readonly counts: Body<'catalogue.announced'>['counts']
  /** None where the hospital does not tell them. */
  readonly columns: readonly CountColumn[]
}

/** Where a dataset stands over a cut; `announced` is what counts then, would when it is final, or did before it was withdrawn. */
export interface DatasetStanding {
  readonly owner: MemberId
  readonly dataset: Digest
  readonly status: 'pending' | 'announced' | 'withdrawn'
  readonly announced: Announcement
  readonly place: Place
  /** Of a withdrawal. */
  readonly reason: string | null
}

interface Word {
  readonly place: Place
  readonly announced: Announcement | null
  readonly reason: string | null
}

const DATASETS_MAX = 64 // of one member: more are found no better
const ANNOUNCED_MAX = 32 // of one dataset: a version every quarter for eight years; then it is registered under a new name

/** All announcements. What one member may say is bounded, so memory is bounded by the members. */
export class Catalogue {
  readonly #words = new Map<MemberId, Map<Digest, Word[]>>()

  /** Whether the fact was about the catalogue. */
  fold(fact: AgreementFact): boolean {
    if (fact.kind === 'catalogue.announced') {
      const body = readBody('catalogue.announced', fact.body)
      if (body !== null) this.#say(fact, toHex(body.dataset) as Digest, announcementIn(body), null)
      return true
    }
    if (fact.kind !== 'catalogue.withdrawn') return false
    const body = readBody('catalogue.withdrawn', fact.body)
    if (body !== null) this.#say(fact, toHex(body.dataset) as Digest, null, body.reason)
    return true
  }

  /** Whether what `owner` would announce is still looked at. */
  mayAnnounce(owner: MemberId, dataset: Digest): boolean {
    const words = this.#words.get(owner)
    const said = words?.get(dataset)
    if (said === undefined) return (words?.size ?? 0) < DATASETS_MAX
    return said.filter(({ announced }) => announced !== null).length < ANNOUNCED_MAX
  }

  /** Null where nothing of it is known by that cut. */
  standing(owner: MemberId, dataset: Digest, cut: Cut): DatasetStanding | null {
    return standingOf(owner, dataset, this.#words.get(owner)?.get(dataset) ?? [], cut)
  }

  /** The newest withdrawal of a dataset; null where there is none. */
  withdrawnAt(owner: MemberId, dataset: Digest, cut: Cut): Place | null {
    const words = this.#words.get(owner)?.get(dataset) ?? []
    const known = cut.known(owner)
    return words.findLast(({ announced, place }) => announced === null && place.seq < known)?.place ?? null
  }

  /** Every dataset that is known by that cut, by owner and dataset. */
  all(cut: Cut): DatasetStanding[] {
    const found: DatasetStanding[] = []
    for (const owner of [...this.#words.keys()].sort(compareIds)) found.push(...this.of(owner, cut))
    return found
  }

  /** Those of one member. */
  of(owner: MemberId, cut: Cut): DatasetStanding[] {
    const words = [...(this.#words.get(owner) ?? [])].sort(([a], [b]) => compareIds(a, b))
    return words.flatMap(([dataset, said]) => standingOf(owner, dataset, said, cut) ?? [])
  }

  #say(
    { author, seq, hash, lamport }: AgreementFact,
    dataset: Digest,
    announced: Announcement | null,
    reason: string | null,
  ) {
    const mine = this.#words.get(author) ?? new Map<Digest, Word[]>()
    const said = mine.get(dataset) ?? []
    const last = said.at(-1)
    if (last !== undefined && last.place.seq >= seq) return
    if (announced !== null && !this.mayAnnounce(author, dataset)) return
    if (announced === null && (last === undefined || last.announced === null)) return // says nothing new, and takes no room
    said.push({ place: { author, seq, hash, lamport }, announced, reason })
    this.#words.set(author, mine.set(dataset, said))
  }
}

function standingOf(owner: MemberId, dataset: Digest, words: readonly Word[], cut: Cut): DatasetStanding | null {
  const [known, final] = [cut.known(owner), cut.final(owner)]
  let pending: { readonly place: Place; readonly announced: Announcement } | null = null
  for (let i = words.length - 1; i >= 0; i--) {
    const { place, announced, reason } = words[i] as Word
    if (place.seq >= known) continue
    if (announced === null) {
      if (pending !== null) break
      const { announced: last } = words[i - 1] as Word & { readonly announced: Announcement } // withdrawn is what was announced
      return { owner, dataset, status: 'withdrawn', announced: last, place, reason }
    }
    if (place.seq < final) return { owner, dataset, status: 'announced', announced, place, reason: null }
    pending ??= { place, announced }
  }
  return (
    pending && { owner, dataset, status: 'pending', announced: pending.announced, place: pending.place, reason: null }
  )
}

function announcementIn({
  dataset: _,
  version,
  title,
  purposes,
  columns = [],
  ...said
}: Body<'catalogue.announced'>): Announcement {
  return {
    ...said,
    version: toHex(version) as Digest,
    title: [...title],
    purposes: purposes.map(duoCode),
    columns: columns.map(([name, unit, kind, values]) => ({ name, unit, kind, values })),
  }
}
