/**
 * Tells of predictions: each run at once in the journal, and all together in one entry every few seconds, so that nobody who predicts waits for
 * a signature and a disk. Order: run in the journal → answer → entry, its runs and their count in one batch → journal emptied. A start finishes what a stop cut
 * off, and tells of no run twice.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import { type Body, type Kind, readBody } from '../governance/kinds.ts'
import { byModel, decodeRuns, encodeRuns, runLeaf, servedBody, type UseRun, usedBody } from '../governance/uses.ts'
import type { Entry } from '../ledger/entry.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import { exists } from './files.ts'
import type { Home } from './home.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import { Turns } from './turns.ts'
import { type NumberedRun, UseJournal } from './useJournal.ts'

export const USE_TIMING = {
  everyMs: 5_000, // how long an entry may lag behind a prediction
  runsMax: 1_000, // of one entry: the hashes over them take some milliseconds
  waitingMax: 8_000, // runs in memory while the disk is slow, 3 MB; who predicts waits for it then
}

const TOLD = 'uses/told'

/** What a desk needs of its daemon. `writer` is null until the daemon may sign. */
export interface UseDeskParts {
  readonly home: Pick<Home, 'paths' | 'dataKey'>
  readonly writer: Pick<LedgerWriter, 'record' | 'flush'> | null
  readonly people: { readonly people: { readonly required: unknown } }
}

/** One per daemon. */
export class UseDesk {
  readonly #parts: UseDeskParts
  readonly #store: () => Pick<LogStore, 'getState'>
  readonly #timing: typeof USE_TIMING
  readonly #turns = new Turns<'tell'>()
  #opening: Promise<UseJournal> | null = null
  #pending: NumberedRun[] = []
  #wake: () => void = () => undefined

  constructor(parts: UseDeskParts, store: () => Pick<LogStore, 'getState'>, timing: typeof USE_TIMING = USE_TIMING) {
    this.#parts = parts
    this.#store = store
    this.#timing = timing
  }

  /**
   * Keeps a run; who called may answer then. Where people sign, and in a folder without a data key, its entry is written first. What cannot be
   * recorded is not done. Errors: `boot-fence`, `use-journal-sealed`, `file-not-writable`.
   */
  async note(run: UseRun): Promise<void> {
    const { writer, people, home } = this.#parts
    if (writer === null) throw new ConsiliumError(FENCED)
    if (people.people.required !== null || home.dataKey === null) {
      writer.record('model', [draftOf('model.used', run, usedBody(run))], new Map([kept(runLeaf(run), [run])]))
      return writer.flush()
    }
    const number = await this.#add(run, home.dataKey)
    this.#pending.push({ number, run })
    if (this.#pending.length >= this.#timing.runsMax) this.#wake()
    if (this.#pending.length >= this.#timing.waitingMax) await this.tell()
  }

  /** Writes the entries about all runs that none tells of; durable when it resolves. Nothing while nothing may be signed. */
  async tell(): Promise<void> {
    await this.#turns.run('tell', async () => {
      const { dataKey } = this.#parts.home
      if (dataKey === null || this.#parts.writer === null) return
      if (this.#opening === null && !(await exists(this.#parts.home.paths.uses))) return // nobody has predicted here
      const journal = await this.#journal(dataKey)
      while (this.#pending.length > 0) await this.#tellOf(journal, this.#pending.slice(0, this.#timing.runsMax))
    })
  }

  /** Tells of what a start finds, then every few seconds, until `signal` aborts; what fails is told, and tried again. */
  async run(signal: AbortSignal, failed: (error: unknown) => void): Promise<void> {
    while (!signal.aborted) {
      await this.tell().catch(failed)
      const { promise: woken, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await Promise.race([woken, wait(this.#timing.everyMs, undefined, { signal }).catch(() => undefined)])
    }
  }

  /** Runs that no entry tells of yet. */
  get untold(): number {
    return this.#pending.length
  }

  /** Runs that an own entry tells of, in its order; null where they are not kept. Of an entry of another kind as well. */
  async runsOf({ kind, body }: Pick<Entry, 'kind' | 'body'>): Promise<UseRun[] | null> {
    const commitment =
      kind === 'model.served'
        ? readBody(kind, body)?.root
        : kind === 'model.used'
          ? readBody(kind, body)?.run
          : undefined
    const bytes = commitment === undefined ? undefined : await this.#store().getState(keyOf(commitment))
    return bytes === undefined ? null : decodeRuns(bytes)
  }

  async close(): Promise<void> {
    const journal = await this.#opening?.catch(() => null)
    await journal?.close()
  }

  async #tellOf(journal: UseJournal, told: readonly NumberedRun[]): Promise<void> {
    const { writer } = this.#parts
    if (writer === null) throw new ConsiliumError(FENCED)
    const groups = byModel(told.map(({ run }) => run))
    const bodies = groups.map(servedBody)
    const drafts = bodies.map((body, i) => draftOf('model.served', (groups[i] as UseRun[])[0] as UseRun, body))
    const next = (told.at(-1) as NumberedRun).number + 1
    const state = new Map([[TOLD, encodeCbor(next)], ...bodies.map(({ root }, i) => kept(root, groups[i] as UseRun[]))])
    writer.record('uses', drafts, state)
    await writer.flush()
    this.#pending.splice(0, told.length)
    await journal.forget(next)
  }

  /** After a failure the file is read again: half a record may be at its end. */
  async #add(run: UseRun, dataKey: Uint8Array): Promise<number> {
    const journal = await this.#journal(dataKey)
    try {
      return await journal.add(run)
    } catch (error) {
      this.#opening = null
      await journal.close()
      throw error
    }
  }

  #journal(dataKey: Uint8Array): Promise<UseJournal> {
    this.#opening ??= this.#open(dataKey).catch((error: unknown) => {
      this.#opening = null
      throw error
    })
    return this.#opening
  }

  async #open(dataKey: Uint8Array): Promise<UseJournal> {
    const bytes = await this.#store().getState(TOLD)
    const told = bytes === undefined ? 0 : (decodeCbor(bytes) as number)
    const journal = new UseJournal(this.#parts.home.paths.uses, dataKey)
    this.#pending = await journal.open(told)
    return journal
  }
}

const keyOf = (commitment: Uint8Array): string => `uses/runs/${toHex(commitment)}`

const kept = (commitment: Uint8Array, runs: readonly UseRun[]): [string, Uint8Array] => [
  keyOf(commitment),
  encodeRuns(runs),
]

function draftOf<K extends Kind>(kind: K, { study }: UseRun, body: Body<K>): Draft {
  return { kind, study, timeMs: Date.now(), refs: [], body: body as unknown as Cbor }
}
