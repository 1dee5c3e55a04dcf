/** Recalls of lots and products: a recall binds as soon as it is known, taking it back counts when it is final. */
import { toHex, utf8 } from '../../core/bytes.ts'
import { encodeCbor } from '../../core/cbor.ts'
import { taggedDigest } from '../../core/digest.ts'
import type { Gs1Key } from '../../core/gs1.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import type { Entry } from '../../ledger/entry.ts'
import type { RecallReason } from '../kinds/supply.ts'
import { type Body, readBody } from '../kinds.ts'

/** What one member says of one lot or product. */
export interface Recall {
  readonly item: Gs1Key
  readonly author: MemberId
  readonly seq: number
  readonly timeMs: number
  readonly reason: RecallReason
  readonly class: number
  /** The entry that takes it back, once that is final. */
  readonly liftedBy: number | null
  /** The recall of many that it is a part of. */
  readonly list: Digest | null
}

/** A recall of many, in slices. `missing`: numbers of those that are not here, from 0. */
export interface RecallList {
  readonly list: Digest
  readonly author: MemberId
  /** Of the slice that came first. */
  readonly seq: number
  readonly timeMs: number
  readonly reason: RecallReason
  readonly class: number
  readonly liftedBy: number | null
  readonly slices: number
  readonly missing: readonly number[]
  /** Of the slices that are here; all of them bind. */
  readonly items: number
  /** All slices are here, and yet are not what the list's digest says. */
  readonly differs: boolean
}

/** Up to which entry a member's log is final. */
export type FinalSize = (author: MemberId) => number

interface HeldList extends Pick<RecallList, 'seq' | 'timeMs' | 'reason' | 'class' | 'liftedBy' | 'slices'> {
  readonly held: Set<number>
  readonly items: Set<Gs1Key>
}
type Told = Pick<Entry, 'kind' | 'author' | 'seq' | 'timeMs' | 'body'>

const PER_MEMBER_MAX = 100_000 // lots of one member that are followed: ten years of a large plant's batches
const LISTS_PER_MEMBER_MAX = 1_000 // recalls of many: thirty years of one each ten days
const decoder = new TextDecoder()

/** What a recall of many is known by: the digest of its items, whatever their order. Each is named once. */
export function recallListOf(items: readonly Gs1Key[]): Digest {
  return taggedDigest('recallList', encodeCbor([...items].sort().map((item) => utf8(item))))
}

/** Each author's words in its own order, whatever the order of the authors. */
export class Recalls {
  /** Of each item by author and list: what is recalled alone and as one of many is recalled twice, and taken back twice. */
  readonly #words = new Map<Gs1Key, Map<string, Recall>>()
  readonly #lists = new Map<MemberId, Map<Digest, HeldList>>()
  readonly #held = new Map<MemberId, number>()

  tell(entry: Told): void {
    const { kind, author, seq, body } = entry
    if (kind === 'supply.recalled') {
      const told = readBody(kind, body)
      if (told !== null) this.#recall(decoder.decode(told.item) as Gs1Key, entry, told, null)
    } else if (kind === 'supply.recall-slice') {
      const told = readBody(kind, body)
      if (told !== null) this.#recallSlice(entry, told)
    } else if (kind === 'supply.lifted') {
      const told = readBody(kind, body)
      if (told !== null) this.#lift(decoder.decode(told.item) as Gs1Key, author, seq, null)
    } else if (kind === 'supply.list-lifted') {
      const told = readBody(kind, body)
      if (told !== null) this.#liftList(toHex(told.list) as Digest, author, seq)
    }
  }

  /** Whether nobody ever recalled anything. */
  get isEmpty(): boolean {
    return this.#words.size === 0
  }

  /** Of one lot or product: those that stand, oldest first. A lot's are its product's too. */
  standing(item: Gs1Key, final: FinalSize): Recall[] {
    const product = item.slice(0, 17) as Gs1Key
    return [item, product]
      .filter((one, i, all) => all.indexOf(one) === i)
      .flatMap((one) => [...(this.#words.get(one)?.values() ?? [])])
      .filter((one) => stands(one, final))
      .sort(inTime)
  }

  /** All that ever were, oldest first, with whether each stands. */
  all(final: FinalSize): (Recall & { readonly stands: boolean })[] {
    const found = [...this.#words.values()].flatMap((words) => [...words.values()])
    return found.sort(inTime).map((one) => ({ ...one, stands: stands(one, final) }))
  }

  /** Recalls of many, oldest first, with whether each stands. */
  lists(final: FinalSize): (RecallList & { readonly stands: boolean })[] {
    const found = [...this.#lists].flatMap(([author, lists]) =>
      [...lists].map(([list, held]) => shown(author, list, held)),
    )
    return found.sort(inTime).map((one) => ({ ...one, stands: stands(one, final) }))
  }

  /** The items of a recall of many that are here. */
  itemsOf(author: MemberId, list: Digest): readonly Gs1Key[] {
    return [...(this.#lists.get(author)?.get(list)?.items ?? [])]
  }

  #recall(item: Gs1Key, { author, seq, timeMs }: Told, told: Said, list: Digest | null): void {
    const words = this.#words.get(item) ?? new Map<string, Recall>()
    const before = words.get(wordOf(author, list))
    if (before === undefined && !this.#mayHold(author)) return
    this.#words.set(item, words)
    // said again while it stands, it has stood since the first time
    const since = before !== undefined && before.liftedBy === null ? before.timeMs : timeMs
    const { reason, class: level } = told
    words.set(wordOf(author, list), { item, author, seq, timeMs: since, reason, class: level, liftedBy: null, list })
  }

  #recallSlice(entry: Told, told: Body<'supply.recall-slice'>): void {
    const { author, seq, timeMs } = entry
    const list = toHex(told.list) as Digest
    const lists = this.#lists.get(author) ?? new Map<Digest, HeldList>()
    let held = lists.get(list)
    if (held === undefined && lists.size >= LISTS_PER_MEMBER_MAX) return
    const { slices, reason, class: level } = told
    const again = held?.slices === slices && held.reason === reason && held.class === level
    if (held === undefined || held.liftedBy !== null)
      held = { ...{ seq, timeMs, reason, class: level, slices }, liftedBy: null, held: new Set(), items: new Set() }
    else if (!again) held = { ...held, seq, reason, class: level, slices, held: new Set() }
    this.#lists.set(author, lists.set(list, held))
    held.held.add(told.slice)
    for (const key of told.items) {
      const item = decoder.decode(key) as Gs1Key
      held.items.add(item)
      this.#recall(item, entry, told, list)
    }
  }

  #lift(item: Gs1Key, author: MemberId, seq: number, list: Digest | null): void {
    const words = this.#words.get(item)
    const before = words?.get(wordOf(author, list))
    if (before !== undefined && before.liftedBy === null) words?.set(wordOf(author, list), { ...before, liftedBy: seq })
  }

  #liftList(list: Digest, author: MemberId, seq: number): void {
    const lists = this.#lists.get(author)
    const held = lists?.get(list)
    if (held === undefined || held.liftedBy !== null) return
    lists?.set(list, { ...held, liftedBy: seq })
    for (const item of held.items) this.#lift(item, author, seq, list)
  }

  #mayHold(author: MemberId): boolean {
    const held = this.#held.get(author) ?? 0
    if (held >= PER_MEMBER_MAX) return false
    this.#held.set(author, held + 1)
    return true
  }
}

const wordOf = (author: MemberId, list: Digest | null): string => `${author} ${list ?? ''}`

type Said = Pick<Body<'supply.recalled'>, 'reason' | 'class'>

function shown(author: MemberId, list: Digest, { held, items, ...rest }: HeldList): RecallList {
  const missing = Array.from({ length: rest.slices }, (_, i) => i).filter((i) => !held.has(i))
  const differs = missing.length === 0 && recallListOf([...items]) !== list
  return { ...rest, list, author, missing, items: items.size, differs }
}

function stands({ author, liftedBy }: Pick<Recall, 'author' | 'liftedBy'>, final: FinalSize): boolean {
  return liftedBy === null || liftedBy >= final(author)
}

function inTime(a: Pick<Recall, 'timeMs' | 'author' | 'seq'>, b: Pick<Recall, 'timeMs' | 'author' | 'seq'>): number {
  return a.timeMs - b.timeMs || (a.author < b.author ? -1 : a.author > b.author ? 1 : a.seq - b.seq)
}
