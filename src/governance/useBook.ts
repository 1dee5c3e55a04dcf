/** Who used which model, when and how often, as all members' logs say it. One per shell; it is only a reading, and can be made anew. */
import { toHex } from '../core/bytes.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { decodeEntry, type Entry, glanceAt } from '../ledger/entry.ts'
import { type Kind, readBody } from './kinds.ts'

/** What can be done with a model that an entry tells of. */
export const USES = ['prediction', 'explanation', 'evaluation', 'export'] as const
export type Use = (typeof USES)[number]

/** Uses of one model by one hospital. */
export interface UseSum {
  readonly author: MemberId
  readonly study: StudyId
  readonly model: Digest
  readonly use: Use
  /** Runs of predictions, files written, or how often it was measured: at least so often, where `withheld` is not 0. */
  readonly runs: number
  /** Rows of patients that went through it, as far as that was told; null for exports. */
  readonly rows: number | null
  /** Runs whose rows were fewer than the minimum cohort, so that their number is not told: at least so many, one for each entry that tells of no number. */
  readonly withheld: number
  readonly firstMs: number
  readonly lastMs: number
  /** Entries: how many, and the number of the newest. */
  readonly entries: number
  readonly lastSeq: number
}

/** What is null is not asked for; times in milliseconds, by the authors' clocks. */
export interface UseFilter {
  readonly study: StudyId | null
  readonly author: MemberId | null
  readonly sinceMs: number | null
  /** The first that is not taken. */
  readonly untilMs: number | null
}

/** What one entry tells. */
interface Told {
  readonly use: Use
  readonly model: Uint8Array
  readonly runs: number | null
  readonly rows: number | null
  readonly fromMs?: number
  readonly toMs?: number
}

type Reader<K extends Kind> = (body: NonNullable<ReturnType<typeof readBody<K>>>) => Told

const READERS: { readonly [K in Kind]?: Reader<K> } = {
  'model.used': ({ model, rows }) => ({ use: 'prediction', model, runs: 1, rows }),
  'model.served': ({ model, runs, rows, fromMs, toMs }) => ({ use: 'prediction', model, runs, rows, fromMs, toMs }),
  'model.explained': ({ model, rows }) => ({ use: 'explanation', model, runs: 1, rows }),
  'model.exported': ({ model }) => ({ use: 'export', model, runs: 1, rows: null }),
  'round.evaluated': ({ model, examples }) => ({ use: 'evaluation', model, runs: 1, rows: examples }),
  'study.measured': ({ model, evaluation }) => ({
    ...{ use: 'evaluation', model, runs: 1 },
    rows: evaluation?.examples ?? null,
  }),
  'study.crossed': ({ model, examples }) => ({ use: 'evaluation', model, runs: 1, rows: examples }),
  'privacy.audited': ({ model, members, others }) => ({ use: 'evaluation', model, runs: 1, rows: members + others }),
}

const FIRST_ROOM = 256
const NOT_TOLD = -1

/**
 * Entries of each log are given from its beginning, in order and once, and which of them have lost their body since. Holds 40 bytes for each
 * that tells of a use.
 */
export class UseBook {
  readonly #read = new Map<MemberId, number>()
  /** Entries of a hospital and study that are of such a kind and tell of nothing. */
  readonly #silent = new Map<string, { readonly author: MemberId; readonly study: StudyId; entries: number }>()
  readonly #groups: Pick<UseSum, 'author' | 'study' | 'model' | 'use'>[] = []
  readonly #numbers = new Map<string, number>()
  #count = 0
  #group = new Uint32Array(FIRST_ROOM)
  #seq = new Uint32Array(FIRST_ROOM)
  #runs = new Float64Array(FIRST_ROOM)
  #rows = new Float64Array(FIRST_ROOM)
  #fromMs = new Float64Array(FIRST_ROOM)
  #toMs = new Float64Array(FIRST_ROOM)

  /** How many entries of that log were given. */
  readOf(author: MemberId): number {
    return this.#read.get(author) ?? 0
  }

  /** Entries that tell of a use. */
  get entries(): number {
    return this.#count
  }

  /** The next entries of a log. Errors: those of `decodeEntry`. */
  take(author: MemberId, raws: readonly Uint8Array[]): void {
    for (const raw of raws) if (Object.hasOwn(READERS, glanceAt(raw).kind)) this.tell(decodeEntry(raw))
    this.#read.set(author, this.readOf(author) + raws.length)
  }

  /** One entry; one that belongs to no study, or of a kind that tells of no use, is passed over. */
  tell({
    author,
    study,
    kind,
    body,
    seq,
    timeMs,
  }: Pick<Entry, 'author' | 'study' | 'kind' | 'body' | 'seq' | 'timeMs'>): void {
    if (study === null || !Object.hasOwn(READERS, kind)) return
    const told = toldBy(kind, body)
    if (told === null) return this.#silence({ author, study })
    if (this.#count === this.#group.length) this.#grow()
    const at = this.#count++
    this.#group[at] = this.#groupOf({ author, study, model: toHex(told.model) as Digest, use: told.use })
    this.#seq[at] = seq
    this.#runs[at] = told.runs ?? 1
    this.#rows[at] = told.rows ?? NOT_TOLD
    this.#fromMs[at] = told.fromMs ?? timeMs
    this.#toMs[at] = told.toMs ?? timeMs
  }

  /** The bodies of these entries of a log are gone: what they told is forgotten, and they tell of nothing, as to who reads them now. */
  forget(author: MemberId, seqs: readonly number[]): void {
    const gone = new Set(seqs)
    let kept = 0
    for (let at = 0; at < this.#count; at++) {
      const group = this.#groups[this.#group[at] as number] as Pick<UseSum, 'author' | 'study'>
      if (group.author === author && gone.has(this.#seq[at] as number)) this.#silence(group)
      else this.#move(at, kept++)
    }
    this.#count = kept
  }

  /** Entries of which nothing is in the sums: their bodies are gone, or never were such as can be read. Times filter none of them. */
  silent({ study, author }: Pick<UseFilter, 'study' | 'author'>): number {
    let entries = 0
    for (const one of this.#silent.values())
      if ((study ?? one.study) === one.study && (author ?? one.author) === one.author) entries += one.entries
    return entries
  }

  /** Sums of what the filter takes, by study, model, hospital and use, the newest first. */
  sums({ study, author, sinceMs, untilMs }: UseFilter): UseSum[] {
    const wanted = this.#groups.map(
      (group) => (study ?? group.study) === group.study && (author ?? group.author) === group.author,
    )
    const sums: (Mutable<UseSum> | undefined)[] = []
    for (let at = 0; at < this.#count; at++) {
      const group = this.#group[at] as number
      const [fromMs, toMs] = [this.#fromMs[at] as number, this.#toMs[at] as number]
      if (!wanted[group] || (sinceMs !== null && toMs < sinceMs) || (untilMs !== null && fromMs >= untilMs)) continue
      sums[group] ??= { ...(this.#groups[group] as UseSum), ...EMPTY }
      this.#add(sums[group] as Mutable<UseSum>, at)
    }
    return sums.filter((sum) => sum !== undefined).sort((a, b) => b.lastMs - a.lastMs || (keyOf(a) < keyOf(b) ? -1 : 1))
  }

  #add(sum: Mutable<UseSum>, at: number): void {
    const [runs, rows] = [this.#runs[at] as number, this.#rows[at] as number]
    sum.runs += runs
    sum.entries++
    sum.firstMs = Math.min(sum.firstMs, this.#fromMs[at] as number)
    sum.lastMs = Math.max(sum.lastMs, this.#toMs[at] as number)
    sum.lastSeq = Math.max(sum.lastSeq, this.#seq[at] as number)
    if (sum.use === 'export') sum.rows = null
    else if (rows === NOT_TOLD) sum.withheld += runs
    else sum.rows = (sum.rows ?? 0) + rows
  }

  #silence({ author, study }: Pick<UseSum, 'author' | 'study'>): void {
    const key = `${study} ${author}`
    const silent = this.#silent.get(key) ?? { author, study, entries: 0 }
    silent.entries++
    this.#silent.set(key, silent)
  }

  #move(from: number, to: number): void {
    for (const array of [this.#group, this.#seq, this.#runs, this.#rows, this.#fromMs, this.#toMs])
      array[to] = array[from] as number
  }

  #groupOf(group: Pick<UseSum, 'author' | 'study' | 'model' | 'use'>): number {
    const key = keyOf(group)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#numbers.set(key, this.#groups.length)
    return this.#groups.push(group) - 1
  }

  #grow(): void {
    this.#group = grown(this.#group, Uint32Array)
    this.#seq = grown(this.#seq, Uint32Array)
    this.#runs = grown(this.#runs, Float64Array)
    this.#rows = grown(this.#rows, Float64Array)
    this.#fromMs = grown(this.#fromMs, Float64Array)
    this.#toMs = grown(this.#toMs, Float64Array)
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const EMPTY = {
  ...{ runs: 0, rows: 0, withheld: 0, entries: 0, lastSeq: 0 },
  ...{ firstMs: Number.POSITIVE_INFINITY, lastMs: Number.NEGATIVE_INFINITY },
}

function toldBy(kind: string, body: Entry['body']): Told | null {
  const read = readBody(kind as 'model.used', body)
  return read === null ? null : (READERS[kind as 'model.used'] as Reader<'model.used'>)(read)
}

const keyOf = ({ author, study, model, use }: Pick<UseSum, 'author' | 'study' | 'model' | 'use'>): string =>
  `${study} ${model} ${author} ${use}`

function grown<A extends Uint32Array | Float64Array>(array: A, make: new (length: number) => A): A {
  const larger = new make(array.length * 2)
  larger.set(array)
  return larger
}
