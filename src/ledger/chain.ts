/** One log as a chain: the author's side, which makes entries, and the receiver's, which believes nothing that it has not checked. */
import { equalBytes } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { type Blame, ConsiliumError, invariant, messageOf } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { decodeEntry, type Entry, encodeEntry, type Ref } from './entry.ts'
import type { VerifiedHead } from './head.ts'
import { Frontier, type TreeNode } from './merkle.ts'
import type { StoredHead } from './store.ts'

/** Where a log ends: all that is needed to extend it or to check its extension. */
export interface Tip {
  readonly author: MemberId
  readonly size: number
  /** Hash of the last entry, 32 bytes; zeros when empty. */
  readonly lastHash: Uint8Array
  /** Right edge of the Merkle tree, largest subtree first. */
  readonly frontier: readonly Uint8Array[]
  /** Lamport time of the last entry; 0 when empty. */
  readonly lamport: number
}

/** An entry as its author writes it: the chain gives it number, link and lamport time. */
export interface EntryDraft {
  readonly kind: string
  readonly study: StudyId | null
  readonly timeMs: number
  readonly refs: readonly Ref[]
  /** A map. */
  readonly body: Cbor
}

/** A draft that is made when the entries before it in its commit are there, so that it can cite them. */
export type LateDraft = (before: readonly Entry[]) => EntryDraft

/** Entries that continue a log, as bytes and as read, one for one, and where it ends with them. */
export interface Extension {
  readonly raws: readonly Uint8Array[]
  readonly entries: readonly Entry[]
  readonly tip: Tip
  /** Nodes of the tree that they complete. */
  readonly nodes: readonly TreeNode[]
}

export type RangeResult =
  | ({ readonly ok: true } & Omit<Extension, 'raws'>)
  | { readonly ok: false; readonly code: string; readonly at: number; readonly message: string; readonly blame: Blame }

/** An author's lamport time may leap this far over its last: 2^21 signed entries could not exhaust the 53 bits. */
export const LAMPORT_LEAP_MAX = 2 ** 32

/** What the first entry extends: size 0, `lastHash` zeros, lamport time 0. */
export function emptyTip(author: MemberId): Tip {
  return { author, size: 0, lastHash: new Uint8Array(32), frontier: [], lamport: 0 }
}

/** The tip of a stored log; `lastRaw` is its last entry, which holds the lamport time. */
export function tipOf(head: StoredHead, lastRaw: Uint8Array): Tip {
  const { author, size, lastHash, frontier } = head
  return { author, size, lastHash, frontier, lamport: decodeEntry(lastRaw).lamport }
}

/** What the store keeps of a tip under its head. */
export function storedHead(tip: Tip, note: Uint8Array): StoredHead {
  const { author, size, lastHash, frontier } = tip
  return { author, size, note, frontier, lastHash }
}

/** RFC 6962 root of the log that ends at `tip`. */
export function rootAt(tip: Tip): Uint8Array {
  return new Frontier(tip.size, tip.frontier).root()
}

/**
 * The author's side: takes as many of `drafts`, in order, as one commit holds (at least one; `raws.length` says how many), so that a
 * commit always fits one replication frame. `salts` has 32 random bytes per draft; `heardLamport` is the greatest lamport time read
 * in any log. Error: `entry-too-large`.
 */
export function extend(
  tip: Tip,
  drafts: readonly (EntryDraft | LateDraft)[],
  salts: readonly Uint8Array[],
  heardLamport = 0,
): Extension {
  invariant(drafts.length > 0 && salts.length >= drafts.length, 'a commit has entries, and a salt for each')
  const grower = new Grower(tip)
  let bytes = 0
  for (const [i, given] of drafts.slice(0, LIMITS.commitEntriesMax).entries()) {
    const draft = typeof given === 'function' ? given(grower.entries) : given
    const raw = encodeEntry(grower.place(draft, heardLamport), salts[i] as Uint8Array, draft.body)
    bytes += raw.length
    if (bytes > LIMITS.rangeBytesMax) break
    const fault = grower.take(raw)
    invariant(fault === null, `an entry of our own extends its log: ${fault?.message}`)
  }
  return grower.finish()
}

/**
 * The receiver's side: `raws` must be exactly the entries `tip.size` ≤ seq < `head.size`. The order of the checks is the order of
 * their cost: sizes, then (already, by `head`'s type) the signature, then sequence, links and lamport times, then the root.
 * `blame` is `ignore` where the sender may be honest: the first link fails when the *author* wrote two histories.
 */
export function verifyRange(tip: Tip, raws: readonly Uint8Array[], head: VerifiedHead): RangeResult {
  if (head.author !== tip.author)
    return fault('range-author', tip.size, `the head is of log ${head.author}, not of ${tip.author}`)
  const sizes = sizeFault(tip, raws, head)
  if (sizes !== null) return fault('range-size', tip.size, sizes)
  const result = advance(tip, raws)
  if (!result.ok) return result
  if (!equalBytes(rootAt(result.tip), head.root)) {
    return fault('range-root', head.size, `the root over ${head.size} entries is not the one in the signed head`)
  }
  return result
}

/** Checks that `raws` continue the log at `tip`, whatever head may cover them. Part of `verifyRange` and of a full verification. */
export function advance(tip: Tip, raws: readonly Uint8Array[]): RangeResult {
  const grower = new Grower(tip)
  for (const raw of raws) {
    const found = grower.take(raw)
    if (found !== null) return found
  }
  return { ok: true, ...grower.finish() }
}

function sizeFault(tip: Tip, raws: readonly Uint8Array[], head: VerifiedHead): string | null {
  if (raws.length === 0 || raws.length !== head.size - tip.size) {
    return `${raws.length} entries, but ${head.size - tip.size} lie between ${tip.size} and the head at ${head.size}`
  }
  if (raws.length > LIMITS.rangeEntriesMax)
    return `${raws.length} entries, at most ${LIMITS.rangeEntriesMax} are allowed`
  let bytes = 0
  for (const raw of raws) bytes += raw.length
  return bytes > LIMITS.rangeBytesMax ? `${bytes} bytes, at most ${LIMITS.rangeBytesMax} are allowed` : null
}

/** A tip that moves. */
class Grower {
  readonly #from: Tip
  readonly #frontier: Frontier
  readonly entries: Entry[] = []
  #lastHash: Uint8Array
  #lamport: number

  constructor(tip: Tip) {
    this.#from = tip
    this.#frontier = new Frontier(tip.size, tip.frontier)
    this.#lastHash = tip.lastHash
    this.#lamport = tip.lamport
  }

  place(draft: EntryDraft, heardLamport: number) {
    const { kind, study, timeMs, refs } = draft
    const lamport = Math.min(Math.max(this.#lamport, heardLamport) + 1, this.#lamport + LAMPORT_LEAP_MAX)
    return {
      author: this.#from.author,
      seq: this.#frontier.size,
      prev: this.#lastHash,
      timeMs,
      kind,
      study,
      refs,
      lamport,
    }
  }

  take(raw: Uint8Array): Extract<RangeResult, { ok: false }> | null {
    const at = this.#frontier.size
    let entry: Entry
    try {
      entry = decodeEntry(raw)
    } catch (error) {
      const code = error instanceof ConsiliumError ? error.code : 'entry-malformed'
      return fault(code, at, messageOf(error))
    }
    if (entry.author !== this.#from.author) return fault('range-author', at, `entry ${at} is of log ${entry.author}`)
    if (entry.seq !== at) return fault('range-sequence', at, `entry ${at} calls itself ${entry.seq}`)
    if (!equalBytes(entry.prev, this.#lastHash)) {
      const first = at === this.#from.size && at > 0
      return fault(
        'range-link',
        at,
        `entry ${at} does not name the hash of the entry before it`,
        first ? 'ignore' : 'reject',
      )
    }
    if (entry.lamport <= this.#lamport || entry.lamport > this.#lamport + LAMPORT_LEAP_MAX) {
      return fault(
        'range-lamport',
        at,
        `entry ${at} has lamport time ${entry.lamport}, the one before ${this.#lamport}`,
      )
    }
    this.#lastHash = entry.leaf
    this.#lamport = entry.lamport
    this.#frontier.append(entry.leaf)
    this.entries.push(entry)
    return null
  }

  finish(): Extension {
    const tip = {
      author: this.#from.author,
      size: this.#frontier.size,
      lastHash: this.#lastHash,
      frontier: this.#frontier.roots(),
      lamport: this.#lamport,
    }
    return { raws: this.entries.map((entry) => entry.raw), entries: this.entries, tip, nodes: this.#frontier.nodes() }
  }
}

function fault(
  code: string,
  at: number,
  message: string,
  blame: Blame = 'reject',
): Extract<RangeResult, { ok: false }> {
  return { ok: false, code, at, message, blame }
}
