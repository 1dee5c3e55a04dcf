/** What one simulated node keeps over a crash: the logs as it holds them, its checkpoints and the table that it bound. */

import { toHex } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { invariant } from '../../src/core/errors.ts'
import type { Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { factsOf } from '../../src/governance/facts.ts'
import type { Fact } from '../../src/governance/studies.ts'
import { emptyTip, rootAt, type Tip } from '../../src/ledger/chain.ts'
import { decodeEntry, type Entry } from '../../src/ledger/entry.ts'
import { Frontier } from '../../src/ledger/merkle.ts'
import type { Witnessed } from '../../src/ledger/store.ts'
import type { BoundDataset, LogSize } from '../../src/node/events.ts'
import type { StoredCheckpoint } from '../../src/training/storedCheckpoint.ts'
import type { Sent } from './updateMessage.ts'

/** One log as it is stored. */
export interface StoredLog {
  readonly tip: Tip
  readonly raws: readonly Uint8Array[]
  /** The signed heads under which it grew, ascending by size. */
  readonly heads: readonly { readonly size: number; readonly note: Uint8Array }[]
}

/** A run of entries that ends under a signed head, as it is sent. */
export interface Frame {
  readonly from: number
  readonly raws: readonly Uint8Array[]
  readonly note: Uint8Array
}

interface GrowingLog {
  tip: Tip
  readonly raws: Uint8Array[]
  readonly leaves: Uint8Array[]
  readonly heads: { readonly size: number; readonly note: Uint8Array }[]
}

export class Disk {
  readonly #logs = new Map<MemberId, GrowingLog>()
  readonly checkpoints = new Map<StudyId, StoredCheckpoint>()
  /** Newest checkpoint of each study that is not in the middle of a round. */
  readonly complete = new Map<StudyId, StoredCheckpoint>()
  /** The facts of the bound table, and which of the node's tables it is. */
  readonly bindings = new Map<StudyId, { readonly bound: BoundDataset; readonly version: number }>()
  readonly forks = new Set<MemberId>()
  /** What this node cosigned last of each log. */
  readonly witnessed = new Map<MemberId, Witnessed>()
  /** The newest final head of each log. */
  readonly finals = new Map<MemberId, LogSize>()
  /** The newest update of each author in each study. */
  readonly #updates = new Map<string, Sent>()
  #lamport = 0

  constructor(members: readonly MemberId[]) {
    for (const member of members) this.#logs.set(member, { tip: emptyTip(member), raws: [], leaves: [], heads: [] })
  }

  /** The greatest lamport time in any log here. */
  get lamport(): number {
    return this.#lamport
  }

  log(author: MemberId): StoredLog {
    return this.#log(author)
  }

  logs(): ReadonlyMap<MemberId, StoredLog> {
    return this.#logs
  }

  append(tip: Tip, entries: readonly Entry[], note: Uint8Array): void {
    const log = this.#log(tip.author)
    invariant(log.raws.length + entries.length === tip.size, 'a log grows without a hole')
    for (const { raw, leaf } of entries) {
      log.raws.push(raw)
      log.leaves.push(leaf)
    }
    log.tip = tip
    log.heads.push({ size: tip.size, note })
    this.#lamport = Math.max(this.#lamport, tip.lamport)
  }

  /** One durable change with the entries that tell of it. */
  keep(stored: StoredCheckpoint): void {
    this.checkpoints.set(stored.checkpoint.study, stored)
    if (stored.checkpoint.stage !== 'trained') this.complete.set(stored.checkpoint.study, stored)
  }

  /** Of each author the newest alone. */
  keepUpdate(sent: Sent): void {
    const { study, author } = sent.update.header
    this.#updates.set(`${study} ${author}`, sent)
  }

  /** The weights of an update that is kept, or null. */
  update(study: StudyId, digest: Digest): Float32Array | null {
    for (const { update, weights } of this.#updates.values())
      if (update.header.study === study && update.header.digest === digest) return weights
    return null
  }

  /** Root over the first `size` entries of a log, of which so many are here. */
  rootAt(author: MemberId, size: number): Uint8Array {
    const { leaves, tip } = this.#log(author)
    if (size === tip.size) return size === 0 ? sha256() : rootAt(tip)
    const frontier = new Frontier()
    for (const leaf of leaves.slice(0, size)) frontier.append(leaf)
    return frontier.root()
  }

  /** A final head is kept where it is newer. */
  keepFinal(log: LogSize): void {
    if (log.size > (this.finals.get(log.author)?.size ?? 0)) this.finals.set(log.author, log)
  }

  sizeOf(author: MemberId): LogSize {
    const { tip } = this.#log(author)
    return { author, size: tip.size, root: toHex(tip.size === 0 ? sha256() : rootAt(tip)) as Digest }
  }

  sizes(): LogSize[] {
    return [...this.#logs.keys()].map((author) => this.sizeOf(author))
  }

  /** The newest signed head of each log. */
  notes(): Uint8Array[] {
    return [...this.#logs.values()].flatMap(({ heads }) => heads.at(-1)?.note ?? [])
  }

  note(author: MemberId): Uint8Array | null {
    return this.#log(author).heads.at(-1)?.note ?? null
  }

  /** What a peer is sent of a log from `from` on: frames as large as the daemon's, each ending at a signed head. */
  frames(author: MemberId, from: number): Frame[] {
    const { raws, heads } = this.#log(author)
    const frames: Frame[] = []
    for (let at = from; at < raws.length; ) {
      let [fit, bytes] = [at, 0]
      while (fit < raws.length && fit - at < LIMITS.rangeEntriesMax) {
        bytes += (raws[fit] as Uint8Array).length
        if (bytes > LIMITS.rangeBytesMax) break
        fit++
      }
      const head = heads.findLast(({ size }) => size > at && size <= fit)
      if (head === undefined) break
      frames.push({ from: at, raws: raws.slice(at, head.size), note: head.note })
      at = head.size
    }
    return frames
  }

  /** Every stored entry that the machine interprets, author by author. */
  facts(self: MemberId): Fact[] {
    return [...this.#logs.values()].flatMap(({ raws }) => factsOf(raws.map(decodeEntry), self))
  }

  #log(author: MemberId): GrowingLog {
    const log = this.#logs.get(author)
    invariant(log !== undefined, 'every member has a log')
    return log
  }
}
