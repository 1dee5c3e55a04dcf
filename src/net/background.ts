/** Work that nobody awaits: kept in a set that `stop` aborts and drains, each piece within its time. */

/** Bounded by its users: each starts a piece of work per member or dial at most. */
export class Background {
  readonly #running = new Set<Promise<void>>()
  readonly #controllers = new Set<AbortController>()
  #stopped = false

  /** Starts a piece of work; what it throws is dropped, since its effect (or the lack of it) is what its caller looks at. */
  run(work: () => Promise<void>): void {
    if (this.#stopped) return
    const running = work().catch(() => {})
    this.#running.add(running)
    void running.then(() => this.#running.delete(running))
  }

  /** Runs `work` with a signal that aborts after `ms` or at `stop`. */
  async within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(new Error('timed out')), ms)
    this.#controllers.add(controller)
    try {
      if (this.#stopped) controller.abort(new Error('stopping'))
      return await work(controller.signal)
    } finally {
      clearTimeout(timer)
      this.#controllers.delete(controller)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const controller of this.#controllers) controller.abort(new Error('stopping'))
    await Promise.all(this.#running)
  }
}
