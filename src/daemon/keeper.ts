/** Keeps the logs as `retention` in config.yaml asks: drops old bodies each day, redacts own entries, and records both. */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { PRUNABLE_CLASSES, type Retention } from '../config/retention.ts'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { pruningTimes, redactionRefusal } from '../governance/retention.ts'
import type { Entry } from '../ledger/entry.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import type { PruneReport, RedactReport } from './api.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import type { Logs } from './logs.ts'
import { type Pruned, recorded } from './pruner.ts'
import { Turns } from './turns.ts'

export const KEEPER_TIMING = {
  firstMs: 600_000, // the scrub reads first
  againMs: 24 * 3_600_000, // what is kept is counted in days
  restMs: 45, // between slices of 6 ms at most: a tenth of one core
}

/** What a keeper needs of its daemon. `writer` is null until the daemon may sign. */
export interface Kept {
  readonly home: { readonly config: { readonly retention: Retention }; readonly key: { readonly id: MemberId } }
  readonly logs: Pick<Logs, 'authors' | 'tip' | 'forked' | 'redactions' | 'pruner'>
  readonly writer: Pick<LedgerWriter, 'record' | 'flush'> | null
  nameOf(member: MemberId): string
}

/** One per daemon; `run` once. What the operator asks for waits for what is under way. */
export class Keeper {
  readonly #daemon: Kept
  readonly #timing: typeof KEEPER_TIMING
  readonly #nowMs: () => number
  readonly #turns = new Turns<'keep'>()

  constructor(daemon: Kept, timing: typeof KEEPER_TIMING = KEEPER_TIMING, nowMs: () => number = Date.now) {
    this.#daemon = daemon
    this.#timing = timing
    this.#nowMs = nowMs
  }

  /** Carries out the redactions that were found at the start, then prunes each day until `signal` aborts. Errors: those of the store. */
  async run(signal: AbortSignal): Promise<void> {
    const { firstMs, againMs, restMs } = this.#timing
    const rest = (): Promise<void> => setTimeout(restMs, undefined, { signal })
    try {
      await this.#daemon.logs.redactions.finish(rest)
      await setTimeout(firstMs, undefined, { signal })
      while (!signal.aborted) {
        if (this.#daemon.writer !== null) await this.#turns.run('keep', () => this.#prune(false, rest))
        await setTimeout(againMs, undefined, { signal })
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Drops now what has to go, or says what would. Errors: those of the store. */
  prune(dryRun: boolean): Promise<PruneReport> {
    return this.#turns.run('keep', () => this.#prune(dryRun, setImmediate))
  }

  /** Records that an own entry is redacted, then drops its body; each other member does so as it hears. Errors: `redaction-…`. */
  redact(entry: Entry, reason: string): Promise<RedactReport> {
    return this.#turns.run('keep', () => this.#redact(entry, reason))
  }

  async #redact(entry: Entry, reason: string): Promise<RedactReport> {
    this.#requireWriter()
    const { home, logs } = this.#daemon
    const { author, seq, hash, kind, study } = entry
    const nowMs = this.#nowMs()
    const redacted = logs.redactions.has(seq)
    const { retention } = home.config
    const refusal = redactionRefusal({ entry, self: home.key.id, reason, redacted, retention, nowMs })
    if (refusal !== null) throw new ConsiliumError(refusal)
    const body = { seq, hash: entry.leaf, reason }
    const draft: Draft = { kind: 'operator.redacted', study, timeMs: nowMs, refs: [[author, seq, hash]], body }
    await this.#record([draft], new Map())
    await logs.redactions.drop([entry])
    return { member: author, seq, kind, hash, reason }
  }

  async #prune(dryRun: boolean, rest: () => Promise<void>): Promise<PruneReport> {
    if (!dryRun) this.#requireWriter()
    const { home, logs } = this.#daemon
    const { retention } = home.config
    const times = pruningTimes(retention, this.#nowMs())
    if (!dryRun) for (const [member, pruned] of await logs.pruner.unrecorded()) await this.#recordPruned(member, pruned)
    const disputed = logs.forked()
    const found: PruneReport['logs'][number][] = []
    for (const member of logs.authors()) {
      if (times.size === 0 || retention.legalHold === true || disputed.includes(member)) continue
      const pruned = await logs.pruner.prune(member, logs.tip(member).size, times, { dryRun, rest })
      if (!dryRun) await this.#recordPruned(member, pruned)
      found.push(...pruned.map((one) => ({ name: this.#daemon.nameOf(member), member, ...one })))
    }
    return {
      dryRun,
      legalHold: retention.legalHold,
      keepDays: PRUNABLE_CLASSES.map((name) => ({ class: name, days: retention[name].keepDays })),
      disputed: disputed.map((member) => this.#daemon.nameOf(member)),
      logs: found,
    }
  }

  async #recordPruned(member: MemberId, pruned: readonly Pruned[]): Promise<void> {
    const timeMs = this.#nowMs()
    const drafts = pruned.map((one): Draft => {
      return { kind: 'operator.pruned', study: null, timeMs, refs: [], body: { member: fromHex(member), ...one } }
    })
    if (drafts.length > 0) await this.#record(drafts, recorded(member))
  }

  /** Resolves when the entries are durable, with the state that belongs to them. */
  async #record(drafts: readonly Draft[], state: ReadonlyMap<string, null>): Promise<void> {
    const writer = this.#requireWriter()
    writer.record('kept', drafts, state)
    await writer.flush()
  }

  /** What cannot be recorded is not done. Error: `boot-fence`. */
  #requireWriter(): Pick<LedgerWriter, 'record' | 'flush'> {
    const { writer } = this.#daemon
    if (writer === null) throw new ConsiliumError(FENCED)
    return writer
  }
}
