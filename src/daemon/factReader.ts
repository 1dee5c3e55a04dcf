/**
 * What the machine reads of the stored logs. Facts are few and rounds are many, so a bookmark in each log keeps where the facts stand
 * and up to where every link was followed; a start reads the facts and what came after. A bookmark is a short cut and nothing else:
 * where it does not fit, the log is read from its beginning.
 */
import { setImmediate } from 'node:timers/promises'
import { VERSION } from '../config/version.ts'
import { equalBytes, fromHex, utf8 } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { sha256 } from '../core/digest.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { factsOf, READING } from '../governance/facts.ts'
import type { Fact } from '../governance/studies.ts'
import { emptyTip, type Tip } from '../ledger/chain.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import type { LogStore } from '../ledger/store.ts'
import { LEDGER_LOST } from '../store/levelErrors.ts'

const SLICE = 200 // entries decoded before the event loop gets its turn: about 5 ms
const SAVE_ENTRIES = 2_000 // what a start after SIGKILL reads again at most: about 50 ms
const PREFIX = 'facts/'
const BOOKMARK_VERSION = 1
const BOOKMARK_BYTES_MAX = 67_108_864 // 7 million facts, of which a log has a few a day
/** Another version of the software, or other kinds that are read: bookmarks of before find other facts. */
const READER = sha256(utf8(`${VERSION} ${READING}`))

/** Up to `size`, ending with `lastHash`, every link was followed, and the facts stand at `seqs`; `chain` folds their leaf hashes. */
interface Bookmark {
  readonly size: number
  readonly lastHash: Uint8Array
  readonly seqs: readonly number[]
  readonly chain: Uint8Array
}

type End = Pick<Tip, 'size' | 'lastHash'>

/** What a reader works with. `tip` says where a stored log ends. */
export interface FactReaderParts {
  readonly self: MemberId
  readonly store: Pick<LogStore, 'entries' | 'getState' | 'putState'>
  readonly tip: (author: MemberId) => Tip
}

/** One per daemon: `read` once for each log, then `note` whatever a log has grown by. */
export class FactReader {
  readonly #parts: FactReaderParts
  readonly #bookmarks = new Map<MemberId, { size: number; lastHash: Uint8Array; seqs: number[]; chain: Uint8Array }>()
  readonly #unsaved = new Set<MemberId>()
  #grownBy = 0

  constructor(parts: FactReaderParts) {
    this.#parts = parts
  }

  /**
   * All facts of one stored log. Links are followed from the bookmark on, for LevelDB can lose an entry in silence, and that might be
   * the one that restricts; before it, each fact is checked and the scrub looks at the rest. Error: `database-corrupt`.
   */
  async read(author: MemberId): Promise<Fact[]> {
    const tip = this.#parts.tip(author)
    const bookmark = await this.#load(author)
    const marked = bookmark === null ? null : await this.#marked(author, bookmark)
    const from = bookmark === null || marked === null ? beginning(author) : bookmark
    this.#bookmarks.set(author, { ...from, seqs: [...from.seqs] })
    const facts = marked ?? []
    for await (const entries of this.#follow(author, from, tip)) {
      facts.push(...this.note(author, entries))
    }
    return facts
  }

  /** Moves the bookmark over entries that are checked and durable; gives what the machine reads of them. */
  note(author: MemberId, entries: readonly Entry[]): Fact[] {
    const facts = factsOf(entries, this.#parts.self)
    const bookmark = this.#bookmarks.get(author)
    const last = entries.at(-1)
    if (bookmark === undefined || last === undefined) return facts // the log was not read, or is damaged
    invariant(entries[0]?.seq === bookmark.size, 'a log grows where it ended')
    for (const { seq, hash } of facts) {
      bookmark.seqs.push(seq)
      bookmark.chain = sha256(bookmark.chain, fromHex(hash))
    }
    bookmark.size = last.seq + 1
    bookmark.lastHash = last.leaf
    this.#unsaved.add(author)
    this.#grownBy += entries.length
    return facts
  }

  /** Whether so much has come since the last `save` that a start would notice. */
  get saveIsDue(): boolean {
    return this.#grownBy >= SAVE_ENTRIES
  }

  /** Stores the bookmarks that have moved. */
  async save(): Promise<void> {
    const state = new Map<string, Uint8Array>()
    for (const author of this.#unsaved) {
      const bookmark = this.#bookmarks.get(author)
      if (bookmark !== undefined) state.set(`${PREFIX}${author}`, encodeBookmark(bookmark))
    }
    this.#unsaved.clear()
    this.#grownBy = 0
    if (state.size > 0) await this.#parts.store.putState(state)
  }

  /** A log is damaged and could not be put right: the bookmark is dropped, so that no start goes past it. Errors: those of the store. */
  async distrust(author: MemberId): Promise<void> {
    this.#bookmarks.delete(author)
    await this.#parts.store.putState(new Map([[`${PREFIX}${author}`, null]]))
  }

  async *#follow(author: MemberId, from: End, to: End): AsyncGenerator<readonly Entry[]> {
    let last = from.lastHash
    for (let at = from.size; at < to.size; at += SLICE) {
      const end = Math.min(to.size, at + SLICE)
      const raws = await this.#parts.store.entries(author, at, end)
      const entries: Entry[] = []
      for (let seq = at; seq < end; seq++) {
        const entry = decodeOrNull(raws[seq - at])
        if (entry?.seq !== seq || entry.author !== author || !equalBytes(entry.prev, last)) throw damaged(author, seq)
        last = entry.leaf
        entries.push(entry)
      }
      yield entries
      await setImmediate()
    }
    if (!equalBytes(last, to.lastHash)) throw damaged(author, to.size)
  }

  async #load(author: MemberId): Promise<Bookmark | null> {
    const bytes = await this.#parts.store.getState(`${PREFIX}${author}`)
    return bytes === undefined ? null : decodeBookmark(bytes)
  }

  /** The facts that a bookmark names, or null where it does not fit the log. */
  async #marked(author: MemberId, bookmark: Bookmark): Promise<Fact[] | null> {
    const { seqs } = bookmark
    const last = await this.#entry(author, bookmark.size - 1)
    if (last === null || !equalBytes(last.leaf, bookmark.lastHash)) return null
    const facts: Fact[] = []
    let chain = beginning(author).chain
    for (const run of runsOf(seqs)) {
      const raws = await this.#parts.store.entries(author, run.from, run.to)
      const entries = raws.map(decodeOrNull).filter((entry) => entry !== null)
      for (const { leaf } of entries) chain = sha256(chain, leaf)
      facts.push(...factsOf(entries, this.#parts.self))
    }
    return facts.length === seqs.length && equalBytes(chain, bookmark.chain) ? facts : null
  }

  async #entry(author: MemberId, seq: number): Promise<Entry | null> {
    const [raw] = await this.#parts.store.entries(author, seq, seq + 1)
    return decodeOrNull(raw)
  }
}

function beginning(author: MemberId): Bookmark {
  const { size, lastHash } = emptyTip(author)
  return { size, lastHash, seqs: [], chain: new Uint8Array(32) }
}

/** Ascending numbers as ranges, each of at most `SLICE`. */
function runsOf(seqs: readonly number[]): { from: number; to: number }[] {
  const runs: { from: number; to: number }[] = []
  for (const seq of seqs) {
    const run = runs.at(-1)
    if (run !== undefined && run.to === seq && seq - run.from < SLICE) run.to = seq + 1
    else runs.push({ from: seq, to: seq + 1 })
  }
  return runs
}

/** CBOR of [1, reader, size, last hash, chain, seqs]. */
function encodeBookmark({ size, lastHash, seqs, chain }: Bookmark): Uint8Array {
  return encodeCbor([BOOKMARK_VERSION, READER, size, lastHash, chain, [...seqs]])
}

/** Null where another reader wrote it. */
function decodeBookmark(bytes: Uint8Array): Bookmark | null {
  const value = decodeCbor(bytes, BOOKMARK_BYTES_MAX) // the store has checked that these are the bytes that were written
  const [version, reader, size, lastHash, chain, seqs] = Array.isArray(value) ? (value as Cbor[]) : []
  const fits =
    version === BOOKMARK_VERSION &&
    reader instanceof Uint8Array &&
    equalBytes(reader, READER) &&
    typeof size === 'number' &&
    lastHash instanceof Uint8Array &&
    chain instanceof Uint8Array &&
    Array.isArray(seqs)
  return fits ? { size, lastHash, chain, seqs: seqs as number[] } : null
}

function damaged(author: MemberId, seq: number): ConsiliumError {
  return new ConsiliumError({
    code: 'database-corrupt',
    message: `entry ${seq} of the log of ${author.slice(0, 16)}… is missing or damaged in database/: ${LEDGER_LOST}`,
  })
}

function decodeOrNull(raw: Uint8Array | undefined): Entry | null {
  try {
    return raw === undefined ? null : decodeEntry(raw)
  } catch {
    return null
  }
}
