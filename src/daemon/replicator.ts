/** Carries out what the machine wants of other members' logs: asks for heads, fetches ranges, and tells it how that went. */
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import type { Entry } from '../ledger/entry.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Log } from './log.ts'
import type { Logs } from './logs.ts'

/** After one of these the store takes no further write, so that the node cannot go on. */
const STORE_FAULTS = new Set(['disk-full', 'ledger-io', 'store-failed', 'database-corrupt', 'data-folder-not-writable'])

/** What a replicator works with. */
export interface ReplicatorParts {
  readonly logs: Logs
  readonly feed: (event: NodeEvent) => void
  readonly tellFollowers: (entries: readonly Entry[]) => void
  readonly log: Log
  readonly onStoreFailed: (error: unknown) => void
}

/** One per daemon. Calls may run side by side; `Logs` appends to one author's log at a time. */
export class Replicator {
  readonly #parts: ReplicatorParts

  constructor(parts: ReplicatorParts) {
    this.#parts = parts
  }

  /** Feeds each head that `peer` tells of; an answer that no honest peer gives counts against it. */
  async askHeads(peer: MemberId, signal: AbortSignal): Promise<void> {
    const { logs, feed } = this.#parts
    try {
      for (const { log, signatureValid } of await logs.askHeads(peer, signal))
        feed({ type: 'head-heard', ticket: null, from: peer, log, signatureValid })
    } catch (error) {
      if (!(error instanceof ConsiliumError) || error.blame !== 'reject') throw error
      feed({ type: 'malformed-heard', ticket: null, from: peer, code: error.code, blame: 'reject' })
    }
  }

  /** Feeds what was stored of a range, frame by frame, or why it ended early. Never throws. */
  async fetch({ author, peer, to }: Extract<Action, { type: 'replicate' }>, signal: AbortSignal): Promise<void> {
    const { logs, feed, tellFollowers, log, onStoreFailed } = this.#parts
    try {
      for await (const { entries, facts } of logs.fetch(author, peer, to, signal)) {
        tellFollowers(entries)
        feed({ type: 'replicated', log: logs.sizeOf(author), from: peer, facts })
      }
    } catch (error) {
      const known = error instanceof ConsiliumError
      const code = known ? error.code : 'stream-failed'
      const level = code === 'disk-low' ? 'warn' : 'debug'
      log(level, 'replication-error', { author, peer, error: messageOf(error) })
      if (STORE_FAULTS.has(code)) return onStoreFailed(error)
      const blame = known && error.blame === 'reject'
      feed({ type: 'replication-failed', author, from: peer, code, blame })
    }
  }
}
