/** Work that must not run side by side: by key, one after another. */

export class Turns<Key> {
  readonly #last = new Map<Key, Promise<unknown>>()

  /** Runs `work` after everything that was given for `key` before, whether that succeeded or not. */
  async run<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work, work)
    this.#last.set(key, turn)
    try {
      return await turn
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key)
    }
  }
}
