/** Where logs are kept: the interface that the level store and the memory store both meet (suite: test/store/logStoreSuite.ts). */
import type { MemberId } from '../core/ids.ts'
import type { TreeNode } from './merkle.ts'

/** The newest signed head of one log with what is needed to extend it. */
export interface StoredHead {
  readonly author: MemberId
  /** Number of entries. */
  readonly size: number
  /** The C2SP tlog-checkpoint signed note, as received. */
  readonly note: Uint8Array
  /** Roots of the perfect subtrees at the right edge, largest first (RFC 6962 §2.1), 32 bytes each. */
  readonly frontier: readonly Uint8Array[]
  /** Hash of the last entry's header; 32 zero bytes when empty. */
  readonly lastHash: Uint8Array
}

/** The newest head of a log that this node has cosigned: it may never cosign one that does not extend it. */
export interface Witnessed {
  readonly size: number
  /** RFC 6962 root, 32 bytes. */
  readonly root: Uint8Array
}

/** A head that carries a quorum of signatures. */
export interface Final {
  readonly size: number
  /** The note with its cosignatures. */
  readonly note: Uint8Array
  /** Median of the cosignatures' times, seconds since 1970. */
  readonly timeS: number
}

/** Between these two an entry came to be seen by a quorum; undefined where there is no such head. Seconds since 1970. */
export interface FinalTimes {
  readonly beforeS: number | undefined
  readonly byS: number | undefined
}

/** One atomic, durable change: a run of one author's entries, the head that covers them, and state that must not be apart from them. */
export interface LogBatch {
  readonly author: MemberId
  /** Sequence number of the first of `entries`; must equal the size stored before. */
  readonly from: number
  /** Raw entry bytes, as received. */
  readonly entries: readonly Uint8Array[]
  readonly head: StoredHead
  /** Nodes of the tree that the batch completes (`Frontier.nodes`). */
  readonly nodes: readonly TreeNode[]
  /** Other keys to write in the same batch (checkpoints of studies, address hints); `null` deletes. */
  readonly state?: ReadonlyMap<string, Uint8Array | null>
}

/** Entries whose bodies one call may drop: decoded before and after, about 5 ms in all without a turn of the event loop. */
export const DROP_ENTRIES_MAX = 128

/** Entries that one call may put back: 16 of the largest commits, some 10 ms to hand to the database; what loses more is no flipped bit. */
export const REPAIR_ENTRIES_MAX = 4_096

/** How much was missing or wrong, and is there again. */
export interface Repaired {
  readonly entries: number
  /** Of the tree. */
  readonly nodes: number
}

/**
 * Guarantees. `append`, `repair`, `dropBodies` and `putState` resolve only when the write is durable (synced), all of it or none; they run one after another
 * in call order; a rejected write means *unknown*: the store refuses further writes (`store-failed`) until it is opened again. A batch
 * that is refused before anything is written (`log-frozen`, `store-busy`, `author-collision`) leaves the store usable. Reads see every
 * resolved write. Byte arrays are kept by reference while a call runs, and what a read returns is not to be changed.
 */
export interface LogStore {
  append(batch: LogBatch): Promise<void>
  /** The stored head of `author`, or undefined when nothing is stored. */
  head(author: MemberId): Promise<StoredHead | undefined>
  heads(): Promise<StoredHead[]>
  /** Raw entries `from` ≤ seq < `to`, dense and in order; stops early at a hole, or before `bytesMax` is passed (but gives at least one). */
  entries(author: MemberId, from: number, to: number, bytesMax?: number): Promise<Uint8Array[]>
  /**
   * The newest note kept of `author` whose size lies in `above` < size ≤ `upTo`. Every batch leaves its head's note, so that ranges
   * can be served up to a signed head; a note at one size is `commit(author, size - 1, size)`.
   */
  commit(
    author: MemberId,
    above: number,
    upTo: number,
  ): Promise<{ readonly size: number; readonly note: Uint8Array } | undefined>
  /** Hashes of the nodes `from` ≤ index < `to` of one level, dense and in order; stops early where one has not been kept. */
  nodes(author: MemberId, level: number, from: number, to: number): Promise<Uint8Array[]>
  /** What this node cosigned last of `author`'s log. Error: `database-corrupt`, never a guess. */
  witnessed(author: MemberId): Promise<Witnessed | undefined>
  /** Durable before it resolves: only then may the cosignature be made. Sizes never go back. */
  putWitnessed(author: MemberId, witnessed: Witnessed): Promise<void>
  /** Keeps a final head, larger than the one before. Of those before, the first of every hour stays, and the time of each. */
  putFinal(author: MemberId, final: Final): Promise<void>
  /** The smallest kept final head whose size is at least `size`; the newest where `size` is not given. */
  final(author: MemberId, size?: number): Promise<Omit<Final, 'timeS'> | undefined>
  /** When final heads around `size` were witnessed (`Final.timeS`), kept or not: the largest below it, and the smallest from it on. */
  finalTimes(author: MemberId, size: number): Promise<FinalTimes>
  getState(key: string): Promise<Uint8Array | undefined>
  /** All state whose key starts with `prefix`, in key order. */
  listState(prefix: string): Promise<[string, Uint8Array][]>
  putState(state: ReadonlyMap<string, Uint8Array | null>): Promise<void>
  /** Keeps two contradictory heads of one author (`ledger/fork.ts`); the log of that author is frozen from then on. The first stays. */
  putForkEvidence(author: MemberId, evidence: Uint8Array): Promise<void>
  forkEvidence(author: MemberId): Promise<Uint8Array | undefined>
  /**
   * Replaces entries, `seqs` ascending and at most `DROP_ENTRIES_MAX`, by the same ones without body and salt (`dropBody`), in one
   * write with `state`; one without a body stays as it is, and so does every hash. A frozen log is no exception. When it resolves, no
   * file of the store holds the bodies any longer. Error: `database-corrupt` where an entry is not there or not whole; then nothing has
   * changed.
   */
  dropBodies(author: MemberId, seqs: readonly number[], state?: ReadonlyMap<string, Uint8Array | null>): Promise<void>
  /**
   * Puts back the entries `from` ≤ seq < `from` + `raws.length` (at most `REPAIR_ENTRIES_MAX`) where they are missing or damaged, and
   * those nodes of the tree whose last leaf is among them; an entry that is there, with its body or without, stays. Durable when it
   * resolves. Error: `repair-unlinked` where the first does not name the stored entry before it, or the stored one after it (or the
   * head) the last; then nothing has changed.
   */
  repair(author: MemberId, from: number, raws: readonly Uint8Array[]): Promise<Repaired>
  close(): Promise<void>
}
