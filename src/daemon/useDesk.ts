/**
 * Tells of predictions: each run at once in the journal, and all together in one entry every few seconds, so that nobody who predicts waits for
 * a signature and a disk; those of few rows when their hour is over. Order: run in the journal → answer → entry, its runs, those that wait still and their count in
 * one batch → journal emptied. A start finishes what a stop cut off, and tells of no run twice.
 */
import { toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import { type Body, type Kind, readBody } from '../governance/kinds.ts'
import { decodeRuns, encodeRuns, runLeaf, type UseRun, usedBody } from '../governance/uses.ts'
import { type ToldRuns, toldNow } from '../governance/useTelling.ts'
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
const LOST = 'uses/lost'
const HELD = 'uses/held'

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
  /** Runs before this number are told of, or among those that wait for the end of their hour. */
  #told = 0
  #held: readonly UseRun[] | null = null
  /** Runs that the journal had lost when it was opened, until an entry's batch has their number. */
  #lost = 0
  /** What nobody was told yet. */
  #damage: ConsiliumError | null = null
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
    runLeaf(run) // now, and not for a thousand at once when they are told of
    const number = await this.#add(run, home.dataKey)
    const isRead = number < this.#told || number <= (this.#pending.at(-1)?.number ?? -1) // the journal was opened anew meanwhile
    if (!isRead) this.#pending.push({ number, run })
    if (this.#pending.length >= this.#timing.runsMax) this.#wake()
    if (this.#pending.length >= this.#timing.waitingMax) await this.tell()
  }

  /**
   * Writes the entries about all runs that none tells of yet and that need not wait for the end of their hour; durable when it resolves. Those that come meanwhile wait for the next time, else
   * a busy server would write an entry for every few. Nothing while nothing may be signed.
   */
  async tell(): Promise<void> {
    await this.#turns.run('tell', async () => {
      const { dataKey } = this.#parts.home
      if (dataKey === null || this.#parts.writer === null) return
      if (this.#opening === null && !(await this.#hasRuns())) return // nobody has predicted here
      const journal = await this.#journal(dataKey)
      const last = this.#pending.at(-1)?.number ?? -1
      for (;;) {
        const next = this.#pending.slice(0, this.#timing.runsMax).filter(({ number }) => number <= last)
        const runs = [...(this.#held ?? []), ...next.map(({ run }) => run)]
        const { told, held } = toldNow(runs, Date.now(), this.#timing.runsMax - 1) // so that something is told of each full slice
        if (told.length === 0) return
        await this.#tellOf(journal, told, held, (next.at(-1)?.number ?? this.#told - 1) + 1)
      }
    })
  }

  /** Tells of what a start finds, then every few seconds, until `signal` aborts; what fails is told, and tried again. */
  async run(signal: AbortSignal, failed: (error: unknown) => void): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      await this.tell().catch(failed)
      if (this.#damage !== null) failed(this.#damage)
      this.#damage = null
      const { promise: woken, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const timer = setTimeout(resolve, this.#timing.everyMs)
      if (!signal.aborted) await woken
      clearTimeout(timer) // a busy server is woken many times before it is over
    }
  }

  /** Runs that no entry tells of yet. */
  get untold(): number {
    return (this.#held?.length ?? 0) + this.#pending.length
  }

  /** Runs that were answered for, and that a damaged journal lost before an entry told of them: at least so many, since the folder was made. */
  async lost(): Promise<number> {
    return this.#lost + (await this.#number(LOST))
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

  async #hasRuns(): Promise<boolean> {
    return (await exists(this.#parts.home.paths.uses)) || (await this.#store().getState(HELD)) !== undefined
  }

  /** `next`: the number of the first run that is neither among `told` nor among `held`. */
  async #tellOf(journal: UseJournal, told: readonly ToldRuns[], held: readonly UseRun[], next: number): Promise<void> {
    const { writer } = this.#parts
    if (writer === null) throw new ConsiliumError(FENCED)
    const drafts = told.map(({ runs, body }) => draftOf('model.served', runs[0] as UseRun, body))
    const lost = this.#lost
    const state = new Map([
      [TOLD, encodeCbor(next)],
      [HELD, encodeRuns(held)],
      [LOST, encodeCbor(await this.lost())],
      ...told.map(({ runs, body }) => kept(body.root, runs)),
    ])
    writer.record('uses', drafts, state)
    await writer.flush()
    this.#held = held
    this.#told = next
    this.#lost -= lost
    this.#pending = this.#pending.filter(({ number }) => number >= next) // the journal may have been opened anew meanwhile
    await journal.forget(next)
  }

  /** After a failure the file is read again: half a record may be at its end. */
  async #add(run: UseRun, dataKey: Uint8Array): Promise<number> {
    const opening = this.#journal(dataKey)
    const journal = await opening
    try {
      return await journal.add(run)
    } catch (error) {
      if (this.#opening === opening) this.#opening = null // several may fail together: the next is opened once
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
    const { uses } = this.#parts.home.paths
    const journal = new UseJournal(uses, dataKey)
    this.#told = Math.max(this.#told, await this.#number(TOLD))
    this.#held ??= await this.#heldBefore() // once: who opens the journal anew knows better
    const { runs, lost } = await journal.open(this.#told)
    this.#pending = runs.filter(({ number }) => number >= this.#told)
    this.#lost = lost
    if (lost > 0) this.#damage = damaged(uses, lost, this.#pending.length)
    return journal
  }

  async #heldBefore(): Promise<readonly UseRun[]> {
    const bytes = await this.#store().getState(HELD)
    return bytes === undefined ? [] : decodeRuns(bytes)
  }

  async #number(name: string): Promise<number> {
    const bytes = await this.#store().getState(name)
    return bytes === undefined ? 0 : (decodeCbor(bytes) as number)
  }
}

function damaged(path: string, lost: number, kept: number): ConsiliumError {
  const message = `${path}: is damaged: at least ${lost} runs of predictions that were answered for cannot be read, and no entry will tell of them; ${kept} others are told of; look at the disk`
  return new ConsiliumError({ code: 'use-journal-damaged', message })
}

const keyOf = (commitment: Uint8Array): string => `uses/runs/${toHex(commitment)}`

const kept = (commitment: Uint8Array, runs: readonly UseRun[]): [string, Uint8Array] => [
  keyOf(commitment),
  encodeRuns(runs),
]

function draftOf<K extends Kind>(kind: K, { study }: UseRun, body: Body<K>): Draft {
  return { kind, study, timeMs: Date.now(), refs: [], body: body as unknown as Cbor }
}
