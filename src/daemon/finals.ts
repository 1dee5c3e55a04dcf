/**
 * Final heads: the newest kept of each log, whether it agrees with what is stored, and those that do not. One that contradicts what is
 * stored is never taken for final here; it is kept beside the others, so that the alarm outlives a restart, until evidence is found.
 */
import { toHex } from '../core/bytes.ts'
import { invariant, messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { type Cosignature, parseCosigned } from '../ledger/cosignature.ts'
import { openHead, rootOf, type VerifiedHead } from '../ledger/head.ts'
import type { Roll } from '../ledger/membership.ts'
import type { LogStore } from '../ledger/store.ts'
import type { LogSize } from '../node/events.ts'
import { TreeReader } from '../store/treeReader.ts'
import type { Log } from './log.ts'

const STATE = 'contradicting-final/' // and the author's key: the first of each log

/** A quorum's signatures under a head that what is stored contradicts. */
export interface ContradictingFinal {
  readonly log: LogSize
  readonly head: VerifiedHead
  /** With the cosignatures. */
  readonly note: Uint8Array
}

/** What they are kept in. */
export interface FinalsParts {
  readonly founding: Digest
  readonly roll: Roll
  readonly store: Pick<LogStore, 'head' | 'entries' | 'nodes' | 'final' | 'putFinal' | 'listState' | 'putState'>
  readonly log: Log
}

/** One per witness; `load` first. The caller keeps work on one log in turn. */
export class Finals {
  readonly #parts: FinalsParts
  readonly #newest = new Map<MemberId, LogSize>()
  /** The largest that was compared with what is stored, and agrees. */
  readonly #agreed = new Map<MemberId, LogSize>()
  /** The newest, where it was compared and does not. */
  readonly #refuted = new Map<MemberId, LogSize>()
  readonly #contradicting = new Map<MemberId, ContradictingFinal>()

  constructor(parts: FinalsParts) {
    this.#parts = parts
  }

  /** Reads them, and compares each with what is stored. Errors: those of `parseCosigned`, `database-corrupt`. */
  async load(): Promise<void> {
    const { roll, store, founding, log } = this.#parts
    for (const [key, note] of await store.listState(STATE)) {
      try {
        this.#remember(note)
      } catch (error) {
        log('warn', 'evidence-unreadable', { key, error: messageOf(error) })
      }
    }
    for (const author of roll.authors) {
      const final = await store.final(author)
      if (final === undefined) continue
      const { head } = parseCosigned(final.note, founding)
      this.#newest.set(author, { author, size: head.size, root: rootOf(head) })
      await this.stored(author)
    }
  }

  /** The newest that is kept of each log: what others are told and asked for. */
  newest(): LogSize[] {
    return [...this.#newest.values()]
  }

  /** The newest of each log that nothing stored here contradicts. */
  standing(): LogSize[] {
    return [...this.#newest.keys()].flatMap((author) => this.standingOf(author) ?? [])
  }

  /** Null where there is none. */
  standingOf(author: MemberId): LogSize | null {
    const newest = this.#newest.get(author)
    const refuted = newest !== undefined && this.#refuted.get(author)?.size === newest.size
    return (refuted ? this.#agreed.get(author) : newest) ?? null
  }

  /** Entries under the newest; 0 where there is none. */
  size(author: MemberId): number {
    return this.#newest.get(author)?.size ?? 0
  }

  /** The first of each log. */
  get contradicting(): ReadonlyMap<MemberId, ContradictingFinal> {
    return this.#contradicting
  }

  /** Whether a head is known to be final. */
  has(log: LogSize): boolean {
    const newest = this.#newest.get(log.author)
    return newest?.size === log.size && newest.root === log.root
  }

  /** Whether another root of that size is final or stored. A head over more than is stored contradicts nothing yet. Error: `database-corrupt`. */
  async contradicts(log: LogSize): Promise<boolean> {
    return (await this.#compare(log)) === 'contradicts'
  }

  /**
   * Keeps a head that is larger than the newest, or refuses it: false where it contradicts what is stored. It is then kept apart, where it
   * is the first of its log. Its quorum has been checked. Errors: `database-corrupt`, those of the store.
   */
  async take(log: LogSize, note: Uint8Array, cosignatures: readonly Cosignature[]): Promise<boolean> {
    const compared = await this.#compare(log)
    if (compared === 'contradicts') {
      await this.#refuse(log.author, note)
      return false
    }
    await this.#parts.store.putFinal(log.author, { size: log.size, note, timeS: medianTime(cosignatures) })
    this.#newest.set(log.author, log)
    if (compared === 'agrees') this.#agreed.set(log.author, log)
    return (await this.stored(log.author)) === null // entries may have come meanwhile
  }

  async #compare(log: LogSize): Promise<'agrees' | 'contradicts' | 'unknown'> {
    const newest = this.#newest.get(log.author)
    if (newest?.size === log.size && newest.root !== log.root) return 'contradicts'
    const root = await this.#rootHere(log)
    if (root === null) return 'unknown'
    return root === log.root ? 'agrees' : 'contradicts'
  }

  async #refuse(author: MemberId, note: Uint8Array): Promise<void> {
    if (this.#contradicting.has(author)) return
    this.#remember(note)
    this.#parts.log('warn', 'final-contradicts-log', { author, size: this.#contradicting.get(author)?.log.size ?? 0 })
    await this.#parts.store.putState(new Map([[STATE + author, note]]))
  }

  /**
   * More of a log is stored: its newest final head may be over no more than that now, and is compared. Gives it where it contradicts what
   * is stored, once. Error: `database-corrupt`.
   */
  async stored(author: MemberId): Promise<LogSize | null> {
    const newest = this.#newest.get(author)
    const compared = [this.#agreed, this.#refuted].some((known) => known.get(author)?.size === newest?.size)
    const root = newest === undefined || compared ? null : await this.#rootHere(newest)
    if (newest === undefined || root === null) return null
    if (root === newest.root) {
      this.#agreed.set(author, newest)
      return null
    }
    this.#refuted.set(author, newest)
    const before = this.#agreed.get(author) ?? (await this.#agreedBelow(newest))
    if (before !== null) this.#agreed.set(author, before)
    const kept = await this.#parts.store.final(author)
    invariant(kept !== undefined, 'a final head is kept before it is told of')
    await this.#refuse(author, kept.note)
    return newest
  }

  #remember(note: Uint8Array): void {
    const { head } = parseCosigned(note, this.#parts.founding)
    const { author, size } = head
    const verified = openHead(head.note, this.#parts.founding)
    this.#contradicting.set(author, { log: { author, size, root: rootOf(head) }, head: verified, note })
  }

  /** The newest kept before `refuted` that agrees with what is stored, found by halves. */
  async #agreedBelow({ author, size: refuted }: LogSize): Promise<LogSize | null> {
    const { store, founding } = this.#parts
    let best: LogSize | null = null
    for (let [low, high] = [1, refuted - 1]; low <= high; ) {
      const middle = Math.floor((low + high) / 2)
      const final = await store.final(author, middle)
      const head = final === undefined || final.size >= refuted ? null : parseCosigned(final.note, founding).head
      const kept = head === null ? null : { author, size: head.size, root: rootOf(head) }
      if (kept !== null && kept.root === (await this.#rootHere(kept))) {
        best = kept
        low = kept.size + 1
      } else high = middle - 1
    }
    return best
  }

  /** Null where fewer entries are stored. */
  async #rootHere({ author, size }: LogSize): Promise<Digest | null> {
    const { store } = this.#parts
    if (size > ((await store.head(author))?.size ?? 0)) return null
    return toHex(await new TreeReader(store, author).root(size)) as Digest
  }
}

/** The lower of the middle ones: no minority can move it out of the honest times. Of a head that is final by its pin alone, now. */
function medianTime(cosignatures: readonly Cosignature[]): number {
  const times = cosignatures.map(({ timeS }) => timeS).sort((a, b) => a - b)
  return times[Math.floor((times.length - 1) / 2)] ?? Math.floor(Date.now() / 1_000)
}
