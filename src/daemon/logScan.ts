/** Reads a stored log from its beginning, slice by slice, and finds the ranges of it that are missing or damaged. */
import { setImmediate } from 'node:timers/promises'
import { equalBytes } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import { advance, emptyTip, type Tip } from '../ledger/chain.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import type { TreeNode } from '../ledger/merkle.ts'
import { type LogStore, REPAIR_ENTRIES_MAX, type StoredHead } from '../ledger/store.ts'

const SLICE = 100 // entries decoded before the event loop gets its turn, twice each: about 2 ms

/** Entries `tip.size` ≤ seq < `to` are missing or damaged; the last of them must have the leaf `closing`. */
export interface Damage {
  /** Over all good entries before them. */
  readonly tip: Tip
  readonly to: number
  readonly closing: Uint8Array
}

/** Good entries that were read, from `raws` on; and what comes after them, where that is damaged. */
export interface ScannedSlice {
  readonly from: number
  readonly raws: readonly Uint8Array[]
  /** Nodes of the tree that they complete, as they should be. */
  readonly nodes: readonly TreeNode[]
  readonly tip: Tip
  readonly damage: Damage | null
}

/**
 * One log up to `end`. An entry is good when the one after it, or the head, names its hash; so the last one that was read waits for the
 * next slice. Damage is yielded again and again until `store` gives what was missing. Errors: those of the store.
 */
export async function* scanLog(store: Pick<LogStore, 'entries'>, end: StoredHead): AsyncGenerator<ScannedSlice> {
  let tip = emptyTip(end.author)
  while (tip.size < end.size) {
    const upTo = Math.min(end.size, tip.size + SLICE + 1)
    const raws = await store.entries(end.author, tip.size, upTo)
    const { count, broken } = goodOf(tip, raws, upTo, end)
    const from = tip.size
    const good = raws.slice(0, count)
    const result = advance(tip, good)
    invariant(result.ok, 'good entries extend their log')
    tip = result.tip
    yield {
      ...{ from, raws: good, nodes: result.nodes, tip },
      damage: broken ? { tip, ...(await endOfDamage(store, tip.size, end)) } : null,
    }
    await setImmediate()
  }
}

/** How many of `raws` are good, and whether what comes after them is not. */
function goodOf(
  tip: Tip,
  raws: readonly Uint8Array[],
  upTo: number,
  end: StoredHead,
): { readonly count: number; readonly broken: boolean } {
  const result = advance(tip, raws)
  const linked = result.ok ? raws.length : result.at - tip.size
  const whole = result.ok && tip.size + raws.length === upTo
  if (whole && upTo === end.size && equalBytes(result.tip.lastHash, end.lastHash))
    return { count: linked, broken: false }
  return { count: Math.max(0, linked - 1), broken: !whole || upTo === end.size }
}

/** Looks past the damage that begins at `from`: for the first entry whose hash the one after it, or the head, names. */
async function endOfDamage(
  store: Pick<LogStore, 'entries'>,
  from: number,
  end: StoredHead,
): Promise<{ readonly to: number; readonly closing: Uint8Array }> {
  for (let seq = from + 1; seq < end.size && seq <= from + REPAIR_ENTRIES_MAX; seq++) {
    const raws = await store.entries(end.author, seq, seq + 2)
    const [entry, next] = [entryAt(raws[0], end, seq), entryAt(raws[1], end, seq + 1)]
    const named = seq + 1 === end.size ? end.lastHash : next?.prev
    if (entry !== null && named !== undefined && equalBytes(entry.leaf, named)) return { to: seq, closing: entry.prev }
  }
  return { to: end.size, closing: end.lastHash }
}

function entryAt(raw: Uint8Array | undefined, { author }: StoredHead, seq: number): Entry | null {
  try {
    const entry = raw === undefined ? null : decodeEntry(raw)
    return entry?.author === author && entry.seq === seq ? entry : null
  } catch {
    return null
  }
}
