/** Recalls of lots and products: a recall binds as soon as it is known, taking it back counts when it is final. */
import type { Gs1Key } from '../../core/gs1.ts'
import type { MemberId } from '../../core/ids.ts'
import type { Entry } from '../../ledger/entry.ts'
import type { RecallReason } from '../kinds/supply.ts'
import { readBody } from '../kinds.ts'

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
}

/** Up to which entry a member's log is final. */
export type FinalSize = (author: MemberId) => number

const PER_MEMBER_MAX = 10_000 // recalls of one member that are followed: thirty years of one a day
const decoder = new TextDecoder()

/** Each author's words in its own order, whatever the order of the authors. */
export class Recalls {
  readonly #words = new Map<Gs1Key, Map<MemberId, Recall>>()
  readonly #held = new Map<MemberId, number>()

  tell({ kind, author, seq, timeMs, body }: Pick<Entry, 'kind' | 'author' | 'seq' | 'timeMs' | 'body'>): void {
    if (kind === 'supply.recalled') {
      const told = readBody(kind, body)
      if (told === null) return
      const item = decoder.decode(told.item) as Gs1Key
      const words = this.#words.get(item) ?? new Map<MemberId, Recall>()
      const before = words.get(author)
      if (before === undefined && !this.#mayHold(author)) return
      this.#words.set(item, words)
      // said again while it stands, it has stood since the first time
      const since = before !== undefined && before.liftedBy === null ? before.timeMs : timeMs
      words.set(author, { item, author, seq, timeMs: since, reason: told.reason, class: told.class, liftedBy: null })
    } else if (kind === 'supply.lifted') {
      const told = readBody(kind, body)
      const words = told === null ? undefined : this.#words.get(decoder.decode(told.item) as Gs1Key)
      const before = words?.get(author)
      if (before !== undefined && before.liftedBy === null) words?.set(author, { ...before, liftedBy: seq })
    }
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

  #mayHold(author: MemberId): boolean {
    const held = this.#held.get(author) ?? 0
    if (held >= PER_MEMBER_MAX) return false
    this.#held.set(author, held + 1)
    return true
  }
}

function stands({ author, liftedBy }: Recall, final: FinalSize): boolean {
  return liftedBy === null || liftedBy >= final(author)
}

function inTime(a: Recall, b: Recall): number {
  return a.timeMs - b.timeMs || (a.author < b.author ? -1 : a.author > b.author ? 1 : a.seq - b.seq)
}
