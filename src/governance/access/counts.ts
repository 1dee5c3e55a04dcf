/**
 * Questions how many match, and what hospitals answered, as a reading of all logs: the same in whatever order they came. What the own log says
 * was spent is what is spent: an answer and its cost are one entry, durable before anybody else can read it.
 */
import { toHex } from '../../core/bytes.ts'
import { MICRO_EPSILON } from '../../core/geometric.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import { decodeEntry, type Entry, glanceAt } from '../../ledger/entry.ts'
import { ACCESS_BOUNDS, type CountCode } from '../kinds/access.ts'
import { type Body, readBody } from '../kinds.ts'
import { inOrder } from './requests.ts'

/** One dataset of one member. */
export interface CountTarget {
  readonly owner: MemberId
  readonly dataset: Digest
}

interface At {
  readonly author: MemberId
  readonly seq: number
  readonly hash: Digest
  readonly lamport: number
}

/** What somebody asks; `id` is the hash of the entry. */
export interface CountAsked {
  readonly id: Digest
  readonly place: At
  readonly timeMs: number
  readonly targets: readonly CountTarget[]
  /** What `questionIn` reads; few of them ever are. */
  readonly document: Uint8Array
}

/** What a hospital told; ε in millionths. */
export interface CountAnswer {
  readonly place: At
  readonly timeMs: number
  readonly request: Digest
  readonly asker: MemberId
  readonly dataset: Digest
  readonly version: Digest | null
  readonly question: Digest
  readonly code: CountCode
  readonly count: number | null
  readonly epsilon: number
  readonly step: number
  readonly cohort: number
  readonly spent: number
  readonly left: number
}

const ASKED_MAX = 200_000 // of one member: 50 a day for ten years; what comes after is counted
const ANSWERED_MAX = 200_000
const WEIGHT_MAX = 67_108_864 // bytes of one member's questions, which stay in memory
const TARGET_WEIGHT = 300
const OPEN_MAX = 1_000 // of one member, that wait for the own answer: the others are not looked at

/** One per shell; given each log from its beginning, in order and once. */
export class CountBook {
  readonly #self: MemberId
  readonly #read = new Map<MemberId, number>()
  readonly #asked = new Map<Digest, CountAsked>()
  readonly #answers = new Map<Digest, CountAnswer[]>()
  readonly #answersOf = new Map<MemberId, number>()
  /** How many questions of each member there are, and their bytes. */
  readonly #asks = new Map<MemberId, typeof NO_ASKS>()
  /** Own answers that drew noise, by question: of each dataset and version one. */
  readonly #drawn = new Map<Digest, CountAnswer[]>()
  readonly #spent = new Map<Digest, { all: number; readonly by: Map<MemberId, number> }>()
  /** Questions that name the own hospital and are not answered in full. */
  readonly #open = new Set<Digest>()
  /** How many of them each member has asked. */
  readonly #waiting = new Map<MemberId, number>()
  /** Times of own answers that cost nothing, by asker: so many are given in a day. */
  readonly #free = new Map<MemberId, number[]>()
  /** Entries beyond a member's bound. */
  dropped = 0

  constructor(self: MemberId) {
    this.#self = self
  }

  /** Up to which entry an author's log was read. */
  readOf(author: MemberId): number {
    return this.#read.get(author) ?? 0
  }

  /** The next entries of a log. Errors: those of `decodeEntry`, where the store is damaged. */
  take(author: MemberId, raws: readonly Uint8Array[]): void {
    for (const raw of raws) if (glanceAt(raw).kind.startsWith('count.')) this.tell(decodeEntry(raw))
    this.#read.set(author, this.readOf(author) + raws.length)
  }

  /** One entry of a log, after those before it. */
  tell(entry: Pick<Entry, 'kind' | 'author' | 'seq' | 'hash' | 'lamport' | 'timeMs' | 'body'>): void {
    if (entry.kind === 'count.asked') this.#ask(entry)
    else if (entry.kind === 'count.answered') this.#answer(entry)
  }

  /** Whether what `author` would ask is still looked at. */
  mayAsk(author: MemberId, told: Body<'count.asked'>): boolean {
    const { count, weight } = this.#asks.get(author) ?? NO_ASKS
    return count < ASKED_MAX && weight + weightOf(told) <= WEIGHT_MAX
  }

  get(id: Digest): CountAsked | undefined {
    return this.#asked.get(id)
  }

  /** All questions, the newest first. */
  all(): CountAsked[] {
    return [...this.#asked.values()].sort((a, b) => inOrder(b, a))
  }

  /** What `owner` told of its dataset to this question; null before it did. */
  answer(id: Digest, { owner, dataset }: CountTarget): CountAnswer | null {
    const found = this.#answers.get(id)?.find((one) => one.place.author === owner && one.dataset === dataset)
    return found ?? null
  }

  /** Questions that the own hospital has not answered in full, the oldest first. */
  open(): CountAsked[] {
    return [...this.#open].map((id) => this.#asked.get(id) as CountAsked).sort(inOrder)
  }

  /** The own answer that drew noise for this question on this version of a dataset; null where there is none. */
  drawn(dataset: Digest, version: Digest, question: Digest): CountAnswer | null {
    const found = this.#drawn.get(question)?.find((one) => one.dataset === dataset && one.version === version)
    return found ?? null
  }

  /** What the own hospital has told `asker` of a dataset, in millionths of ε. */
  spentBy(asker: MemberId, dataset: Digest): number {
    return this.#spent.get(dataset)?.by.get(asker) ?? 0
  }

  /** What it has told all. */
  spentInAll(dataset: Digest): number {
    return this.#spent.get(dataset)?.all ?? 0
  }

  /** Every dataset of which it has told anything. */
  spentOn(): Digest[] {
    return [...this.#spent].flatMap(([dataset, { all }]) => (all > 0 ? [dataset] : []))
  }

  /** Own answers since `sinceMs` that cost this asker nothing. */
  freeSince(asker: MemberId, sinceMs: number): number {
    return (this.#free.get(asker) ?? []).filter((timeMs) => timeMs >= sinceMs).length
  }

  #ask({ author, seq, hash, lamport, timeMs, body }: Parameters<CountBook['tell']>[0]): void {
    if (this.#asked.has(hash)) return
    const told = readBody('count.asked', body)
    if (told === null) return
    if (!this.mayAsk(author, told)) return void this.dropped++
    const { count, weight } = this.#asks.get(author) ?? NO_ASKS
    this.#asks.set(author, { count: count + 1, weight: weight + weightOf(told) })
    const targets = told.datasets.map(([owner, dataset]): CountTarget => {
      return { owner: toHex(owner) as MemberId, dataset: toHex(dataset) as Digest }
    })
    this.#asked.set(hash, { id: hash, place: { author, seq, hash, lamport }, timeMs, targets, document: told.document })
    if (this.#lacks(hash)) this.#wait(hash, author)
  }

  #wait(id: Digest, asker: MemberId): void {
    const waiting = this.#waiting.get(asker) ?? 0
    if (waiting >= OPEN_MAX) return void this.dropped++
    this.#waiting.set(asker, waiting + 1)
    this.#open.add(id)
  }

  #answer({ author, seq, hash, lamport, timeMs, body }: Parameters<CountBook['tell']>[0]): void {
    const told = readBody('count.answered', body)
    if (told === null) return
    const { code, count, epsilon, step, cohort, spent, left } = told
    const answer: CountAnswer = {
      ...{ place: { author, seq, hash, lamport }, timeMs, code, count, epsilon, step, cohort, spent, left },
      ...{ request: toHex(told.request) as Digest, asker: toHex(told.asker) as MemberId },
      ...{ dataset: toHex(told.dataset) as Digest, question: toHex(told.question) as Digest },
      version: told.version === null ? null : (toHex(told.version) as Digest),
    }
    if (author === this.#self) this.#charge(answer)
    else if (count !== null && epsilon < MICRO_EPSILON.min)
      return // no noise is so wide: nothing can be said of how far off that is
    else if (!this.#mayAnswer(author)) return void this.dropped++
    const { request, dataset } = answer
    if (this.answer(request, { owner: author, dataset }) !== null) return // the first one stands
    const answers = this.#answers.get(request)
    const own = answers?.filter(({ place }) => place.author === author) ?? []
    if (own.length >= ACCESS_BOUNDS.countedMax) return void this.dropped++ // of more datasets no question is
    if (answers === undefined) this.#answers.set(request, [answer])
    else answers.push(answer)
    if (this.#lacks(answer.request) || !this.#open.delete(answer.request)) return
    const asker = this.#asked.get(answer.request)?.place.author as MemberId
    this.#waiting.set(asker, (this.#waiting.get(asker) ?? 0) - 1)
  }

  #charge(answer: CountAnswer): void {
    const { asker, dataset, version, question, spent, epsilon, timeMs } = answer
    const told = this.#spent.get(dataset) ?? { all: 0, by: new Map<MemberId, number>() }
    told.all += spent
    told.by.set(asker, (told.by.get(asker) ?? 0) + spent)
    this.#spent.set(dataset, told)
    const isFirst = version !== null && this.drawn(dataset, version, question) === null
    if (spent > 0 && epsilon > 0 && isFirst) this.#drawn.set(question, [...(this.#drawn.get(question) ?? []), answer])
    if (spent === 0) this.#free.set(asker, [...(this.#free.get(asker) ?? []).slice(-FREE_KEPT), timeMs])
  }

  /** Whether a question names a dataset of the own hospital that is not answered yet. */
  #lacks(id: Digest): boolean {
    const targets = this.#asked.get(id)?.targets ?? []
    return targets.some((target) => target.owner === this.#self && this.answer(id, target) === null)
  }

  #mayAnswer(author: MemberId): boolean {
    const answers = this.#answersOf.get(author) ?? 0
    this.#answersOf.set(author, answers + 1)
    return answers < ANSWERED_MAX
  }
}

const NO_ASKS = { count: 0, weight: 0 }

function weightOf({ document, datasets }: Body<'count.asked'>): number {
  return document.length + TARGET_WEIGHT * datasets.length
}

const FREE_KEPT = 1_000 // more than are given in a day
