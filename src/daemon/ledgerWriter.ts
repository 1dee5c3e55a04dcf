/**
 * Appends own entries: group commit, one signature each. Order of a commit: extend → sign the head → write durably with the
 * state that belongs to it → write the pin → report. Nothing is reported, published or built upon before it is durable.
 */
import { randomBytes } from 'node:crypto'
import { ConsiliumError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { type Entry, type EntryDraft, extend, type Tip } from '../ledger/chain.ts'
import { formatHead } from '../ledger/head.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Draft } from '../node/actions.ts'
import type { MemberKey } from './memberKey.ts'

const GROUP_MS = 10 // group commit: LEDGER §3.3
const QUEUE_MAX = 4_096 // drafts that wait while the disk is slow; beyond it something is wrong and the node stops

export interface Committed {
  readonly tags: readonly string[]
  readonly entries: readonly Entry[]
  readonly tip: Tip
  readonly note: Uint8Array
}

interface Waiting {
  readonly tag: string
  readonly drafts: readonly Draft[]
  readonly state: ReadonlyMap<string, Uint8Array | null>
}

export interface LedgerWriterParts {
  readonly key: MemberKey
  readonly origin: string
  readonly store: LogStore
  /** Written after each commit; see `HeadPin`. */
  readonly pin: (tip: Tip) => Promise<void>
  readonly onCommitted: (committed: Committed) => void
  /** A failed append is unknown, not undone: the daemon stops, and reads again at the next start. */
  readonly onFailed: (error: unknown) => void
}

export class LedgerWriter {
  readonly #parts: LedgerWriterParts
  #tip: Tip
  #queue: Waiting[] = []
  #queued = 0
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> | null = null
  #failed = false

  constructor(parts: LedgerWriterParts, tip: Tip) {
    this.#parts = parts
    this.#tip = tip
  }

  get tip(): Tip {
    return this.#tip
  }

  /** Queues entries; `committed` reports `tag` when they are durable, together with `state`. */
  record(tag: string, drafts: readonly Draft[], state: ReadonlyMap<string, Uint8Array | null>): void {
    if (this.#failed) return
    this.#queue.push({ tag, drafts, state })
    this.#queued += drafts.length
    if (this.#queued > QUEUE_MAX) return this.#fail(new ConsiliumError({ code: 'ledger-overrun', message: `${this.#queued} entries wait for the disk, which does not keep up` }))
    if (this.#queued >= LIMITS.commitEntriesMax) this.#start()
    else this.#timer ??= setTimeout(() => this.#start(), GROUP_MS)
  }

  /** Resolves when everything queued so far is durable (or the writer has failed). */
  async flush(): Promise<void> {
    while (!this.#failed && (this.#queue.length > 0 || this.#writing !== null)) {
      this.#start()
      await this.#writing
    }
  }

  #start(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#writing !== null || this.#queue.length === 0 || this.#failed) return
    this.#writing = this.#commit(this.#take()).then(
      () => {
        this.#writing = null
        if (this.#queue.length > 0) this.#start()
      },
      (error: unknown) => this.#fail(error),
    )
  }

  #take(): Waiting[] {
    const taken: Waiting[] = []
    let entries = 0
    while (this.#queue.length > 0 && entries < LIMITS.commitEntriesMax) {
      const next = this.#queue.shift() as Waiting
      taken.push(next)
      entries += next.drafts.length
    }
    this.#queued -= entries
    return taken
  }

  async #commit(taken: readonly Waiting[]): Promise<void> {
    const { key, origin, store, pin, onCommitted } = this.#parts
    const drafts: EntryDraft[] = taken.flatMap((waiting) => waiting.drafts)
    const from = this.#tip.size
    const { raws, entries, tip } = extend(this.#tip, drafts, drafts.map(() => new Uint8Array(randomBytes(32))))
    const note = formatHead(origin, tip, key.sign)
    const state = new Map(taken.flatMap((waiting) => [...waiting.state]))
    const head = { author: key.id, size: tip.size, note, frontier: tip.frontier, lastHash: tip.lastHash }
    await store.append({ author: key.id, from, entries: raws, head, state })
    await pin(tip)
    this.#tip = tip
    onCommitted({ tags: taken.map((waiting) => waiting.tag), entries, tip, note })
  }

  #fail(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#queue = []
    this.#writing = null
    this.#parts.onFailed(error)
  }
}
