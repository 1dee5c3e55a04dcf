/** Drives the machine: one event at a time, its actions carried out in order, its timer kept. */
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Machine } from '../node/machine.ts'
import type { Recorder } from './recorder.ts'

/** One per daemon. `carryOut` is called synchronously, before the next event; `onFailed` at most once. */
export class Driver {
  readonly #machine: Machine
  readonly #carryOut: (action: Action) => void
  readonly #recorder: Recorder | null
  readonly #onFailed: (error: unknown) => void
  readonly #queue: NodeEvent[] = []
  #draining = false
  #timer: NodeJS.Timeout | null = null
  #wakeAtMs = Number.POSITIVE_INFINITY
  /** The machine's time, and the monotonic clock when it was that. */
  #now = { ms: 0, at: 0 }
  #booted = false
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
    if (event.type === 'booted') {
      this.#booted = true
      this.#queue.unshift(event)
    } else this.#queue.push(event) // the network may speak before the logs are read: it waits for `booted`
    if (this.#draining || !this.#booted) return
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
    const now = this.#advance()
    const actions = this.#machine.step(event, now)
    this.#recorder?.write(now, event, actions)
    let wakeAtMs = Number.POSITIVE_INFINITY
    for (const action of actions) {
      if (action.type === 'wake') wakeAtMs = action.atMs
      else this.#carryOut(action)
    }
    this.#schedule(wakeAtMs)
  }

  /** The wall clock, except where that was set back: then time goes on from where it was, neither backwards nor standing still. */
  #advance(): number {
    const at = performance.now()
    const onward = Math.floor(this.#now.ms + (at - this.#now.at))
    const wall = Date.now()
    if (wall >= this.#now.ms) this.#now = { ms: wall, at }
    else if (onward > this.#now.ms) this.#now = { ms: onward, at: this.#now.at + (onward - this.#now.ms) }
    return this.#now.ms
  }

  #schedule(atMs: number): void {
    if (this.#stopped || (atMs === this.#wakeAtMs && this.#timer !== null)) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#wakeAtMs = atMs
    if (!Number.isFinite(atMs)) return
    const delayMs = Math.min(Math.max(0, atMs - this.#now.ms), DELAY_MS_MAX)
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.feed({ type: 'woken' })
    }, delayMs)
  }
}

const DELAY_MS_MAX = 3_600_000 // setTimeout overflows at 2^31 ms; waking early is harmless
