/** Drives the machine: one event at a time, its actions carried out in order, its timer kept. */
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Machine } from '../node/machine.ts'
import type { Recorder } from './recorder.ts'

export class Driver {
  readonly #machine: Machine
  readonly #carryOut: (action: Action) => void
  readonly #recorder: Recorder | null
  readonly #onFailed: (error: unknown) => void
  readonly #queue: NodeEvent[] = []
  #draining = false
  #timer: NodeJS.Timeout | null = null
  #wakeAtMs = Number.POSITIVE_INFINITY
  #lastMs = 0
  #stopped = false

  constructor(
    machine: Machine,
    carryOut: (action: Action) => void,
    recorder: Recorder | null,
    onFailed: (error: unknown) => void,
  ) {
    this.#machine = machine
    this.#carryOut = carryOut
    this.#recorder = recorder
    this.#onFailed = onFailed
  }

  /**
   * Takes an event; actions may feed further events, which wait their turn. An error in between is our own bug and leaves the
   * machine ahead of what was carried out, so nothing more is driven, and `onFailed` is told; the caller is not to blame.
   */
  feed = (event: NodeEvent): void => {
    if (this.#stopped) return
    this.#queue.push(event)
    if (this.#draining) return
    this.#draining = true
    try {
      for (let next = this.#queue.shift(); next !== undefined && !this.#stopped; next = this.#queue.shift())
        this.#step(next)
    } catch (error) {
      this.stop()
      this.#onFailed(error)
    } finally {
      this.#draining = false
    }
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #step(event: NodeEvent): void {
    this.#lastMs = Math.max(this.#lastMs, Date.now()) // a clock set back must not run the machine backwards
    const actions = this.#machine.step(event, this.#lastMs)
    this.#recorder?.write(this.#lastMs, event, actions)
    let wakeAtMs = Number.POSITIVE_INFINITY
    for (const action of actions) {
      if (action.type === 'wake') wakeAtMs = action.atMs
      else this.#carryOut(action)
    }
    this.#schedule(wakeAtMs)
  }

  #schedule(atMs: number): void {
    if (this.#stopped || (atMs === this.#wakeAtMs && this.#timer !== null)) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#wakeAtMs = atMs
    if (!Number.isFinite(atMs)) return
    const delayMs = Math.min(Math.max(0, atMs - Date.now()), DELAY_MS_MAX)
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.feed({ type: 'woken' })
    }, delayMs)
  }
}

const DELAY_MS_MAX = 3_600_000 // setTimeout overflows at 2^31 ms; waking early is harmless
