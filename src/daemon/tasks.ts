/** Work that nothing waits for: its failures are said, and a stop can wait until the last of it has ended. */

/** `onFailed` hears of each failure once; whoever calls `run` hears nothing of it. */
export class Tasks {
  readonly #running = new Set<Promise<void>>()
  readonly #onFailed: (what: string, error: unknown) => void

  constructor(onFailed: (what: string, error: unknown) => void) {
    this.#onFailed = onFailed
  }

  run(what: string, work: () => Promise<unknown>): void {
    const running = work().then(
      () => undefined,
      (error: unknown) => this.#onFailed(what, error),
    )
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  async drained(): Promise<void> {
    await Promise.all(this.#running)
  }
}
