/** What a node keeps as a witness and of its witnesses: nodes of the trees, what it cosigned last, and final heads. */
import { invariant } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import type { Final, FinalTimes, Witnessed } from '../ledger/store.ts'
import {
  authorKey,
  decodeTime,
  decodeWitnessed,
  encodeTime,
  encodeWitnessed,
  nodeIndexOf,
  nodeKey,
  numberKey,
  numberOf,
  shortAuthor,
  TABLE,
} from './records.ts'

type Row = [Uint8Array, Uint8Array]
type Range = { gte: Uint8Array; lt?: Uint8Array; lte?: Uint8Array; reverse?: boolean; limit?: number }

/** What the level store lends: reads as they are, writes synced. */
export interface Table {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  rows(range: Range): Promise<Row[]>
  write(puts: readonly Row[], deletes: readonly Uint8Array[]): Promise<void>
}

const HOUR_S = 3_600
const SIZE_MAX = Number.MAX_SAFE_INTEGER

/** The part of the level store that is about witnessing; the store runs its writes in turn. */
export class WitnessRecords {
  readonly #table: Table

  constructor(table: Table) {
    this.#table = table
  }

  /** As `LogStore.nodes`. */
  async nodes(author: MemberId, level: number, from: number, to: number): Promise<Uint8Array[]> {
    const short = shortAuthor(author)
    const rows = await this.#table.rows({ gte: nodeKey(short, level, from), lt: nodeKey(short, level, to) })
    const gap = rows.findIndex(([key], i) => nodeIndexOf(key) !== from + i)
    return rows.slice(0, gap < 0 ? rows.length : gap).map(([, hash]) => hash)
  }

  /** As `LogStore.witnessed`. */
  async witnessed(author: MemberId): Promise<Witnessed | undefined> {
    const key = authorKey(TABLE.witnessed, shortAuthor(author))
    const bytes = await this.#table.get(key)
    return bytes === undefined ? undefined : decodeWitnessed(key, bytes)
  }

  /** As `LogStore.putWitnessed`. */
  async putWitnessed(author: MemberId, witnessed: Witnessed): Promise<void> {
    const before = await this.witnessed(author)
    invariant(witnessed.size >= (before?.size ?? 0), 'what was cosigned never goes back')
    const key = authorKey(TABLE.witnessed, shortAuthor(author))
    await this.#table.write([[key, encodeWitnessed(key, witnessed)]], [])
  }

  /** As `LogStore.putFinal`. */
  async putFinal(author: MemberId, { size, note, timeS }: Final): Promise<void> {
    const short = shortAuthor(author)
    const [last, before] = await this.#table.rows({ ...all(TABLE.final, short), reverse: true, limit: 2 })
    invariant(last === undefined || numberOf(last[0]) < size, 'final heads only grow')
    const hours = await Promise.all([last, before].map((row) => this.#hourOf(short, row)))
    const spare = last !== undefined && before !== undefined && hours[0] === hours[1]
    const puts: Row[] = [
      [numberKey(TABLE.final, short, size), note],
      [numberKey(TABLE.finalTime, short, size), encodeTime(timeS)],
    ]
    await this.#table.write(puts, spare ? [last[0]] : [])
  }

  /** As `LogStore.final`. */
  async final(author: MemberId, size?: number): Promise<{ size: number; note: Uint8Array } | undefined> {
    const short = shortAuthor(author)
    const [row] = await this.#table.rows(
      size === undefined
        ? { ...all(TABLE.final, short), reverse: true, limit: 1 }
        : { ...all(TABLE.final, short), gte: numberKey(TABLE.final, short, size), limit: 1 },
    )
    return row === undefined ? undefined : { size: numberOf(row[0]), note: row[1] }
  }

  /** As `LogStore.finalTimes`. */
  async finalTimes(author: MemberId, size: number): Promise<FinalTimes> {
    const short = shortAuthor(author)
    const at = numberKey(TABLE.finalTime, short, size)
    const table = all(TABLE.finalTime, short)
    const [before] = await this.#table.rows({ gte: table.gte, lt: at, reverse: true, limit: 1 })
    const [by] = await this.#table.rows({ ...table, gte: at, limit: 1 })
    return { beforeS: before && decodeTime(before[1]), byS: by && decodeTime(by[1]) }
  }

  async #hourOf(short: Uint8Array, final: Row | undefined): Promise<number | undefined> {
    if (final === undefined) return undefined
    const time = await this.#table.get(numberKey(TABLE.finalTime, short, numberOf(final[0])))
    return time === undefined ? undefined : Math.floor(decodeTime(time) / HOUR_S)
  }
}

function all(table: number, short: Uint8Array): { gte: Uint8Array; lte: Uint8Array } {
  return { gte: numberKey(table, short, 0), lte: numberKey(table, short, SIZE_MAX) }
}
