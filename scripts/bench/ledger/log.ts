/** The log that the ledger's benchmarks read: rounds of training of 400 bytes each, signed in commits as a daemon makes them. */
import { randomFillSync } from 'node:crypto'
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex, utf8 } from '../../../src/core/bytes.ts'
import { sha256 } from '../../../src/core/digest.ts'
import { signingKey } from '../../../src/core/ed25519.ts'
import { digest, studyId } from '../../../src/core/ids.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { type EntryDraft, emptyTip, extend, rootAt, storedHead, type Tip, tipOf } from '../../../src/ledger/chain.ts'
import { SALT_BYTES } from '../../../src/ledger/entry.ts'
import { signHead } from '../../../src/ledger/head.ts'
import type { LogStore } from '../../../src/ledger/store.ts'
import { decodeFrame } from '../../../src/ledger/wire.ts'
import { pinNothing, pinPath } from '../../../src/store/headPin.ts'
import { LevelStore } from '../../../src/store/levelStore.ts'
import { serveRange } from '../../../src/store/serveRange.ts'

export const FOUNDING = digest(toHex(sha256(utf8('founding of the benchmark'))))
export const SEEDS = {
  author: sha256(utf8('author of the benchmark')),
  reader: sha256(utf8('reader of the benchmark')),
}
export const KEYS = { author: signingKey(SEEDS.author), reader: signingKey(SEEDS.reader) }
const STUDY = studyId(toHex(sha256(utf8('study of the benchmark'))))
const BEGUN_MS = 1_790_000_000_000
const ROUND_MS = 600_000

/** A part of a log as it travels: frames of at most 256 KiB that each end at a signed head. */
export interface Frames {
  readonly frames: readonly Uint8Array[]
  /** The entries in them. */
  readonly raws: readonly Uint8Array[]
  readonly entryBytes: number
}

/** Opens the store in `folder`, which is made where it is not there; the author's own pin is checked, the reader has signed nothing. */
export async function openStore(folder: string, as: keyof typeof KEYS): Promise<LevelStore> {
  const path = join(folder, 'database')
  const made = await mkdir(folder, { recursive: true })
  if (made !== undefined) await pinNothing(pinPath(path))
  return LevelStore.open(path, { self: KEYS[as].member, pin: as === 'author' ? 'check' : 'trust' })
}

/** Grows the author's log in `folder` to `size` entries. */
export async function makeLong(folder: string, size: number): Promise<void> {
  const store = await openStore(folder, 'author')
  let tip = await storedTip(store)
  while (tip.size < size) {
    const count = Math.min(LIMITS.commitEntriesMax, size - tip.size)
    const drafts = Array.from({ length: count }, (_, i) => round(tip.size + i))
    const { raws, nodes, tip: next } = extend(tip, drafts, Array.from({ length: count }, bytes32))
    const { note } = signHead(KEYS.author, FOUNDING, next.size, rootAt(next))
    await store.append({ author: tip.author, from: tip.size, entries: raws, head: storedHead(next, note), nodes })
    tip = next
  }
  await store.close()
}

/** The same log in another folder, which is made. */
export function copyOf(folder: string, to: string): Promise<void> {
  return cp(folder, to, { recursive: true, filter: (path) => !path.endsWith('/LOCK') })
}

/** The frames of the log's first entries, at least `count`, as another member is served them. */
export async function framesOf(folder: string, count: number): Promise<Frames> {
  const store = await openStore(folder, 'author')
  const frames: Uint8Array[] = []
  const raws: Uint8Array[] = []
  for await (const frame of serveRange(store, { author: KEYS.author.member, fromSize: 0 })) {
    frames.push(frame)
    raws.push(...decodeFrame(frame).raws)
    if (raws.length >= count) break
  }
  await store.close()
  return { frames, raws, entryBytes: raws.reduce((sum, raw) => sum + raw.length, 0) }
}

async function storedTip(store: LogStore): Promise<Tip> {
  const author = KEYS.author.member
  const head = await store.head(author)
  if (head === undefined) return emptyTip(author)
  const [last] = await store.entries(author, head.size - 1, head.size)
  return tipOf(head, last as Uint8Array)
}

/** As `node/roundEntries.ts` makes it: digests that do not shrink, two counts, and a loss of eight bytes. */
function round(number: number): EntryDraft {
  const body = {
    round: number,
    base: bytes32(),
    update: bytes32(),
    head: bytes32(),
    examples: 300,
    loss: 0.7 + (number % 1000) / 9973,
    dataset: bytes32(),
  }
  return { kind: 'round.trained', study: STUDY, timeMs: BEGUN_MS + number * ROUND_MS, refs: [], body }
}

const chance = new Uint8Array(SALT_BYTES * 4096)
let spent = chance.length

function bytes32(): Uint8Array {
  if (spent === chance.length) {
    randomFillSync(chance)
    spent = 0
  }
  spent += 32
  return chance.slice(spent - 32, spent)
}
