/**
 * What the stored logs tell of models and of patients' words, read once for all who ask: on request, from where it had come to, so that a node
 * that nobody asks reads nothing. Whole stretches of a log are kept in the database and need not be read again after a start. They are a short cut and nothing
 * else: one that does not fit the log, or of which a body was dropped since, is read from the log and kept anew.
 */
import { setImmediate } from 'node:timers/promises'
import { VERSION } from '../config/version.ts'
import { concat, equalBytes, utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/digest.ts'
import type { MemberId } from '../core/ids.ts'
import { Lineages } from '../governance/lineages.ts'
import { OwnRounds } from '../governance/ownRounds.ts'
import { decodeTraces, encodeTraces, type Trace, traceOf } from '../governance/traces.ts'
import { decodeEntry } from '../ledger/entry.ts'
import type { LogStore } from '../ledger/store.ts'
import { lacking } from './logSlices.ts'
import type { Logs } from './logs.ts'
import { STRETCH, stretchOf } from './stretches.ts'
import { Turns } from './turns.ts'

const SLICE = 200 // entries looked at before the event loop gets its turn: about 5 ms where all are rounds
const READER = sha256(utf8(`traces 1 ${VERSION}`)) // what another version read is read again
const CHECK_BYTES = 32

/** What it works with. */
export interface LogTracesParts {
  readonly logs: Pick<Logs, 'self' | 'authors' | 'sizeOf' | 'entries'>
  readonly store: Pick<LogStore, 'getState' | 'putState'>
}

/** One per daemon. In memory about 200 bytes for each model and each own round, and 4 for each input of a merge. */
export class LogTraces {
  readonly #parts: () => LogTracesParts
  readonly #lineages = new Lineages()
  readonly #own = new OwnRounds()
  readonly #read = new Map<MemberId, number>()
  /** Of the stretch that is being read, where it was read from its beginning. */
  readonly #stretch = new Map<MemberId, Trace[]>()
  readonly #turns = new Turns<'read'>()

  constructor(parts: () => LogTracesParts) {
    this.#parts = parts
  }

  /** Everything that the logs here tell now. Errors: those of `decodeEntry`, where the store is damaged. */
  lineages(): Promise<Lineages> {
    return this.#turns.run('read', async () => {
      for (const author of this.#parts().logs.authors()) await this.#catchUp(author)
      return this.#lineages
    })
  }

  /** Everything that the own log tells now. Errors: as above. */
  own(): Promise<OwnRounds> {
    return this.#turns.run('read', async () => {
      await this.#catchUp(this.#parts().logs.self)
      return this.#own
    })
  }

  async #catchUp(author: MemberId): Promise<void> {
    const { logs } = this.#parts()
    const { size } = logs.sizeOf(author)
    for (let from = this.#read.get(author) ?? 0; from < size; from = this.#read.get(author) ?? 0) {
      const end = from - (from % STRETCH) + STRETCH
      const kept = from % STRETCH === 0 && end <= size ? await this.#kept(author, end) : null
      if (kept !== null) this.#take(author, decodeTraces(kept), end)
      else await this.#readOn(author, from, Math.min(size, from + SLICE, end))
      await setImmediate()
    }
  }

  async #readOn(author: MemberId, from: number, to: number): Promise<void> {
    if (from % STRETCH === 0) this.#stretch.set(author, [])
    const raws = await this.#parts().logs.entries(author, from, to)
    if (raws.length === 0) throw lacking(author, from)
    const traces = raws.map(traceOf).filter((trace) => trace !== null)
    const stretch = this.#stretch.get(author)
    stretch?.push(...traces)
    this.#take(author, traces, from + raws.length)
    if ((from + raws.length) % STRETCH !== 0 || stretch === undefined) return
    this.#stretch.delete(author)
    await this.#keep(author, from + raws.length, raws.at(-1) as Uint8Array, stretch)
  }

  #take(author: MemberId, traces: Iterable<Trace>, read: number): void {
    const isOwn = author === this.#parts().logs.self
    for (const trace of traces) {
      this.#lineages.add(author, trace)
      if (isOwn) this.#own.take(trace)
    }
    this.#read.set(author, read)
  }

  /** The stretch that ends before `end`, where it is the one of this log. */
  async #kept(author: MemberId, end: number): Promise<Uint8Array | null> {
    const { logs, store } = this.#parts()
    const bytes = await store.getState(stretchOf(author, end - 1))
    const [last] = bytes === undefined ? [] : await logs.entries(author, end - 1, end)
    if (bytes === undefined || last === undefined) return null
    return equalBytes(bytes.subarray(0, CHECK_BYTES), checkOf(last)) ? bytes.subarray(CHECK_BYTES) : null
  }

  /** What could not be kept is read again after the next start. */
  async #keep(author: MemberId, end: number, last: Uint8Array, traces: readonly Trace[]): Promise<void> {
    const bytes = concat([checkOf(last), encodeTraces(traces)])
    await this.#parts()
      .store.putState(new Map([[stretchOf(author, end - 1), bytes]]))
      .catch(() => undefined)
  }
}

/** Links go through all entries before the last, so that its hash says which log it is. */
const checkOf = (last: Uint8Array): Uint8Array => sha256(READER, decodeEntry(last).leaf)
