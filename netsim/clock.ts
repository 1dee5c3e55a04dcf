/** Virtual time: runs what was planned, one thing after the other, each to its end before the next. */
import { invariant } from '../src/core/errors.ts'
import { EventQueue, type Planned } from './queue.ts'

/** What may be planned; a promise is awaited before time goes on, so that nothing depends on how long it took. */
export type Task = () => void | Promise<void>
/** What runs for every planned thing of one kind. */
export type Handler = (a: number, b: number) => void | Promise<void>

/** When a simulation begins, milliseconds since 1970: entries need a time of our days (2025-06-15T15:06:40Z). */
export const START_MS = 1_750_000_000_000

const PAUSE_EVENTS = 16_384 // some milliseconds of work: between them a signal or a progress bar has its turn

/** The one clock of a simulation. */
export class Clock {
  readonly #queue = new EventQueue(START_MS)
  readonly #handlers: Handler[] = []
  /** Tasks that are planned, by number; freed numbers are used again. */
  readonly #tasks: (Task | undefined)[] = []
  readonly #freeTasks: number[] = []
  readonly #taskKind: number
  #now = START_MS
  #events = 0
  #stopped = false

  constructor() {
    this.#taskKind = this.handler((task) => this.#runTask(task))
  }

  /** Milliseconds since 1970, virtual. */
  get now(): number {
    return this.#now
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return this.#now - START_MS
  }

  /** Things that have happened so far. */
  get events(): number {
    return this.#events
  }

  /** Names a kind of thing for `plan`: what a million nodes do costs no closure each. */
  handler(run: Handler): number {
    this.#handlers.push(run)
    return this.#handlers.length - 1
  }

  /** Plans a thing of `kind` for `delayMs` from now (not before now, whole milliseconds). */
  plan(delayMs: number, kind: number, a: number, b = 0): void {
    this.#queue.push(this.#now + (delayMs > 0 ? Math.ceil(delayMs) : 0), kind, a, b)
  }

  /** Plans `task` for `delayMs` from now (not before now, whole milliseconds). */
  after(delayMs: number, task: Task): void {
    const number = this.#freeTasks.pop() ?? this.#tasks.length
    this.#tasks[number] = task
    this.plan(delayMs, this.#taskKind, number)
  }

  /** Ends `run` after the thing that happens now. */
  stop(): void {
    this.#stopped = true
  }

  /** Runs until `done` or `stop`, until `endMs` after the start, or until nothing is planned any more. `pause` is awaited every so often. */
  async run(endMs: number, done?: () => boolean, pause?: () => Promise<void>): Promise<void> {
    const event: Planned = { atMs: 0, kind: 0, a: 0, b: 0 }
    const untilMs = START_MS + endMs
    while (!this.#stopped && done?.() !== true && this.#queue.pop(event, untilMs)) {
      this.#now = event.atMs
      const work = (this.#handlers[event.kind] as Handler)(event.a, event.b)
      if (work !== undefined) await work
      if (++this.#events % PAUSE_EVENTS === 0 && pause !== undefined) await pause()
    }
  }

  #runTask(number: number): void | Promise<void> {
    const task = this.#tasks[number]
    invariant(task !== undefined, 'a planned task runs once')
    this.#tasks[number] = undefined
    this.#freeTasks.push(number)
    return task()
  }
}
