/** Reads: LevelDB keeps the files that they are read from, be it for a microsecond, so what must leave the disk waits for them, and they for it. */

/** Of one database. */
export class Readings {
  readonly #open = new Set<Promise<void>>()
  readonly #copies = new Set<Promise<void>>()
  readonly #drops = new Set<Promise<void>>()
  #rewriting: Promise<void> | null = null

  /** Begins a read when no file is being rewritten; gives what ends it. */
  async begin(): Promise<() => void> {
    while (this.#rewriting !== null) await this.#rewriting.catch(() => undefined)
    return entered(this.#open)
  }

  /** Does it when no read goes on; those that begin meanwhile wait. One at a time. Errors: those of `rewrite`. */
  async alone(rewrite: () => Promise<void>): Promise<void> {
    this.#rewriting = Promise.all(this.#open).then(rewrite)
    await this.#rewriting.finally(() => {
      this.#rewriting = null
    })
  }

  /** A read of everything as it was at one moment, which may take minutes: reads and writes go on, and what is to be dropped waits for it. */
  async *copy<T>(rows: () => AsyncIterable<T>): AsyncGenerator<T> {
    while (this.#drops.size > 0) await Promise.all(this.#drops)
    const end = entered(this.#copies)
    try {
      yield* rows()
    } finally {
      end()
    }
  }

  /** Does it when no copy is made, which would keep what is dropped in the files for good; those that begin meanwhile wait. Errors: those of `drop`. */
  async uncopied(drop: () => Promise<void>): Promise<void> {
    const end = entered(this.#drops)
    try {
      await Promise.all(this.#copies)
      await drop()
    } finally {
      end()
    }
  }
}

/** Adds a promise to `ongoing`; gives what fulfils it, and takes it away. */
function entered(ongoing: Set<Promise<void>>): () => void {
  let fulfil = (): void => undefined
  const promise = new Promise<void>((resolve) => {
    fulfil = resolve
  })
  ongoing.add(promise)
  return () => {
    ongoing.delete(promise)
    fulfil()
  }
}
