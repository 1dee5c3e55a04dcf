/** Reads that go on for a while: LevelDB keeps the files that they are read from, so what must leave the disk waits for them, and they for it. */

/** Of one database. */
export class Readings {
  readonly #open = new Set<Promise<void>>()
  #rewriting: Promise<void> | null = null

  /** Begins a read when no file is being rewritten; gives what ends it. */
  async begin(): Promise<() => void> {
    while (this.#rewriting !== null) await this.#rewriting.catch(() => undefined)
    let end = (): void => undefined
    const reading = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#open.add(reading)
    return () => {
      this.#open.delete(reading)
      end()
    }
  }

  /** Does it when no read goes on; those that begin meanwhile wait. One at a time. Errors: those of `rewrite`. */
  async alone(rewrite: () => Promise<void>): Promise<void> {
    this.#rewriting = Promise.all(this.#open).then(rewrite)
    await this.#rewriting.finally(() => {
      this.#rewriting = null
    })
  }
}
