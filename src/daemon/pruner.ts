/** Drops the bodies of old entries log by log, and remembers with each write how many, so that a crash leaves none uncounted. */
import { PRUNABLE_CLASSES, type PrunableClass, type Retention } from '../config/retention.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import type { MemberId } from '../core/ids.ts'
import { prunedAs } from '../governance/retention.ts'
import { decodeEntry } from '../ledger/entry.ts'
import type { LogStore } from '../ledger/store.ts'
import { forgottenTraces } from './stretches.ts'

const SLICE = 100 // entries looked at before the event loop gets its turn: about 2 ms, and later 4 more where all of them go
const PREFIX = 'pruning/'
const PROGRESS_VERSION = 1
const PROGRESS_BYTES_MAX = 1_024 // a word and two numbers for each class

/** Bodies of one class in one log that went, or would: of entries older than `before`, in milliseconds. */
export interface Pruned {
  readonly class: PrunableClass
  readonly before: number
  readonly entries: number
}

/** Before which time bodies of each class go. */
export type PruningTimes = ReadonlyMap<PrunableClass, number>

/** What a pruner works with. */
export interface PrunerParts {
  readonly store: Pick<LogStore, 'entries' | 'dropBodies' | 'listState'>
  readonly retention: Retention
}

/** One per daemon; one call at a time. */
export class Pruner {
  readonly #parts: PrunerParts

  constructor(parts: PrunerParts) {
    this.#parts = parts
  }

  /**
   * Looks at the entries of a log of `size` from its beginning on, as far as some of a slice are old enough, and drops what has to go
   * unless `dryRun`. Waits for `rest` between slices. Errors: those of the store.
   */
  async prune(
    member: MemberId,
    size: number,
    times: PruningTimes,
    { dryRun, rest }: { readonly dryRun: boolean; readonly rest: () => Promise<void> },
  ): Promise<Pruned[]> {
    const { store, retention } = this.#parts
    const newest = Math.max(...times.values())
    const counts = new Map<PrunableClass, number>()
    for (let from = 0; from < size; from += SLICE) {
      const raws = await store.entries(member, from, Math.min(size, from + SLICE))
      const entries = raws.map(decodeEntry)
      if (entries.every(({ timeMs }) => timeMs >= newest)) break // an author's clock may leap; it does not stay away for 100 entries
      const seqs: number[] = []
      for (const entry of entries) {
        const name = prunedAs(entry, retention, times)
        if (name === null) continue
        counts.set(name, (counts.get(name) ?? 0) + 1)
        seqs.push(entry.seq)
      }
      if (!dryRun && seqs.length > 0)
        await store.dropBodies(
          member,
          seqs,
          new Map([
            ...forgottenTraces(member, seqs),
            [progressKey(member), encodeProgress(prunedOf(counts, times))] as const,
          ]),
        )
      await rest()
    }
    return prunedOf(counts, times)
  }

  /** What went and was not recorded, because the node was stopped or killed in between. */
  async unrecorded(): Promise<[MemberId, Pruned[]][]> {
    const state = await this.#parts.store.listState(PREFIX)
    return state.map(([key, bytes]) => [key.slice(PREFIX.length) as MemberId, decodeProgress(bytes)])
  }
}

/** The state to write with the entries that record what went from a log. */
export function recorded(member: MemberId): ReadonlyMap<string, null> {
  return new Map([[progressKey(member), null]])
}

const progressKey = (member: MemberId): string => `${PREFIX}${member}`

function prunedOf(counts: ReadonlyMap<PrunableClass, number>, times: PruningTimes): Pruned[] {
  return PRUNABLE_CLASSES.flatMap((name) => {
    const entries = counts.get(name) ?? 0
    return entries === 0 ? [] : [{ class: name, before: times.get(name) ?? 0, entries }]
  })
}

/** CBOR of [1, [[class, before, entries], …]]. */
function encodeProgress(pruned: readonly Pruned[]): Uint8Array {
  return encodeCbor([PROGRESS_VERSION, pruned.map((one): Cbor => [one.class, one.before, one.entries])])
}

/** The store has checked that these are the bytes that were written. */
function decodeProgress(bytes: Uint8Array): Pruned[] {
  const [version, rows] = decodeCbor(bytes, PROGRESS_BYTES_MAX) as [number, [PrunableClass, number, number][]]
  return version !== PROGRESS_VERSION ? [] : rows.map(([name, before, entries]) => ({ class: name, before, entries }))
}
