/** LogStore on disk, in LevelDB. LevelDB hides truncation and flipped bits, so every log is checked when it is opened. */
import { mkdir } from 'node:fs/promises'
import { Level } from 'level'
import { equalBytes, fromUtf8, toHex } from '../core/bytes.ts'
import { invariant, messageOf } from '../core/errors.ts'
import { compareIds, type MemberId } from '../core/ids.ts'
import { rootAt } from '../ledger/chain.ts'
import { Frontier } from '../ledger/merkle.ts'
import type { Final, FinalTimes, LogBatch, LogStore, Repaired, StoredHead, Witnessed } from '../ledger/store.ts'
import { type Batch, putAll, putNodes, putRepair } from './batches.ts'
import { checkLog, checkPin, readJournals, requireCurrent, requireJournals } from './check.ts'
import { HeadPin, type Pin, pinMissing, pinPath } from './headPin.ts'
import { corrupt, storeError } from './levelErrors.ts'
import { Readings } from './readings.ts'
import {
  AUTHOR_BYTES,
  authorKey,
  decodeHeadRecord,
  decodeState,
  encodeHeadRecord,
  numberKey,
  numberOf,
  refuseCollision,
  shortAuthor,
  stateKey,
  TABLE,
  tableRange,
} from './records.ts'
import { repairIn } from './repairing.ts'
import { checkSeqs, withoutBody } from './withoutBody.ts'
import { WitnessRecords } from './witnessRecords.ts'
import { checkBatch, type WriteHooks, WriteQueue } from './writes.ts'

/** How to open a level store; `hooks` are faults for tests. */
export interface LevelStoreOptions {
  /** Whose head is pinned in `heads.pin` beside the database. */
  readonly self: MemberId
  /**
   * `check` refuses to open when the pin is missing, damaged or ahead of the ledger. `trust` pins what the ledger holds: for an
   * operator who has made sure that no other member holds more of this node's log.
   */
  readonly pin?: 'check' | 'trust'
  /** Hears of each state that is not as it was written; it is as if it were not there. Logs and pin do not depend on it. */
  readonly onStateDamaged?: (name: string) => void
  readonly hooks?: WriteHooks
}

/** How every database is opened and made. */
export const LEVEL_OPTIONS = {
  keyEncoding: 'view',
  valueEncoding: 'view',
  writeBufferSize: 64 * 1024 * 1024, // 2.5 times the rate of the 4 MiB default; LEDGER §3.1
  compression: false, // hashes and float32 do not shrink; LEDGER §3.1
} as const
const UNBOUNDED = Number.POSITIVE_INFINITY
const READ_AHEAD_BYTES = 262_144 // one replication frame per crossing into the database's threads
const READ_STEP = 256 // entries per crossing
const DROPPING = Uint8Array.of(TABLE.dropping) // is there while bodies are dropped

/** Outside of browsers a Level is a ClassicLevel; its types leave out what only that one has. */
type Database = Level<Uint8Array, Uint8Array> & { compactRange(first: Uint8Array, last: Uint8Array): Promise<void> }

/** Made by `open`, which locks the folder until `close`. Heads are held in memory, entries read from disk. */
export class LevelStore implements LogStore {
  readonly #path: string
  readonly #db: Database
  readonly #self: MemberId
  readonly #writes: WriteQueue
  readonly #onStateDamaged: (name: string) => void
  readonly #witness: WitnessRecords
  readonly #readings = new Readings()
  readonly #heads = new Map<MemberId, StoredHead>()
  readonly #frozen = new Set<string>() // short authors, hex
  #pin: HeadPin | null = null
  #closing: Promise<void> | null = null

  private constructor(path: string, db: Database, options: LevelStoreOptions) {
    this.#path = path
    this.#db = db
    this.#self = options.self
    this.#writes = new WriteQueue(options.hooks)
    this.#onStateDamaged = options.onStateDamaged ?? (() => undefined)
    this.#witness = new WitnessRecords({
      get: (key) => db.get(key),
      rows: (range) => db.iterator(range).all(),
      write: (puts, deletes) =>
        this.#write((batch) => {
          for (const [key, value] of puts) batch.put(key, value)
          for (const key of deletes) batch.del(key)
        }),
    })
  }

  /**
   * Opens or makes the database in folder `path` and checks each log: head record, signature, frontier, last entry, density of the
   * newest entries, pin. Errors: `data-folder-locked`, `data-folder-not-writable`, `disk-full`, `database-corrupt`,
   * `ledger-behind-pin`, `ledger-pin-missing`, `ledger-pin-damaged`.
   */
  static async open(path: string, options: LevelStoreOptions): Promise<LevelStore> {
    let store: LevelStore | null = null
    try {
      await mkdir(path, { recursive: true, mode: 0o700 })
      await requireCurrent(path)
      await requireJournals(path, false) // as the start before this one left them
      await readJournals(path)
      const db = new Level(path, LEVEL_OPTIONS) as unknown as Database
      await db.open()
      store = new LevelStore(path, db, options)
      await requireJournals(path, true)
      await store.#load()
      await store.#finishDropping()
      await store.#openPin(options.pin ?? 'check')
      return store
    } catch (error) {
      await store?.close()
      throw storeError(error, path)
    }
  }

  append(batch: LogBatch): Promise<void> {
    return this.#writes.run('append', () => {
      const short = shortAuthor(batch.author)
      refuseCollision(batch.author, this.#heads)
      checkBatch(batch, this.#heads.get(batch.author), this.#frozen.has(toHex(short)))
      return () => this.#append(batch, short)
    })
  }

  async head(author: MemberId): Promise<StoredHead | undefined> {
    return this.#heads.get(author)
  }

  async heads(): Promise<StoredHead[]> {
    return [...this.#heads.values()].sort((a, b) => compareIds(a.author, b.author))
  }

  async entries(author: MemberId, from: number, to: number, bytesMax = UNBOUNDED): Promise<Uint8Array[]> {
    const short = shortAuthor(author)
    const upTo = Math.min(to, this.#heads.get(author)?.size ?? 0)
    const out: Uint8Array[] = []
    if (from >= upTo) return out
    const range = { gte: numberKey(TABLE.entry, short, from), lt: numberKey(TABLE.entry, short, upTo) }
    return this.#read(async () => {
      const iterator = this.#db.iterator({ ...range, highWaterMarkBytes: READ_AHEAD_BYTES })
      try {
        let bytes = 0
        for (let rows = await iterator.nextv(READ_STEP); rows.length > 0; rows = await iterator.nextv(READ_STEP)) {
          for (const [key, raw] of rows) {
            bytes += raw.length
            if (numberOf(key) !== from + out.length || (bytes > bytesMax && out.length > 0)) return out
            out.push(raw)
          }
        }
        return out
      } finally {
        await iterator.close()
      }
    })
  }

  async commit(author: MemberId, above: number, upTo: number): Promise<{ size: number; note: Uint8Array } | undefined> {
    if (upTo <= above) return undefined
    const short = shortAuthor(author)
    const range = {
      gt: numberKey(TABLE.commit, short, above),
      lte: numberKey(TABLE.commit, short, Math.min(upTo, Number.MAX_SAFE_INTEGER)),
    }
    const [row] = await this.#read(() => this.#db.iterator({ ...range, reverse: true, limit: 1 }).all())
    return row === undefined ? undefined : { size: numberOf(row[0]), note: row[1] }
  }

  async getState(key: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#read(() => this.#db.get(stateKey(key)))
    return bytes === undefined ? undefined : this.#openState(key, bytes)
  }

  async listState(prefix: string): Promise<[string, Uint8Array][]> {
    const gte = stateKey(prefix)
    const lt = new Uint8Array(gte.length + 1).fill(0xff) // no UTF-8 text holds the byte 0xff
    lt.set(gte)
    const rows = await this.#read(() => this.#db.iterator({ gte, lt }).all())
    return rows.flatMap(([key, bytes]): [string, Uint8Array][] => {
      const name = fromUtf8(key.subarray(1))
      const value = this.#openState(name, bytes)
      return value === undefined ? [] : [[name, value]]
    })
  }

  #openState(name: string, bytes: Uint8Array): Uint8Array | undefined {
    const value = decodeState(name, bytes)
    if (value !== null) return value
    this.#onStateDamaged(name)
    return undefined
  }

  putState(state: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    return this.#writes.run('putState', () => () => this.#write((batch) => putAll(batch, state)))
  }

  putForkEvidence(author: MemberId, evidence: Uint8Array): Promise<void> {
    return this.#writes.run('putForkEvidence', () => async () => {
      const short = shortAuthor(author)
      if (this.#frozen.has(toHex(short))) return
      await this.#write((batch) => batch.put(authorKey(TABLE.fork, short), evidence))
      this.#frozen.add(toHex(short))
    })
  }

  forkEvidence(author: MemberId): Promise<Uint8Array | undefined> {
    return this.#read(() => this.#db.get(authorKey(TABLE.fork, shortAuthor(author))))
  }

  nodes(author: MemberId, level: number, from: number, to: number): Promise<Uint8Array[]> {
    return this.#read(() => this.#witness.nodes(author, level, from, to))
  }

  witnessed(author: MemberId): Promise<Witnessed | undefined> {
    return this.#read(() => this.#witness.witnessed(author))
  }

  putWitnessed(author: MemberId, witnessed: Witnessed): Promise<void> {
    return this.#writes.run('putWitnessed', () => () => this.#witness.putWitnessed(author, witnessed))
  }

  putFinal(author: MemberId, final: Final): Promise<void> {
    return this.#writes.run('putFinal', () => () => this.#witness.putFinal(author, final))
  }

  final(author: MemberId, size?: number): Promise<Omit<Final, 'timeS'> | undefined> {
    return this.#read(() => this.#witness.final(author, size))
  }

  finalTimes(author: MemberId, size: number): Promise<FinalTimes> {
    return this.#read(() => this.#witness.finalTimes(author, size))
  }

  dropBodies(author: MemberId, seqs: readonly number[], state?: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    const drop = async (): Promise<() => Promise<void>> => {
      checkSeqs(seqs, this.#heads.get(author)?.size ?? 0)
      const keys = seqs.map((seq) => numberKey(TABLE.entry, shortAuthor(author), seq))
      const raws = await this.#read(() => this.#db.getMany(keys))
      const dropped = seqs.map((seq, i) => withoutBody(author, seq, raws[i]))
      return async () => {
        await this.#compact(keys) // or old and new would come into one table, which no later compaction has to touch
        await this.#write((batch) => {
          for (const [i, key] of keys.entries()) batch.put(key, dropped[i] as Uint8Array)
          batch.put(DROPPING, new Uint8Array(0))
          if (state !== undefined) putAll(batch, state)
        })
        await this.#readings.alone(() => this.#compact(keys))
        await this.#guarded(() => this.#db.del(DROPPING))
      }
    }
    return this.#readings.uncopied(() => this.#writes.run('dropBodies', drop))
  }

  /** When it resolves, no file of the database holds state that was overwritten or deleted before. */
  compactState(): Promise<void> {
    const { gte, lt } = tableRange(TABLE.state)
    return this.#writes.run('putState', () => () => this.#readings.alone(() => this.#compact([gte, lt])))
  }

  /** Everything that is stored, as it was at one moment. */
  rows(): AsyncIterable<[Uint8Array, Uint8Array]> {
    return this.#readings.copy(() => this.#db.iterator({ highWaterMarkBytes: READ_AHEAD_BYTES }))
  }

  repair(author: MemberId, from: number, raws: readonly Uint8Array[]): Promise<Repaired> {
    return repairIn(this.#writes, this, { author, from, raws }, (plan) =>
      this.#write((batch) => putRepair(batch, shortAuthor(author), plan)),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#writes.close()
    await this.#pin?.close()
    await this.#db.close()
  }

  /** Entries, note, head and state in one synced batch; then the pin; only then does the caller learn of it and publish. */
  async #append({ author, from, entries, head, nodes, state }: LogBatch, short: Uint8Array): Promise<void> {
    await this.#write((batch) => {
      for (const [i, raw] of entries.entries()) batch.put(numberKey(TABLE.entry, short, from + i), raw)
      batch.put(numberKey(TABLE.commit, short, head.size), head.note)
      putNodes(batch, short, nodes)
      batch.put(authorKey(TABLE.head, short), encodeHeadRecord(head))
      if (state !== undefined) putAll(batch, state)
    })
    const before = this.#heads.get(author)
    this.#heads.set(author, head)
    if (author !== this.#self) return
    if ((before?.size ?? 0) < this.signed.size) await checkPin(this.signed, head, this) // fetched back: it must be what was signed
    await this.#advancePin(head)
  }

  /** What this node has signed last, as its pin says: more than the ledger holds where that is an older copy. */
  get signed(): Pin {
    invariant(this.#pin !== null, 'an open store has a pin')
    return this.#pin.newest
  }

  /** The pin goes back to what is stored: for entries that nobody will ever hold. Appends that follow wait for it. */
  forgetSigned(): Promise<void> {
    return this.#writes.run('putState', () => async () => {
      await this.#pin?.close()
      this.#pin = await HeadPin.create(pinPath(this.#path), this.#storedPin())
    })
  }

  #storedPin(): Pin {
    const own = this.#heads.get(this.#self)
    return { size: own?.size ?? 0, root: own === undefined ? new Uint8Array(32) : rootAt({ ...own, lamport: 0 }) }
  }

  /** Rewrites the tables between the first and the last key: what was overwritten stays in them otherwise. */
  #compact(keys: readonly Uint8Array[]): Promise<void> {
    return this.#guarded(() => this.#db.compactRange(keys[0] as Uint8Array, keys[keys.length - 1] as Uint8Array))
  }

  /** After a crash between dropping bodies and rewriting the tables that hold them. */
  async #finishDropping(): Promise<void> {
    if ((await this.#db.get(DROPPING)) === undefined) return
    const { gte, lt } = tableRange(TABLE.entry)
    await this.#compact([gte, lt])
    await this.#db.del(DROPPING)
  }

  async #advancePin(head: StoredHead): Promise<void> {
    try {
      const { size } = this.signed
      if (head.size > size)
        await this.#pin?.advance({ size: head.size, root: new Frontier(head.size, head.frontier).root() })
    } catch (error) {
      throw storeError(error, pinPath(this.#path))
    }
  }

  async #write(fill: (batch: Batch) => void): Promise<void> {
    try {
      const batch = this.#db.batch()
      fill(batch)
      await batch.write({ sync: true })
    } catch (error) {
      throw storeError(error, this.#path)
    }
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    const over = await this.#readings.begin()
    return this.#guarded(read).finally(over)
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw storeError(error, this.#path)
    }
  }

  async #load(): Promise<void> {
    for await (const key of this.#db.keys(tableRange(TABLE.fork)))
      this.#frozen.add(toHex(key.subarray(1, 1 + AUTHOR_BYTES)))
    for await (const [key, record] of this.#db.iterator(tableRange(TABLE.head))) {
      const head = this.#openHead(record)
      const short = shortAuthor(head.author)
      if (!equalBytes(key, authorKey(TABLE.head, short)))
        throw corrupt(this.#path, 'a head stands under another author’s key')
      this.#heads.set(head.author, head)
      const fault = await checkLog(head, this)
      if (fault !== null) throw corrupt(this.#path, `log ${head.author.slice(0, 16)}…: ${fault}`)
    }
  }

  #openHead(record: Uint8Array): StoredHead {
    try {
      return decodeHeadRecord(record)
    } catch (error) {
      throw corrupt(this.#path, messageOf(error), error)
    }
  }

  async #openPin(mode: 'check' | 'trust'): Promise<void> {
    const path = pinPath(this.#path)
    const own = this.#heads.get(this.#self)
    const { size, root } = this.#storedPin()
    if (mode === 'check') {
      this.#pin = (await HeadPin.read(path)) ?? null
      if (this.#pin === null) throw pinMissing(path, `the ledger holds ${size} own entries`)
      await checkPin(this.#pin.newest, own, this)
    }
    if (this.#pin === null) this.#pin = await HeadPin.create(path, { size, root })
    else if (size > this.#pin.newest.size) await this.#pin.advance({ size, root })
  }
}
