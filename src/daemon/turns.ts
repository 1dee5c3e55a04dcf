/** Work that must not run side by side: by key, one after another. */

/** Different keys run side by side; a key takes no memory while none of its work is under way. Unbounded: the caller bounds what it gives. */
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
