/** What a node keeps of its scrubs: the last one for the operator, and when its own log was told of one. */
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import type { MemberId } from '../core/ids.ts'

const DAY_MS = 24 * 3_600_000
const QUIET_DAYS = 7 // that all was well is worth an entry a week; a repair one at the end of its day
const VERSION = 1
const BYTES_MAX = 4_096 // eight repairs with their authors, and numbers
const REPAIRS_TOLD_MAX = 8 // so many damaged places have one cause, and the log names the others

export const SCRUB_STATE = 'scrub/last'

/** One place of one log that was put right. */
export interface RepairDone {
  readonly author: MemberId
  readonly from: number
  readonly entries: number
  /** Of the tree. */
  readonly nodes: number
}

/** When all logs were last read through to their ends, how long that took, how many entries there were, and what was put back. */
export interface ScrubResult {
  readonly atMs: number
  readonly tookMs: number
  readonly entries: number
  /** Entries and nodes. */
  readonly repaired: number
  /** The first few. */
  readonly repairs: readonly RepairDone[]
}

/** The last result, when one was recorded in the own log, and how much was put back since; 0 where none was. */
export interface ScrubRecord {
  readonly last: ScrubResult
  readonly recordedAtMs: number
  readonly unrecorded: number
}

/** What is kept after a scrub that found `result`, until it is recorded. */
export function afterScrub(before: ScrubRecord | null, result: ScrubResult): ScrubRecord {
  const repairs = result.repairs.slice(0, REPAIRS_TOLD_MAX)
  const unrecorded = (before?.unrecorded ?? 0) + result.repaired
  return { last: { ...result, repairs }, recordedAtMs: before?.recordedAtMs ?? 0, unrecorded }
}

/** Whether the own log is to be told: at most once a day, and each week where nothing had to be put back. A clock may be set back. */
export function isDue({ last, recordedAtMs, unrecorded }: ScrubRecord): boolean {
  const passedMs = Math.abs(last.atMs - recordedAtMs)
  return passedMs >= (unrecorded > 0 ? DAY_MS : QUIET_DAYS * DAY_MS)
}

/** CBOR of [1, at, took, entries, repaired, [[author, from, entries, nodes], …], recorded at, unrecorded]. */
export function encodeScrubRecord({ last, recordedAtMs, unrecorded }: ScrubRecord): Uint8Array {
  const { atMs, tookMs, entries, repaired } = last
  const repairs = last.repairs.map((one): Cbor => [one.author, one.from, one.entries, one.nodes])
  return encodeCbor([VERSION, atMs, tookMs, entries, repaired, repairs, recordedAtMs, unrecorded])
}

/** Null where another version wrote it; the store has checked that these are the bytes that were written. */
export function decodeScrubRecord(bytes: Uint8Array): ScrubRecord | null {
  const fields = decodeCbor(bytes, BYTES_MAX) as [number, ...Cbor[]]
  if (fields[0] !== VERSION) return null
  type Row = [MemberId, number, number, number]
  const [, atMs, tookMs, entries, repaired, rows, recordedAtMs, unrecorded] = fields as [
    ...[number, number, number, number, number, Row[], number, number],
  ]
  const repairs = rows.map(([author, from, put, nodes]) => ({ author, from, entries: put, nodes }))
  return { last: { atMs, tookMs, entries, repaired, repairs }, recordedAtMs, unrecorded }
}
