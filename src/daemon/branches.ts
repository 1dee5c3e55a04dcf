/**
 * The other history of a log whose key signed two: fetched from a member that holds it as that log, from the place on where it parts from
 * what is stored here, proven under the other signed head, and kept beside the evidence. It never gets into the log.
 */
import { equalBytes, toHex } from '../core/bytes.ts'
import { messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { advance, emptyTip, rootAt, type Tip } from '../ledger/chain.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import type { Fork } from '../ledger/fork.ts'
import { rootOf, type VerifiedHead } from '../ledger/head.ts'
import type { LogStore } from '../ledger/store.ts'
import { decodeFrame, encodeRangeRequest, FRAME_BYTES_MAX, type OpenedFrame, openFrame } from '../ledger/wire.ts'
import type { Transport } from '../net/transport.ts'
import { type Leaves, unproven } from './leaves.ts'
import type { Log } from './log.ts'
import { type Logs, RANGE } from './logs.ts'

const STATE = 'fork-branch/' // and author, root of the head, number of the first entry of the frame, with slashes between
const ASKED_MAX = 8 // branches that one peer is asked for at a time: a round trip each where it has none of them
const NUMBER_DIGITS = 16 // of 2^53, so that keys are in the order of numbers

/** What they are fetched with. `known` is all evidence, by author. */
export interface BranchesParts {
  readonly founding: Digest
  readonly store: Pick<LogStore, 'getState' | 'listState' | 'putState'>
  readonly transport: Transport
  readonly logs: Logs
  readonly leaves: Leaves
  readonly known: ReadonlyMap<MemberId, Fork>
  readonly log: Log
}

/** What is kept of the branch under one signed head. */
export interface BranchView {
  /** Of the head that is part of the evidence. */
  readonly root: Digest
  /** The first entry kept; those before it are the same in the log that is stored here. */
  readonly from: number
  readonly entries: number
  readonly bytes: number
  /** The head is reached: all its entries are here. */
  readonly complete: boolean
}

interface Branch {
  readonly head: VerifiedHead
  readonly from: number
  tip: Tip
  bytes: number
  /** A further frame would be beyond what is kept. */
  full: boolean
}

/** One per daemon; `load` first. A branch grows frame by frame, each durable by itself, whoever serves the next. */
export class Branches {
  readonly #parts: BranchesParts
  /** By author and root. */
  readonly #kept = new Map<string, Branch>()
  /** Authors whose branches are being fetched. */
  readonly #busy = new Set<MemberId>()
  /** Whose turn it was last goes behind the others. */
  readonly #order = new Set<MemberId>()

  constructor(parts: BranchesParts) {
    this.#parts = parts
  }

  /** Reads what is kept and checks it again; what does not pass is dropped, to be fetched once more. Errors: those of the store. */
  async load(): Promise<void> {
    for (const fork of this.#parts.known.values()) for (const head of fork.heads) await this.#load(head)
  }

  /** What is kept of the branches of `author` that are not its log here. */
  view(author: MemberId): BranchView[] {
    const heads = this.#parts.known.get(author)?.heads ?? []
    return heads.flatMap((head) => {
      const branch = this.#kept.get(keyOf(head))
      if (branch === undefined) return []
      const { from, tip, bytes } = branch
      return { root: rootOf(head), from, entries: tip.size - from, bytes, complete: tip.size >= head.size }
    })
  }

  /** Whether a head is of the history that is stored here as `author`'s log. Error: `database-corrupt`. */
  async isHere({ author, size, root }: VerifiedHead): Promise<boolean> {
    const { logs } = this.#parts
    return size <= logs.sizeOf(author).size && equalBytes(await logs.tree(author).root(size), root)
  }

  /** The entries that are kept of one branch, in order. Errors: those of the store. */
  async entries(author: MemberId, root: Digest): Promise<Entry[]> {
    const frames = await this.#parts.store.listState(`${STATE}${author}/${root}/`)
    return frames.flatMap(([, frame]) => decodeFrame(frame).raws.map(decodeEntry))
  }

  /**
   * Asks `peer` for what is missing of a few branches; nothing happens where it holds none of them. Errors: `fork-unproven` and those of
   * `openFrame`, with their blame; `disk-low`; those of the store.
   */
  async collect(peer: MemberId, signal: AbortSignal): Promise<void> {
    for (const author of this.#parts.known.keys()) this.#order.add(author)
    for (const author of [...this.#order].slice(0, ASKED_MAX)) {
      this.#order.delete(author)
      this.#order.add(author)
      if (this.#busy.has(author)) continue
      this.#busy.add(author)
      try {
        for (const head of this.#parts.known.get(author)?.heads ?? []) await this.#collect(head, peer, signal)
      } finally {
        this.#busy.delete(author)
      }
    }
  }

  async #collect(head: VerifiedHead, peer: MemberId, signal: AbortSignal): Promise<void> {
    const known = this.#kept.get(keyOf(head))
    if (known !== undefined && (known.full || known.tip.size >= head.size)) return
    if (await this.isHere(head)) return
    const holds = (await this.#parts.leaves.ask(peer, head, head.size - 1, signal)) !== null
    const branch = holds ? (known ?? (await this.#begin(head, peer, signal))) : null
    if (branch === null) return
    const request = encodeRangeRequest({ author: head.author, fromSize: branch.tip.size })
    const options = { signal, frameBytesMax: FRAME_BYTES_MAX }
    for await (const frame of this.#parts.transport.request(peer, RANGE, request, options)) {
      const opened = openFrame(branch.tip, frame, this.#parts.founding)
      branch.full = isBeyond(branch, opened, frame.length)
      if (branch.full) return
      await this.#prove(branch, opened, peer, signal)
      await this.#keep(branch, opened, frame)
    }
  }

  /** Where the branch parts from the log here, by halves; null where the peer stops answering. */
  async #begin(head: VerifiedHead, peer: MemberId, signal: AbortSignal): Promise<Branch | null> {
    const { logs, leaves } = this.#parts
    const tree = logs.tree(head.author)
    let [low, high] = [0, Math.min(logs.sizeOf(head.author).size, head.size)]
    for (let index = high - 1; low < high; index = Math.floor((low + high) / 2)) {
      const there = await leaves.ask(peer, head, index, signal)
      if (there === null) return null
      if (equalBytes(there.leaf, await tree.leaf(index))) low = index + 1
      else high = index
    }
    return { head, from: low, tip: await this.#tipAt(head.author, low), bytes: 0, full: false }
  }

  /** Under the other head: its last entry as far as the head goes, the root where the head ends; what is beyond is linked to that. */
  async #prove(branch: Branch, { tip, batch }: OpenedFrame, peer: MemberId, signal: AbortSignal): Promise<void> {
    const { head } = branch
    if (tip.size < head.size) {
      const there = await this.#parts.leaves.ask(peer, head, tip.size - 1, signal)
      if (there === null || !equalBytes(there.leaf, tip.lastHash))
        throw unproven('its entries are not those of the head')
    } else if (branch.tip.size < head.size) {
      const upTo = advance(branch.tip, batch.entries.slice(0, head.size - branch.tip.size))
      if (!upTo.ok || !equalBytes(rootAt(upTo.tip), head.root)) throw unproven('its entries are not those of the head')
    }
  }

  async #keep(branch: Branch, { tip }: OpenedFrame, frame: Uint8Array): Promise<void> {
    const { store, logs } = this.#parts
    await logs.requireRoom(frame.length)
    await store.putState(new Map([[`${STATE}${keyOf(branch.head)}/${numbered(branch.tip.size)}`, frame]]))
    branch.tip = tip
    branch.bytes += frame.length
    this.#kept.set(keyOf(branch.head), branch)
  }

  async #load(head: VerifiedHead): Promise<void> {
    const { store, founding, log } = this.#parts
    const prefix = `${STATE}${keyOf(head)}/`
    let branch: Branch | null = null
    for (const [key, frame] of await store.listState(prefix)) {
      const at = Number(key.slice(prefix.length))
      try {
        branch ??= { head, from: at, tip: await this.#tipAt(head.author, at), bytes: 0, full: false }
        branch.tip = openFrame(branch.tip, frame, founding).tip
        branch.bytes += frame.length
        this.#kept.set(keyOf(head), branch)
      } catch (error) {
        log('warn', 'branch-unreadable', { member: head.author, at, error: messageOf(error) })
        await store.putState(new Map([[key, null]]))
      }
    }
  }

  /** Where the first `size` entries of the log here end. Error: `database-corrupt`. */
  async #tipAt(author: MemberId, size: number): Promise<Tip> {
    if (size === 0) return emptyTip(author)
    const { logs } = this.#parts
    const tree = logs.tree(author)
    const [raw] = await logs.entries(author, size - 1, size)
    const lamport = raw === undefined ? 0 : decodeEntry(raw).lamport
    return { author, size, lastHash: await tree.leaf(size - 1), frontier: await tree.frontier(size), lamport }
  }
}

function isBeyond({ from, bytes }: Branch, { tip }: OpenedFrame, more: number): boolean {
  return tip.size - from > LIMITS.branchEntriesMax || bytes + more > LIMITS.branchBytesMax
}

function keyOf({ author, root }: VerifiedHead): string {
  return `${author}/${toHex(root)}`
}

function numbered(seq: number): string {
  return String(seq).padStart(NUMBER_DIGITS, '0')
}
