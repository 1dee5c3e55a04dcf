/**
 * Between which temperatures members declare a product to be kept. A narrower range counts as soon as it is known, a wider one when it is final;
 * where members differ, the strictest of what they say counts, and that they differ is said.
 */
import { type Gs1Key, gtinOf } from '../../core/gs1.ts'
import { compareIds, type MemberId } from '../../core/ids.ts'
import type { Entry } from '../../ledger/entry.ts'
import { readBody } from '../kinds.ts'
import type { FinalSize } from './recalls.ts'

/** Thousandths of a degree Celsius; null is no bound. */
export interface Range {
  readonly low: number | null
  readonly high: number | null
}

/** What one member said last of a product: without bounds, that it takes its word back. */
export interface Declared extends Range {
  readonly author: MemberId
  readonly seq: number
  readonly timeMs: number
  /** Else the one before counts too, as far as it is narrower. */
  readonly final: boolean
}

/** What counts for a product. It can be empty, `low` above `high`, where members contradict each other: then no temperature is right. */
export interface ProductRange extends Range {
  readonly item: Gs1Key
  readonly declared: readonly Declared[]
  /** Members declare different ranges. */
  readonly differ: boolean
}

const PER_MEMBER_MAX = 10_000 // products that one member may declare: twice what a hospital's pharmacy lists
const WORDS_MAX = 8 // of one member on one product that are followed: those that wait to be final, and the last that is
const decoder = new TextDecoder()

/** Each author's words in its own order, whatever the order of the authors. */
export class Products {
  readonly #words = new Map<string, Map<MemberId, readonly Omit<Declared, 'final'>[]>>()
  readonly #held = new Map<MemberId, number>()

  tell({ kind, author, seq, timeMs, body }: Pick<Entry, 'kind' | 'author' | 'seq' | 'timeMs' | 'body'>): void {
    const told = kind === 'supply.product' ? readBody(kind, body) : null
    const gtin = told === null ? null : gtinOf(decoder.decode(told.item) as Gs1Key)
    if (told === null || gtin === null) return
    const byAuthor = this.#words.get(gtin) ?? new Map<MemberId, readonly Omit<Declared, 'final'>[]>()
    const words = byAuthor.get(author)
    if (words === undefined && !this.#mayHold(author)) return
    const { low, high } = told
    byAuthor.set(author, bounded([...(words ?? []), { low, high, author, seq, timeMs }]))
    this.#words.set(gtin, byAuthor)
  }

  /** Whether nobody ever declared anything. */
  get isEmpty(): boolean {
    return this.#words.size === 0
  }

  /** Of a product by its 14 digits; null where nobody bounds it. */
  of(gtin: string, final: FinalSize): ProductRange | null {
    const byAuthor = this.#words.get(gtin)
    if (byAuthor === undefined) return null
    const counting = [...byAuthor.values()].map((words) => countingOf(words, final))
    const declared = counting.map(({ last }) => last).filter((one) => !isBack(one) || !one.final)
    const { low, high } = strictest(counting.map(({ range }) => range))
    if (low === null && high === null) return null
    const [first, ...others] = declared.filter((one) => !isBack(one))
    const differ = others.some((one) => one.low !== first?.low || one.high !== first?.high)
    return {
      ...{ item: `01/${gtin}` as Gs1Key, low, high, differ },
      declared: declared.sort((a, b) => compareIds(a.author, b.author)),
    }
  }

  /** Of all products that anybody bounds, by their digits. */
  all(final: FinalSize): ProductRange[] {
    return [...this.#words.keys()].sort().flatMap((gtin) => this.of(gtin, final) ?? [])
  }

  #mayHold(author: MemberId): boolean {
    const held = this.#held.get(author) ?? 0
    if (held >= PER_MEMBER_MAX) return false
    this.#held.set(author, held + 1)
    return true
  }
}

/** One too many: the oldest two count as one, and the narrower, so that nothing wider counts before it is final. */
function bounded<W extends Range>(words: readonly W[]): readonly W[] {
  const [first, second, ...rest] = words
  if (words.length <= WORDS_MAX || first === undefined || second === undefined) return words
  return [{ ...second, ...strictest([first, second]) }, ...rest]
}

const isBack = ({ low, high }: Range): boolean => low === null && high === null

/** The strictest of several, however many. */
export function strictest(ranges: Iterable<Range>): Range {
  let [low, high]: [number | null, number | null] = [null, null]
  for (const one of ranges) {
    if (one.low !== null && (low === null || one.low > low)) low = one.low
    if (one.high !== null && (high === null || one.high < high)) high = one.high
  }
  return { low, high }
}

/** The newest final word, and with it those after it as far as they are narrower. */
function countingOf(
  words: readonly Omit<Declared, 'final'>[],
  final: FinalSize,
): { readonly range: Range; readonly last: Declared } {
  const last = words.at(-1) as Omit<Declared, 'final'>
  const isFinal = ({ author, seq }: Omit<Declared, 'final'>): boolean => seq < final(author)
  const from = Math.max(0, words.findLastIndex(isFinal))
  return { range: strictest(words.slice(from)), last: { ...last, final: isFinal(last) } }
}
