/** Keeps the logs as `retention` in config.yaml asks: drops old bodies each day, redacts own entries, and records both. */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { PRUNABLE_CLASSES, type Retention } from '../config/retention.ts'
import { fromHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { correctionRefusal } from '../governance/correction.ts'
import { pruningTimes, redactionRefusal } from '../governance/retention.ts'
import { retoldIn } from '../governance/studyText.ts'
import type { Entry } from '../ledger/entry.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import type { CorrectReport, PruneReport, RedactReport } from './api.ts'
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
  redact(entry: Entry, reason: string, instead: Uint8Array | null = null): Promise<RedactReport> {
    return this.#turns.run('keep', () => this.#redact(entry, reason, instead))
  }

  /** Records that an own entry is wrong, and which other one of its own holds instead; both stay. Errors: `correction-…`. */
  correct(entry: Entry, by: Entry, reason: string): Promise<CorrectReport> {
    return this.#turns.run('keep', async () => {
      this.#requireWriter()
      const refusal = correctionRefusal({ entry, by, self: this.#daemon.home.key.id, reason })
      if (refusal !== null) throw new ConsiliumError(refusal)
      const body = { seq: entry.seq, hash: entry.leaf, reason }
      const refs: Draft['refs'] = [entry, by].map(({ author, seq, hash }) => [author, seq, hash] as const)
      const { study, kind, author, seq } = entry
      await this.#record([{ kind: 'operator.corrected', study, timeMs: this.#nowMs(), refs, body }], new Map())
      return { member: author, seq, kind, by: by.seq, reason }
    })
  }

  async #redact(entry: Entry, reason: string, document: Uint8Array | null): Promise<RedactReport> {
    this.#requireWriter()
    const { home, logs } = this.#daemon
    const { author, seq, hash, kind, study } = entry
    const nowMs = this.#nowMs()
    const redacted = logs.redactions.has(seq)
    const { retention } = home.config
    const refusal = redactionRefusal({ entry, self: home.key.id, reason, redacted, retention, nowMs, document })
    if (refusal !== null) throw new ConsiliumError(refusal)
    const instead: Record<string, Cbor> = document === null ? {} : { instead: { document, proposed: entry.timeMs } }
    const body = { seq, hash: entry.leaf, reason, ...instead }
    const draft: Draft = { kind: 'operator.redacted', study, timeMs: nowMs, refs: [[author, seq, hash]], body }
    await this.#record([draft], new Map())
    await logs.redactions.drop([{ author, seq, hash, instead: retoldIn(draft) }])
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
