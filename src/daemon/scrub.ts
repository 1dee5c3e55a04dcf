/**
 * Reads all stored logs through, slowly and again each day: LevelDB can lose or spoil an entry and say nothing. What is found missing is
 * fetched back from the other members, and the own log is told.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { equalBytes } from '../core/bytes.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { rootAt } from '../ledger/chain.ts'
import { parseCosigned, verifyCosignature } from '../ledger/cosignature.ts'
import { parseHead, rootOf, verifyHead } from '../ledger/head.ts'
import type { Roll } from '../ledger/membership.ts'
import { TILE_LEAVES } from '../ledger/merkle.ts'
import type { LogStore, StoredHead } from '../ledger/store.ts'
import type { Transport } from '../net/transport.ts'
import type { Draft } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import { LEDGER_LOST } from '../store/levelErrors.ts'
import { TreeReader } from '../store/treeReader.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import type { Log } from './log.ts'
import { type ScannedSlice, scanLog } from './logScan.ts'
import type { Logs } from './logs.ts'
import { Repair } from './repair.ts'
import {
  afterScrub,
  decodeScrubRecord,
  encodeScrubRecord,
  isDue,
  type RepairDone,
  SCRUB_STATE,
  type ScrubRecord,
  type ScrubResult,
} from './scrubRecord.ts'

export const SCRUB_TIMING = {
  firstMs: 60_000, // a start has better to do
  againMs: 24 * 3_600_000, // bits rot over months
  restMs: 20, // between slices of 5 ms, storage included: a fifth of one core, some 4,000 entries a second
}
const SIGNATURES_SLICE = 100 // checked before the event loop gets its turn: about 8 ms

/** What a scrub needs of its daemon. `writer` is null until the daemon may sign. */
export interface Scrubbed {
  readonly logs: Pick<Logs, 'authors' | 'redactions'> & { readonly facts: Pick<Logs['facts'], 'distrust'> }
  readonly writer: Pick<LedgerWriter, 'record' | 'flush'> | null
  nameOf(member: MemberId): string
}

/** What a scrub works with. */
export interface ScrubParts {
  readonly founding: Digest
  readonly roll: Roll
  readonly store: Pick<
    LogStore,
    'head' | 'entries' | 'nodes' | 'final' | 'witnessed' | 'repair' | 'getState' | 'putState'
  >
  readonly transport: Pick<Transport, 'peers' | 'request'>
  readonly daemon: Scrubbed
  readonly feed: (event: NodeEvent) => void
  readonly log: Log
}

/** One per daemon; `run` once. Where the store lost what no member can give, it may have lost more: `onDamaged` ends the node. */
export class Scrub {
  readonly #parts: ScrubParts
  readonly #repair: Repair
  readonly #onDamaged: (error: unknown) => void
  readonly #timing: typeof SCRUB_TIMING
  #record: ScrubRecord | null = null

  constructor(parts: ScrubParts, onDamaged: (error: unknown) => void, timing: typeof SCRUB_TIMING = SCRUB_TIMING) {
    this.#parts = parts
    const { founding, store, transport, daemon, feed, log } = parts
    const nameOf = (member: MemberId): string => daemon.nameOf(member)
    const dropAgain: Logs['redactions']['dropAgain'] = (...range) => daemon.logs.redactions.dropAgain(...range)
    this.#repair = new Repair({ founding, store, transport, redactions: { dropAgain }, nameOf, feed, log })
    this.#onDamaged = onDamaged
    this.#timing = timing
  }

  /** The last one that came to an end, before a restart too. */
  get last(): ScrubResult | null {
    return this.#record?.last ?? null
  }

  /** Goes on until `signal` aborts it, or a log cannot be put right. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { firstMs, againMs } = this.#timing
    try {
      const kept = await this.#parts.store.getState(SCRUB_STATE)
      this.#record = kept === undefined ? null : decodeScrubRecord(kept)
      await setTimeout(firstMs, undefined, { signal })
      while (!signal.aborted) {
        await this.#tell(await this.#pass(signal))
        await setTimeout(againMs, undefined, { signal })
      }
    } catch (error) {
      if (!signal.aborted) this.#onDamaged(error)
    }
  }

  async #pass(signal: AbortSignal): Promise<ScrubResult> {
    const startMs = Date.now()
    let entries = 0
    const repairs: RepairDone[] = []
    for (const author of this.#parts.daemon.logs.authors()) {
      const end = await this.#parts.store.head(author)
      try {
        if (end !== undefined) repairs.push(...(await this.#readThrough(end, signal)))
        await this.#checkWitnessing(author, end?.size ?? 0)
      } catch (error) {
        if (error instanceof ConsiliumError && error.code === 'database-corrupt')
          await this.#parts.daemon.logs.facts.distrust(author)
        throw error
      }
      entries += end?.size ?? 0
    }
    const repaired = repairs.reduce((sum, one) => sum + one.entries + one.nodes, 0)
    return { atMs: Date.now(), tookMs: Date.now() - startMs, entries, repaired, repairs }
  }

  /** Every link, every node of the tree, and that the signed head's root is theirs; gives what was put back. */
  async #readThrough(end: StoredHead, signal: AbortSignal): Promise<RepairDone[]> {
    const done: RepairDone[] = []
    let mended = -1
    for await (const slice of scanLog(this.#parts.store, end)) {
      const { tip, damage } = slice
      done.push(...(await this.#mendNodes(end.author, slice)))
      if (damage !== null) {
        if (tip.size === mended) throw damaged(end.author, `entry ${tip.size} was put back and cannot be read again`)
        mended = tip.size
        done.push({ author: end.author, from: tip.size, ...(await this.#repair.mend(damage, signal)) })
      } else if (tip.size === end.size && !equalBytes(rootAt(tip), parseHead(end.note, this.#parts.founding).root)) {
        throw damaged(end.author, `the root over ${end.size} entries is not the one that was signed`)
      }
      await setTimeout(this.#timing.restMs, undefined, { signal })
    }
    return done
  }

  /** A node is put back with the entry that completes it, which is there. */
  async #mendNodes(author: MemberId, { from, raws, nodes }: ScannedSlice): Promise<RepairDone[]> {
    const { store, log } = this.#parts
    const done: RepairDone[] = []
    for (const { level, index, hash } of nodes) {
      const [kept] = await store.nodes(author, level, index, index + 1)
      if (kept !== undefined && equalBytes(kept, hash)) continue
      const seq = (index + 1) * TILE_LEAVES ** level - 1
      const repaired = await store.repair(author, seq, [raws[seq - from] as Uint8Array])
      log('warn', 'log-repaired', { author, from: seq, to: seq + 1, ...repaired, peer: null })
      done.push({ author, from: seq, ...repaired })
    }
    return done
  }

  /** What this node has cosigned last is as it was written, and the newest final head has its quorum and is of the tree stored here. */
  async #checkWitnessing(author: MemberId, size: number): Promise<void> {
    const { store, founding, roll } = this.#parts
    await store.witnessed(author)
    const final = await store.final(author)
    if (final === undefined || final.size > size) return
    const { head, cosignatures } = readFinal(author, () => parseCosigned(final.note, founding))
    const signers = roll.finalBy({ author, size: head.size, root: rootOf(head) }, cosignatures)
    let sound = signers !== null && head.author === author && head.size === final.size && verifyHead(head)
    for (const [i, cosignature] of (signers ?? []).entries()) {
      sound &&= verifyCosignature(head.text, cosignature)
      if (i % SIGNATURES_SLICE === SIGNATURES_SLICE - 1) await setImmediate()
    }
    if (!sound)
      throw damaged(author, `the final head of ${final.size} entries has not its quorum of valid signatures any more`)
    if (!equalBytes(await new TreeReader(store, author).root(head.size), head.root))
      throw damaged(author, `the final head of ${final.size} entries is not of the entries stored here`)
  }

  /** Kept for the operator, and recorded in the own log where that is due and this node may sign. */
  async #tell(result: ScrubResult): Promise<void> {
    const { store, daemon, log } = this.#parts
    const record = afterScrub(this.#record, result)
    const { atMs, tookMs, entries, repaired } = result
    log('info', 'scrubbed', { entries, repaired, tookMs })
    if (daemon.writer === null || !isDue(record)) {
      await store.putState(new Map([[SCRUB_STATE, encodeScrubRecord(record)]]))
      this.#record = record
      return
    }
    const told = { last: record.last, recordedAtMs: atMs, unrecorded: 0 }
    const body = { entries, repaired: record.unrecorded }
    const draft: Draft = { kind: 'operator.scrubbed', study: null, timeMs: atMs, refs: [], body }
    daemon.writer.record('scrubbed', [draft], new Map([[SCRUB_STATE, encodeScrubRecord(told)]]))
    await daemon.writer.flush()
    this.#record = told
  }
}

function readFinal<T>(author: MemberId, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw damaged(author, `its newest final head cannot be read: ${messageOf(error)}`)
  }
}

function damaged(author: MemberId, what: string): ConsiliumError {
  return new ConsiliumError({
    code: 'database-corrupt',
    message: `the log of ${author.slice(0, 16)}… is damaged in database/ (${what}): ${LEDGER_LOST}`,
  })
}
