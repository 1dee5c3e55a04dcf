/**
 * Whether a member may cosign a head: the rule that keeps two histories of one log from both becoming final. C2SP tlog-witness with a
 * mirror's promise: a cosignature also says that every entry under the head lies here, checked and durable.
 *
 * The order around it is the caller's, under one turn for each author: read what was cosigned → this rule → store (size, root), synced →
 * sign. Signing before storing is the rollback race that the C2SP text prints: a crash between the two forgets a cosignature that is out.
 */
import { equalBytes } from '../core/bytes.ts'
import type { Witnessed } from './store.ts'

/** A log as it is stored here, at the moment of the question. */
export interface WitnessedLog {
  /** What this member cosigned last of it; undefined where nothing. */
  readonly last: Witnessed | undefined
  /** Entries stored, each checked and durable. */
  readonly size: number
  /** Root over the first `last.size` entries as stored here; null where fewer are stored. */
  readonly rootAtLast: Uint8Array | null
  /** Root over the first `head.size` entries as stored here; null where fewer are stored. */
  readonly rootAtHead: Uint8Array | null
  /** Its key signed conflicting heads. */
  readonly frozen: boolean
}

/**
 * Why not. `not-stored`, `older` and `voting` (on an epoch, see `daemon/ballot.ts`) cost nobody anything; `conflict` is a fork or a store that
 * lost something.
 */
export type CosignRefusal = 'frozen' | 'not-stored' | 'older' | 'conflict' | 'voting'

/**
 * Null where the head may be cosigned. Its author's signature has been checked. A head of the size cosigned last may be cosigned again
 * where the root is the same: a repetition says nothing new.
 */
export function cosignRefusal(log: WitnessedLog, head: Witnessed): CosignRefusal | null {
  const { last, size, rootAtLast, rootAtHead, frozen } = log
  if (frozen) return 'frozen'
  if (head.size < 1 || head.size > size || rootAtHead === null) return 'not-stored'
  if (!equalBytes(rootAtHead, head.root)) return 'conflict'
  if (last === undefined) return null
  if (head.size < last.size) return 'older'
  if (rootAtLast === null || !equalBytes(rootAtLast, last.root)) return 'conflict'
  return null
}
