/** Reports peers that are not members, each at most once per interval and few in all, from a bounded memory. Pure. */

const REMEMBERED_MAX = 1_024 // a scan from a thousand identities; beyond it the oldest are forgotten, and may be reported again

const REPORTS_MAX = 10 // per interval in all: keys cost nothing, and a new one for each connection must not fill the log

/** Peers are PeerId text, times milliseconds. */
export class Strangers {
  readonly #reportEveryMs: number
  readonly #reportedMs = new Map<string, number>()
  #interval = { sinceMs: Number.NEGATIVE_INFINITY, reports: 0 }
  constructor(reportEveryMs: number) {
    this.#reportEveryMs = reportEveryMs
  }

  /** True when this appearance is to be reported. */
  seen(peer: string, now: number): boolean {
    const before = this.#reportedMs.get(peer)
    if (before !== undefined && now - before < this.#reportEveryMs) return false
    if (now - this.#interval.sinceMs >= this.#reportEveryMs) this.#interval = { sinceMs: now, reports: 0 }
    if (++this.#interval.reports > REPORTS_MAX) return false
    this.#reportedMs.delete(peer) // so that the map stays in order of reports
    this.#reportedMs.set(peer, now)
    const oldest = this.#reportedMs.keys().next().value
    if (this.#reportedMs.size > REMEMBERED_MAX && oldest !== undefined) this.#reportedMs.delete(oldest)
    return true
  }
}
