/** Reads all stored logs through, slowly and again each day: LevelDB can lose or spoil an entry and say nothing. */
import { setTimeout } from 'node:timers/promises'
import type { MemberId } from '../core/ids.ts'
import type { FactReader } from './factReader.ts'

export const SCRUB_TIMING = {
  firstMs: 60_000, // a start has better to do
  againMs: 24 * 3_600_000, // bits rot over months
  restMs: 45, // between slices of 5 ms: a tenth of one core, some 4,000 entries a second
}

/** When the logs were last read through to their ends without a fault, and how many entries there were. */
export interface ReadThrough {
  readonly atMs: number
  readonly entries: number
}

interface Scrubbed {
  readonly facts: Pick<FactReader, 'readThrough'>
  authors(): readonly MemberId[]
}

/** One per daemon; `run` once. A store that lost an entry in silence may have lost more, so that `onDamaged` ends the node. */
export class Scrub {
  readonly #logs: Scrubbed
  readonly #onDamaged: (error: unknown) => void
  readonly #timing: typeof SCRUB_TIMING
  #last: ReadThrough | null = null

  constructor(logs: Scrubbed, onDamaged: (error: unknown) => void, timing: typeof SCRUB_TIMING = SCRUB_TIMING) {
    this.#logs = logs
    this.#onDamaged = onDamaged
    this.#timing = timing
  }

  get last(): ReadThrough | null {
    return this.#last
  }

  /** Goes on until `signal` aborts it, or a log cannot be read to its end. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { firstMs, againMs, restMs } = this.#timing
    try {
      await setTimeout(firstMs, undefined, { signal })
      while (!signal.aborted) {
        let entries = 0
        for (const author of this.#logs.authors())
          entries += await this.#logs.facts.readThrough(author, () => setTimeout(restMs, undefined, { signal }))
        this.#last = { atMs: Date.now(), entries }
        await setTimeout(againMs, undefined, { signal })
      }
    } catch (error) {
      if (!signal.aborted) this.#onDamaged(error)
    }
  }
}
