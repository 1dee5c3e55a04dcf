/** Reports peers that are not members, each at most once per interval, from a bounded memory. Pure. */

const REMEMBERED_MAX = 1_024 // a scan from a thousand identities; beyond it the oldest are forgotten, and may be reported again

/** Peers are PeerId text, times milliseconds. */
export class Strangers {
  readonly #reportEveryMs: number
  readonly #reportedMs = new Map<string, number>()
  constructor(reportEveryMs: number) {
    this.#reportEveryMs = reportEveryMs
  }

  /** True when this appearance is to be reported. */
  seen(peer: string, now: number): boolean {
    const before = this.#reportedMs.get(peer)
    if (before !== undefined && now - before < this.#reportEveryMs) return false
    this.#reportedMs.delete(peer) // so that the map stays in order of reports
    this.#reportedMs.set(peer, now)
    const oldest = this.#reportedMs.keys().next().value
    if (this.#reportedMs.size > REMEMBERED_MAX && oldest !== undefined) this.#reportedMs.delete(oldest)
    return true
  }
}
