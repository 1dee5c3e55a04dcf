/** Whoever wants each entry as it becomes durable here: open `log tail` commands, and the desk where people sign. */
import { ConsiliumError } from '../core/errors.ts'
import type { Entry } from '../ledger/entry.ts'

const FOLLOWERS_MAX = 64 // more than the terminals of one hospital

/** One per daemon. Followers are called synchronously within a commit or a fetch, so they must not throw. */
export class Followers {
  readonly #each = new Set<(entry: Entry) => void>()

  /** Calls `each` for every further entry until the returned function is called. Error: `too-many-followers`. */
  add(each: (entry: Entry) => void): () => void {
    if (this.#each.size >= FOLLOWERS_MAX) {
      const message = `${FOLLOWERS_MAX} commands follow the log already; end one of them`
      throw new ConsiliumError({ code: 'too-many-followers', message })
    }
    this.#each.add(each)
    return () => this.#each.delete(each)
  }

  tell(entries: readonly Entry[]): void {
    for (const entry of entries) for (const each of this.#each) each(entry)
  }
}
