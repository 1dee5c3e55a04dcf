/**
 * Appends own entries: group commit, one signature each. Order of a commit: extend → sign the head → write durably with the
 * state that belongs to it (the store then writes its pin) → report. Nothing is reported, published or built upon before it is durable.
 */
import { randomBytes } from 'node:crypto'
import type { SigningKey } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { bodyFault } from '../governance/privacyLint.ts'
import { type EntryDraft, extend, type LateDraft, rootAt, storedHead, type Tip } from '../ledger/chain.ts'
import { type Entry, type Ref, SALT_BYTES } from '../ledger/entry.ts'
import { signHead, type VerifiedHead } from '../ledger/head.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Draft } from '../node/actions.ts'

const GROUP_MS = 10 // group commit: LEDGER §3.3
const QUEUE_MAX = 4_096 // drafts that wait while the disk is slow; beyond it something is wrong and the node stops

/** One commit, durable. Where a group took several commits, the tags of all of it come with the last. */
export interface Committed {
  readonly tags: readonly string[]
  readonly entries: readonly Entry[]
  readonly tip: Tip
  readonly head: VerifiedHead
}

interface Waiting {
  readonly tag: string
  readonly drafts: readonly Draft[]
  readonly signOffs: readonly SignOffDraft[]
  readonly state: ReadonlyMap<string, Uint8Array | null>
}

/** An entry that says who asked for entries: `cites` are their places among those that are recorded with it. */
export interface SignOffDraft {
  readonly draft: Draft
  readonly cites: readonly number[]
}

/** What a writer works with. `onCommitted` is called before the next commit is begun, and moves `tip`. */
export interface LedgerWriterParts {
  readonly key: SigningKey
  readonly founding: Digest
  /** Where the stored log ends. */
  readonly tip: () => Tip
  /** The greatest lamport time read in any log. */
  readonly heardLamport: () => number
  readonly store: LogStore
  readonly onCommitted: (committed: Committed) => void
  /** Who asked for these, where somebody did; it is recorded in one commit with them. */
  readonly signedFor?: (drafts: readonly Draft[]) => readonly SignOffDraft[]
  /** A failed append is unknown, not undone: the daemon stops, and reads again at the next start. */
  readonly onFailed: (error: unknown) => void
}

/** The only writer of own entries. After a failure it takes nothing more. */
export class LedgerWriter {
  readonly #parts: LedgerWriterParts
  #queue: Waiting[] = []
  #queued = 0
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> | null = null
  #failure: { readonly error: unknown } | null = null

  constructor(parts: LedgerWriterParts) {
    this.#parts = parts
  }

  /**
   * Queues entries: all of them, or none where one has a body that no entry may have. That costs the call that asked for them and not the
   * node; of the machine's own drafts it stops the node, for the driver takes what is thrown (`Driver.feed`). `committed` reports `tag` when
   * they are durable, together with `state`. Error: `entry-unfit`.
   */
  record(tag: string, drafts: readonly Draft[], state: ReadonlyMap<string, Uint8Array | null>): void {
    if (this.#failure !== null) return
    requireFit(drafts)
    const signOffs = this.#parts.signedFor?.(drafts) ?? []
    requireFit(signOffs.map(({ draft }) => draft))
    this.#queue.push({ tag, drafts, signOffs, state })
    this.#queued += drafts.length + signOffs.length
    if (this.#queued > QUEUE_MAX)
      return this.#fail(
        new ConsiliumError({
          code: 'ledger-overrun',
          message: `${this.#queued} entries wait for the disk, which does not keep up`,
        }),
      )
    if (this.#queued >= LIMITS.commitEntriesMax) this.#start()
    else this.#timer ??= setTimeout(() => this.#start(), GROUP_MS)
  }

  /** Resolves when everything queued so far is durable; throws what a write failed with, for then that is unknown. */
  async flush(): Promise<void> {
    while (this.#failure === null && (this.#queue.length > 0 || this.#writing !== null)) {
      this.#start()
      await this.#writing
    }
    if (this.#failure !== null) throw this.#failure.error
  }

  #start(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#writing !== null || this.#queue.length === 0 || this.#failure !== null) return
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
      entries += next.drafts.length + next.signOffs.length
    }
    this.#queued -= entries
    return taken
  }

  /** One or more commits: one holds as many entries as one replication frame does. The state goes with the last of them. */
  async #commit(taken: readonly Waiting[]): Promise<void> {
    const { key, founding, heardLamport, store, onCommitted } = this.#parts
    const written: Entry[] = []
    const drafts = taken.flatMap((waiting) => withSignOffs(waiting, written))
    while (written.length < drafts.length) {
      const rest = drafts.slice(written.length)
      const salts = rest.map(() => new Uint8Array(randomBytes(SALT_BYTES)))
      const before = this.#parts.tip()
      const { raws, entries, tip, nodes } = extend(before, rest, salts, heardLamport())
      const head = signHead(key, founding, tip.size, rootAt(tip))
      written.push(...entries)
      const last = written.length === drafts.length
      const state = last ? new Map(taken.flatMap((waiting) => [...waiting.state])) : undefined
      await store.append({
        author: key.member,
        from: before.size,
        entries: raws,
        head: storedHead(tip, head.note),
        nodes,
        state,
      })
      onCommitted({ tags: last ? taken.map((waiting) => waiting.tag) : [], entries, tip, head })
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return
    this.#failure = { error }
    this.#queue = []
    this.#writing = null
    this.#parts.onFailed(error)
  }
}

/** What a call led to, and then who signed for it: one commit, so that no stop comes in between. `written` grows with each commit. */
function withSignOffs({ drafts, signOffs }: Waiting, written: readonly Entry[]): (EntryDraft | LateDraft)[] {
  const late = signOffs.map(({ draft, cites }, i): LateDraft => {
    return (before) => {
      const here = [...written, ...before].slice(-(drafts.length + i))
      const refs = cites.map((place) => here[place] as Entry).map(({ author, seq, hash }): Ref => [author, seq, hash])
      return { ...draft, refs: [...draft.refs, ...refs] }
    }
  })
  return [...drafts, ...late]
}

/** The fence around the ledger: what is appended is copied to every member for good. Error: `entry-unfit`. */
function requireFit(drafts: readonly Draft[]): void {
  for (const { kind, body } of drafts) {
    const fault = bodyFault(kind, body)
    if (fault === null) continue
    const message = `an entry of kind ${kind} was not written, nor any other of this call: ${fault}; that should have been refused before, please report it`
    throw new ConsiliumError({ code: 'entry-unfit', message })
  }
}
