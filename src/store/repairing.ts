/** What both stores share of putting back what a disk has lost: the check that it fits, and the nodes of the tree that it completes. */
import { setImmediate } from 'node:timers/promises'
import { equalBytes } from '../core/bytes.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import { Frontier, TILE_LEAVES, type TreeNode } from '../ledger/merkle.ts'
import { type LogStore, REPAIR_ENTRIES_MAX, type Repaired } from '../ledger/store.ts'
import type { WriteQueue } from './writes.ts'

const SLICE = 200 // entries decoded before the event loop gets its turn: about 5 ms

type Readable = Pick<LogStore, 'head' | 'entries' | 'nodes'>

/** What a repair puts: only what is not there as it should be. */
export interface RepairPlan {
  readonly entries: readonly { readonly seq: number; readonly raw: Uint8Array }[]
  readonly nodes: readonly TreeNode[]
}

/** Entries to put back, as `LogStore.repair` is given them. */
export interface Given {
  readonly author: MemberId
  readonly from: number
  readonly raws: readonly Uint8Array[]
}

/** As `LogStore.repair`: in turn with the other writes, `put` writes what lacks. Error: `repair-unlinked`. */
export async function repairIn(
  writes: WriteQueue,
  store: Readable,
  given: Given,
  put: (plan: RepairPlan) => Promise<void> | void,
): Promise<Repaired> {
  let repaired: Repaired = { entries: 0, nodes: 0 }
  await writes.run('repair', async () => {
    const plan = await planOf(store, given)
    repaired = { entries: plan.entries.length, nodes: plan.nodes.length }
    return () => put(plan)
  })
  return repaired
}

async function planOf(store: Readable, { author, from, raws }: Given): Promise<RepairPlan> {
  const head = await store.head(author)
  const to = from + raws.length
  invariant(raws.length > 0 && raws.length <= REPAIR_ENTRIES_MAX, `1 to ${REPAIR_ENTRIES_MAX} entries are put back`)
  invariant(head !== undefined && from >= 0 && to <= head.size, 'what is put back lies within its log')
  const before = from === 0 ? new Uint8Array(32) : (await entryAt(store, author, from - 1))?.leaf
  const after = to === head.size ? head.lastHash : (await entryAt(store, author, to))?.prev
  const leaves = before === undefined ? [] : await linked(author, from, raws, before)
  const last = leaves[raws.length - 1]
  if (last === undefined || after === undefined || !equalBytes(last, after)) throw unlinked(author, from, to)
  const stored = await slots(store, author, from, to)
  const entries = raws.flatMap((raw, i) =>
    hasLeaf(stored[i], leaves[i] as Uint8Array) ? [] : [{ seq: from + i, raw }],
  )
  return { entries, nodes: await wrongNodes(store, author, from, leaves) }
}

/** Leaves of the entries as far as each is of this log, in its place, and names the one before it. */
async function linked(
  author: MemberId,
  from: number,
  raws: readonly Uint8Array[],
  before: Uint8Array,
): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = []
  for (const [i, raw] of raws.entries()) {
    const entry = entryOrNull(raw, author, from + i)
    if (entry === null || !equalBytes(entry.prev, leaves[i - 1] ?? before)) break
    leaves.push(entry.leaf)
    if (i % SLICE === SLICE - 1) await setImmediate()
  }
  return leaves
}

/** What is stored in the slots `from` ≤ seq < `to`; null where it is missing or damaged. */
async function slots(store: Readable, author: MemberId, from: number, to: number): Promise<(Entry | null)[]> {
  const found: (Entry | null)[] = []
  for (let at = from; at < to; at = from + found.length) {
    const raws = await store.entries(author, at, Math.min(to, at + SLICE))
    if (raws.length === 0) found.push(null)
    else found.push(...raws.map((raw, i) => entryOrNull(raw, author, at + i)))
  }
  return found
}

/** The nodes whose last leaf is among `leaves` and that are missing or not what the leaves give. Below them all must be well. */
async function wrongNodes(
  store: Readable,
  author: MemberId,
  from: number,
  leaves: readonly Uint8Array[],
): Promise<TreeNode[]> {
  const wrong: TreeNode[] = []
  const wrongAt = (level: number, index: number) => wrong.find((one) => one.level === level && one.index === index)
  const first = Math.floor(from / TILE_LEAVES)
  for (let tile = first; (tile + 1) * TILE_LEAVES <= from + leaves.length; tile++) {
    const start = tile * TILE_LEAVES
    const stored = start < from ? await slots(store, author, start, from) : []
    let hashes = [...stored.flatMap((entry) => entry?.leaf ?? []), ...leaves.slice(Math.max(0, start - from))]
    let index = tile
    for (let level = 1; ; level++) {
      if (hashes.length < TILE_LEAVES) break // it is found when those before it have been put back
      const node = { level, index, hash: rootOf(hashes.slice(0, TILE_LEAVES)) }
      const [kept] = await store.nodes(author, level, index, index + 1)
      if (kept === undefined || !equalBytes(kept, node.hash)) wrong.push(node)
      if ((index + 1) % TILE_LEAVES !== 0) break
      const low = index + 1 - TILE_LEAVES
      hashes = await Promise.all(
        Array.from({ length: TILE_LEAVES }, async (_, i) => {
          const [hash] = await store.nodes(author, level, low + i, low + i + 1)
          return wrongAt(level, low + i)?.hash ?? hash
        }),
      ).then((all) => all.filter((hash) => hash !== undefined))
      index = (index + 1) / TILE_LEAVES - 1
    }
  }
  return wrong
}

function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  const frontier = new Frontier()
  for (const hash of hashes) frontier.append(hash)
  return frontier.root()
}

async function entryAt(store: Readable, author: MemberId, seq: number): Promise<Entry | null> {
  const [raw] = await store.entries(author, seq, seq + 1)
  return raw === undefined ? null : entryOrNull(raw, author, seq)
}

function entryOrNull(raw: Uint8Array, author: MemberId, seq: number): Entry | null {
  try {
    const entry = decodeEntry(raw)
    return entry.author === author && entry.seq === seq ? entry : null
  } catch {
    return null
  }
}

function hasLeaf(entry: Entry | null | undefined, leaf: Uint8Array): boolean {
  return entry !== null && entry !== undefined && equalBytes(entry.leaf, leaf)
}

function unlinked(author: MemberId, from: number, to: number): ConsiliumError {
  return new ConsiliumError({
    code: 'repair-unlinked',
    message: `entries ${from} to ${to - 1} given for the log of ${author.slice(0, 16)}… do not link what is stored around them`,
  })
}
