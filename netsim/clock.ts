/** Virtual time: runs what was planned, one thing after the other, each to its end before the next. */
import { EventQueue } from './queue.ts'

/** What may be planned; a promise is awaited before time goes on, so that nothing depends on how long it took. */
export type Task = () => void | Promise<void>

/** When a simulation begins, milliseconds since 1970: entries need a time of our days (2025-06-15T15:06:40Z). */
export const START_MS = 1_750_000_000_000

/** The one clock of a simulation. */
export class Clock {
  readonly #queue = new EventQueue<Task>()
  #now = START_MS
  #events = 0

  /** Milliseconds since 1970, virtual. */
  get now(): number {
    return this.#now
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return this.#now - START_MS
  }

  /** Tasks run so far. */
  get events(): number {
    return this.#events
  }

  /** Plans `task` for `delayMs` from now (not before now, whole milliseconds). */
  after(delayMs: number, task: Task): void {
    this.#queue.push(this.#now + Math.max(0, Math.ceil(delayMs)), task)
  }

  /** Runs until `done`, until `endMs` after the start, or until nothing is planned any more. */
  async run(endMs: number, done: () => boolean): Promise<void> {
    while (!done()) {
      const next = this.#queue.pop()
      if (next === null || next.atMs > START_MS + endMs) return
      this.#now = next.atMs
      this.#events++
      const work = next.item()
      if (work !== undefined) await work
    }
  }
}
