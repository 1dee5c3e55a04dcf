/** Fetches what the disk has lost of a log back from the other members. Hash links say what belongs there, so that no peer is trusted. */
import { equalBytes } from '../core/bytes.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { type LogStore, REPAIR_ENTRIES_MAX, type Repaired } from '../ledger/store.ts'
import { encodeRangeRequest, FRAME_BYTES_MAX, openFrame } from '../ledger/wire.ts'
import type { Transport } from '../net/transport.ts'
import type { NodeEvent } from '../node/events.ts'
import { LEDGER_LOST } from '../store/levelErrors.ts'
import type { Log } from './log.ts'
import type { Damage } from './logScan.ts'
import { type Logs, RANGE, requireBodies } from './logs.ts'

/** What a repair works with. */
export interface RepairParts {
  readonly founding: Digest
  readonly store: Pick<LogStore, 'repair'>
  readonly transport: Pick<Transport, 'peers' | 'request'>
  readonly redactions: Pick<Logs['redactions'], 'dropAgain'>
  readonly nameOf: (member: MemberId) => string
  readonly feed: (event: NodeEvent) => void
  readonly log: Log
}

/** One per daemon; one call at a time. */
export class Repair {
  readonly #parts: RepairParts

  constructor(parts: RepairParts) {
    this.#parts = parts
  }

  /**
   * Asks connected members in turn, the author first, for it drops no body; one that gives what is wrong is blamed. Errors:
   * `database-corrupt` where none can give it, with who was asked; those of the store.
   */
  async mend(damage: Damage, signal: AbortSignal): Promise<Repaired> {
    const { store, redactions, log } = this.#parts
    const { author, size: from } = damage.tip
    const asked: MemberId[] = []
    for (const peer of damage.to - from > REPAIR_ENTRIES_MAX ? [] : this.#peers(author)) {
      asked.push(peer)
      const raws = await this.#ask(peer, damage, signal)
      if (raws === null) continue
      const repaired = await store.repair(author, from, raws)
      await redactions.dropAgain(author, from, damage.to)
      log('warn', 'log-repaired', { author, from, to: damage.to, ...repaired, peer })
      return repaired
    }
    throw this.#beyondRepair(damage, asked)
  }

  #peers(author: MemberId): MemberId[] {
    const connected = this.#parts.transport.peers().filter((peer) => peer.connected)
    return connected.map(({ member }) => member).sort((a, b) => Number(b === author) - Number(a === author))
  }

  /** The entries that belong there, or null where `peer` has not given them. */
  async #ask(peer: MemberId, damage: Damage, signal: AbortSignal): Promise<Uint8Array[] | null> {
    const { feed, log } = this.#parts
    try {
      return await this.#fetch(peer, damage, signal)
    } catch (error) {
      if (signal.aborted) throw error
      const code = error instanceof ConsiliumError ? error.code : 'stream-failed'
      log('debug', 'repair-refused', { author: damage.tip.author, peer, error: messageOf(error) })
      if (error instanceof ConsiliumError && error.blame === 'reject')
        feed({ type: 'malformed-heard', ticket: null, from: peer, code, blame: 'reject' })
      return null
    }
  }

  /** Every frame is checked as in a usual fetch, its signed head included; then that it meets what is stored behind the damage. */
  async #fetch(peer: MemberId, { tip, to, closing }: Damage, signal: AbortSignal): Promise<Uint8Array[]> {
    const { transport, founding } = this.#parts
    const request = encodeRangeRequest({ author: tip.author, fromSize: tip.size })
    const raws: Uint8Array[] = []
    let at = tip
    let last: Uint8Array | undefined
    for await (const bytes of transport.request(peer, RANGE, request, { signal, frameBytesMax: FRAME_BYTES_MAX })) {
      const { batch, entries, tip: next } = openFrame(at, bytes, founding)
      requireBodies(entries)
      raws.push(...batch.entries)
      last = entries[to - 1 - at.size]?.leaf
      at = next
      if (at.size >= to) break
    }
    if (at.size < to)
      throw new ConsiliumError({ code: 'range-short', message: `the peer has it up to ${at.size} only` })
    if (last === undefined || !equalBytes(last, closing))
      throw new ConsiliumError({ code: 'range-contradicts', message: 'its author has signed other entries there too' })
    return raws.slice(0, to - tip.size)
  }

  #beyondRepair({ tip, to }: Damage, asked: readonly MemberId[]): ConsiliumError {
    const { nameOf } = this.#parts
    const range = to - tip.size === 1 ? `entry ${tip.size} is` : `entries ${tip.size} to ${to - 1} are`
    const tried =
      to - tip.size > REPAIR_ENTRIES_MAX
        ? `and they are more than the ${REPAIR_ENTRIES_MAX} that can be put back one by one`
        : asked.length === 0
          ? 'and no member is connected that could give them back'
          : `and none of the members asked could give them back (${asked.map(nameOf).join(', ')})`
    return new ConsiliumError({
      code: 'database-corrupt',
      message: `log of ${nameOf(tip.author)} (${tip.author.slice(0, 16)}…): ${range} missing or damaged in database/, ${tried}: ${LEDGER_LOST}`,
    })
  }
}
