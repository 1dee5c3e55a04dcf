/** Carries out what the machine wants of other members' logs: asks for heads, fetches ranges, cosigns, and tells it how that went. */
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { publishedRounds } from '../governance/published.ts'
import type { Entry } from '../ledger/entry.ts'
import { encodeRequest } from '../ledger/witnessWire.ts'
import type { Action } from '../node/actions.ts'
import type { LogSize, NodeEvent } from '../node/events.ts'
import type { Forks } from './forks.ts'
import type { Log } from './log.ts'
import type { Logs } from './logs.ts'
import type { Reconfiguration } from './reconfiguration.ts'
import type { Witness } from './witness.ts'

/** After one of these the store takes no further write, so that the node cannot go on. */
const STORE_FAULTS = new Set(['disk-full', 'ledger-io', 'store-failed', 'database-corrupt', 'data-folder-not-writable'])

/** What a replicator works with. */
export interface ReplicatorParts {
  readonly logs: Logs
  readonly witness: Witness
  readonly forks: Forks
  readonly epochs: Pick<Reconfiguration, 'ask'>
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

  /**
   * Feeds each signed and each final head that `peer` tells of, and asks it for the leaves that show why a final head contradicts what is
   * stored here, and for the other histories of forked logs; an answer that no honest peer gives counts against it.
   */
  async askHeads(peer: MemberId, signal: AbortSignal): Promise<void> {
    const { logs, witness, forks, epochs, feed } = this.#parts
    let epoch = Number.POSITIVE_INFINITY
    try {
      epoch = await epochs.ask(peer, signal) // first: of new members the rest would mean nothing
      for (const { log, signatureValid } of await logs.askHeads(peer, signal))
        feed({ type: 'head-heard', ticket: null, from: peer, log, signatureValid, asks: false })
      feed({ type: 'heads-told', from: peer })
      await forks.ask(peer, signal)
      for await (const { log, head, kept } of witness.ask(peer, signal)) {
        const { signatureValid } = logs.readHead(head.note, null) // final or not, its author has signed it
        feed({ type: 'head-heard', ticket: null, from: peer, log, signatureValid, asks: false })
        if (kept) feed({ type: 'final-kept', log })
      }
      for (const { head } of witness.kept.contradicting.values()) await forks.contradicted(head, peer, signal)
      await forks.branches.collect(peer, signal)
    } catch (error) {
      if (!(error instanceof ConsiliumError) || error.blame !== 'reject') throw error
      if (await this.#hasBegun(epoch, peer, signal)) return // what it told of new members meant nothing yet; it is asked again
      feed({ type: 'malformed-heard', ticket: null, from: peer, code: error.code, blame: 'reject' })
    }
  }

  /** Whether an epoch after that one has begun meanwhile, here or at `peer`. */
  async #hasBegun(after: number, peer: MemberId, signal: AbortSignal): Promise<boolean> {
    return this.#parts.epochs.ask(peer, signal).then(
      (epoch) => epoch > after,
      () => false,
    )
  }

  /** Finds out whether `author` signed conflicting heads or `peer` only said so, which counts against it; who shows the other history is asked for it. */
  async examine({ author, peer }: { author: MemberId; peer: MemberId }, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.forks.examine(author, peer, signal)
      await this.#parts.forks.branches.collect(peer, signal)
    } catch (error) {
      if (!(error instanceof ConsiliumError) || error.blame !== 'reject') throw error
      this.#parts.feed({ type: 'malformed-heard', ticket: null, from: peer, code: error.code, blame: 'reject' })
    }
  }

  /** Gives the request for cosignatures under the newest own head. */
  askCosign(publish: (request: Uint8Array) => void): void {
    const { logs, witness } = this.#parts
    const newest = logs.newest(logs.self)
    if (newest === null) return
    witness.asked(newest.log, newest.note)
    publish(encodeRequest(newest.note))
  }

  /** Keeps a head whose quorum was heard; feeds it where it contradicts what is stored here, and is not final therefore. */
  async keepFinal(log: LogSize): Promise<void> {
    const { witness, feed } = this.#parts
    if ((await witness.keepFinal(log)) || !(await witness.kept.contradicts(log))) return
    feed({ type: 'final-refused', log, kept: witness.kept.standingOf(log.author) })
  }

  /** Feeds whether the head could be cosigned. A store that fails ends the node: what it has signed is unknown then. */
  async cosign(asked: LogSize): Promise<void> {
    const { witness, feed, log, onStoreFailed } = this.#parts
    try {
      const refusal = await witness.cosign(asked)
      if (refusal === null) return feed({ type: 'cosigned', log: asked })
      log('debug', 'cosign-refused', { author: asked.author, size: asked.size, code: refusal })
      feed({ type: 'cosign-refused', author: asked.author, code: refusal })
    } catch (error) {
      onStoreFailed(error)
    }
  }

  /** Feeds what was stored of a range, frame by frame, or why it ended early. Never throws. */
  async fetch({ author, peer, to }: Extract<Action, { type: 'replicate' }>, signal: AbortSignal): Promise<void> {
    const { logs, witness, feed, tellFollowers, log, onStoreFailed } = this.#parts
    try {
      for await (const { entries, facts } of logs.fetch(author, peer, to, signal)) {
        tellFollowers(entries)
        const published = author === logs.self ? publishedRounds(entries) : []
        feed({ type: 'replicated', log: logs.sizeOf(author), from: peer, facts, published })
        const refused = await witness.stored(author)
        if (refused !== null) feed({ type: 'final-refused', log: refused, kept: witness.kept.standingOf(author) })
        for (const early of witness.release(author))
          feed({ type: 'cosigned-heard', ticket: null, from: early.witness, logs: [early.log], valid: true })
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
