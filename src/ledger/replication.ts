/**
 * Who lacks what: from heads heard and ranges fetched, which range to ask of whom next. Pure: `now` is given, nothing waits. One fetch
 * per author at a time, few per peer, another peer after a failure.
 */
import { invariant } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'

/** Size and RFC 6962 root of one log, as stored or as signed in a head. */
export interface LogState {
  readonly author: MemberId
  readonly size: number
  readonly root: Digest
}

/** Ask `peer` for `author`'s entries `from` ≤ seq < `to`. */
export interface Fetch {
  readonly author: MemberId
  readonly peer: MemberId
  readonly from: number
  readonly to: number
}

/** What to do with a head: `verdict` for gossip; `reason` is a stable code, null where nothing is to be said. */
export interface Judgement {
  readonly verdict: 'accept' | 'ignore' | 'reject'
  readonly reason: string | null
  /** The head contradicts one that is held: keep both notes, the log is frozen. True once per author. */
  readonly fork: boolean
}

/** One log, for people: sizes are entries; `fetchingFrom` is null where no fetch is under way. */
export interface ReplicationView {
  readonly author: MemberId
  readonly size: number
  /** The largest size that a valid head told of. */
  readonly knownSize: number
  readonly fetchingFrom: MemberId | null
  readonly frozen: boolean
}

const FETCHES_PER_PEER_MAX = 4 // half of the streams that a peer lets one member open (LIMITS.streamsPerPeerMax)
const FETCHES_MAX = 16 // in all: 16 frames of 256 KiB in memory
const FETCH_MS = 60_000 // a fetch that lasts longer is asked of another peer too, where there is one: the first may trickle
const SOURCES_MAX = 8 // peers remembered per author as having what is lacked
const ROOTS_MAX = 16 // stored sizes per author whose roots are compared with late heads: 1,000 authors take about 3 MB
const BACKOFF_MS = 1_000 // after the first failure, doubled by each further one
const BACKOFF_MAX_MS = 60_000 // a peer that was away comes back to work within a minute
const BLAMED_FAILURES = 7 // one provable fault weighs as much as backing off to the maximum

interface Source {
  has: number
  failures: number
  notBeforeMs: number
}

interface Log {
  size: number
  /** Largest signed head heard beyond `size`. */
  wanted: LogState | null
  fetch: Fetch | null
  fetchSinceMs: number
  frozen: boolean
  /** Size of the newest head that gossip was told to carry on. */
  passedOn: number
  readonly sources: Map<MemberId, Source>
  /** Roots at sizes that were stored, newest last. */
  readonly roots: Map<number, Digest>
}

/** One per machine. Heads must have been verified before; `now` must not decrease. */
export class Replication {
  readonly #self: MemberId
  readonly #logs = new Map<MemberId, Log>()
  readonly #frozen: readonly MemberId[]
  /** Authors of whom more is wanted than is stored. */
  readonly #lacking = new Set<MemberId>()
  #now = Number.NEGATIVE_INFINITY
  /** The own log grows here and nowhere else. */
  #sealed = false

  /** `logs` is what is stored (authors not named have nothing), `frozen` the authors with fork evidence. */
  constructor(
    self: MemberId,
    authors: readonly MemberId[],
    logs: readonly LogState[],
    frozen: readonly MemberId[] = [],
  ) {
    this.#self = self
    this.#frozen = frozen
    this.admit(authors, logs)
  }

  /** Follows the logs of these too; `logs` is what is stored of them. */
  admit(authors: readonly MemberId[], logs: readonly LogState[] = []): void {
    for (const member of [...authors].sort(compareIds)) {
      if (this.#logs.has(member)) continue
      const stored = logs.find((log) => log.author === member)
      const size = stored?.size ?? 0
      const roots = new Map(stored !== undefined && size > 0 ? [[size, stored.root]] : [])
      this.#logs.set(member, {
        size,
        wanted: null,
        fetch: null,
        fetchSinceMs: 0,
        frozen: this.#frozen.includes(member),
        passedOn: 0,
        sources: new Map(),
        roots,
      })
    }
  }

  /**
   * A head whose signature is valid, heard from `from`: by gossip, or in a vector that was asked for. A contradiction is accepted, so that gossip carries
   * it on; for its evidence the shell keeps, beside the stored notes, the newest note heard of each author.
   */
  onHead(head: LogState, from: MemberId, now: number, gossip = false): Judgement {
    const log = this.#logs.get(head.author)
    if (log === undefined) return ignore('author-unknown')
    if (log.frozen) return ignore('log-frozen')
    if (this.#contradicts(log, head)) {
      this.#freeze(head.author, log)
      return { verdict: 'accept', reason: 'conflicting-heads', fork: true }
    }
    if (head.size < log.size) return ignore('head-not-newer')
    if (head.size > log.size) {
      if (head.author === this.#self && this.#sealed) return ignore('own-log-ahead')
      this.#noteSource(log, head, from, now)
      if (log.wanted !== null && head.size < log.wanted.size) return ignore('head-not-newer')
      log.wanted = { author: head.author, size: head.size, root: head.root }
      this.#lacking.add(head.author)
    }
    // the newest head is passed on even by a node that has it already, for gossip carries on only what is accepted; but only once
    if (!gossip) return ACCEPTED
    if (head.size <= log.passedOn) return ignore('head-known')
    log.passedOn = head.size
    return ACCEPTED
  }

  /** From now on the own log is written here; before, what a start finds missing of it is fetched like any other. */
  seal(): void {
    this.#sealed = true
    const own = this.#logs.get(this.#self)
    own?.sources.clear()
  }

  /** Own entries are durable under a new head. */
  onOwn(log: LogState): void {
    invariant(log.author === this.#self, 'own log')
    this.#store(log)
  }

  /**
   * A verified range is durable. Every fetch that `due` gave ends with one call at a size ≥ its `to`, or with `onFetchFailed`;
   * calls at smaller sizes before that tell of progress.
   */
  onFetched(stored: LogState): void {
    const log = this.#store(stored)
    if (log?.fetch && log.size >= log.fetch.to) {
      const source = log.sources.get(log.fetch.peer)
      if (source) source.failures = 0
      log.fetch = null
    }
    if (log) this.#prune(stored.author, log)
  }

  /** A fetch from `peer` ended early; `blame` when the peer's own bytes were at fault. */
  onFetchFailed(author: MemberId, peer: MemberId, blame: boolean, now: number): void {
    const log = this.#logs.get(author)
    if (log?.fetch?.peer !== peer) return
    log.fetch = null
    const source = log.sources.get(peer)
    if (source === undefined) return
    source.failures += blame ? BLAMED_FAILURES : 1
    source.notBeforeMs = now + Math.min(BACKOFF_MS * 2 ** Math.min(source.failures - 1, 16), BACKOFF_MAX_MS)
  }

  /** A peer's connection is gone: nothing more is asked of it until it tells of a head again. */
  onPeerGone(peer: MemberId): void {
    for (const log of this.#logs.values()) {
      log.sources.delete(peer)
      if (log.fetch?.peer === peer) log.fetch = null
    }
  }

  /** The fetches to start now, by author; they count as in flight from here on. */
  due(now: number): Fetch[] {
    this.#now = now
    const out: Fetch[] = []
    if (this.#lacking.size === 0) return out
    const load = this.#load()
    let total = [...load.values()].reduce((sum, n) => sum + n, 0)
    for (const author of [...this.#lacking].sort(compareIds)) {
      if (total >= FETCHES_MAX) break
      const log = this.#log(author)
      if (log.fetch !== null && now < log.fetchSinceMs + FETCH_MS) continue
      const peer = bestSource(author, log, now, load)
      if (peer === null) continue
      if (log.fetch !== null) this.onFetchFailed(author, log.fetch.peer, false, now)
      const to = Math.min((log.wanted as LogState).size, (log.sources.get(peer) as Source).has)
      log.fetch = { author, peer, from: log.size, to }
      log.fetchSinceMs = now
      load.set(peer, (load.get(peer) ?? 0) + 1)
      total++
      out.push(log.fetch)
    }
    return out
  }

  /** When `due` may next have something that it had not when it was last asked, or null when only an event can change that. */
  wakeAtMs(): number | null {
    let atMs = Number.POSITIVE_INFINITY
    for (const author of this.#lacking) {
      const log = this.#log(author)
      if (log.fetch !== null && log.sources.size < 2) continue
      const fromMs = log.fetch === null ? Number.NEGATIVE_INFINITY : log.fetchSinceMs + FETCH_MS
      for (const { notBeforeMs } of log.sources.values()) {
        const next = Math.max(notBeforeMs, fromMs)
        if (next > this.#now) atMs = Math.min(atMs, next)
      }
    }
    return Number.isFinite(atMs) ? atMs : null
  }

  /** What is known of every log, by author. */
  view(): ReplicationView[] {
    return [...this.#logs].map(([author, { size, wanted, fetch, frozen }]) => {
      return { author, size, knownSize: wanted?.size ?? size, fetchingFrom: fetch?.peer ?? null, frozen }
    })
  }

  #contradicts(log: Log, { size, root }: LogState): boolean {
    const held = log.roots.get(size) ?? (log.wanted?.size === size ? log.wanted.root : undefined)
    return held !== undefined && held !== root
  }

  /** One key signed conflicting heads: what is stored stays, and nothing more is fetched. */
  freeze(author: MemberId): void {
    const log = this.#logs.get(author)
    if (log !== undefined) this.#freeze(author, log)
  }

  /** Its author has left: nothing beyond `pin` is wanted any more. */
  end(pin: LogState): void {
    const log = this.#logs.get(pin.author)
    if (log === undefined || log.wanted === null || log.wanted.size <= pin.size) return
    log.wanted = pin
    this.#prune(pin.author, log)
  }

  #freeze(author: MemberId, log: Log): void {
    log.frozen = true
    log.wanted = null
    log.fetch = null
    log.sources.clear()
    this.#lacking.delete(author)
  }

  #noteSource(log: Log, head: LogState, from: MemberId, now: number): void {
    const known = log.sources.get(from)
    if (known !== undefined) {
      known.has = Math.max(known.has, head.size)
      return
    }
    if (log.sources.size >= SOURCES_MAX) {
      const worst = [...log.sources].reduce((a, b) => (b[1].failures > a[1].failures ? b : a))
      if (worst[1].failures === 0 && from !== head.author) return
      log.sources.delete(worst[0])
    }
    log.sources.set(from, { has: head.size, failures: 0, notBeforeMs: now })
  }

  #store(stored: LogState): Log | undefined {
    const log = this.#logs.get(stored.author)
    if (log === undefined || stored.size <= log.size) return log
    log.size = stored.size
    log.roots.set(stored.size, stored.root)
    if (log.roots.size > ROOTS_MAX) log.roots.delete(log.roots.keys().next().value as number)
    return log
  }

  /** Forgets a wish that has come true and sources that have nothing more. */
  #prune(author: MemberId, log: Log): void {
    for (const [peer, source] of log.sources) if (source.has <= log.size) log.sources.delete(peer)
    if (log.wanted === null || log.wanted.size > log.size) return
    log.wanted = null
    this.#lacking.delete(author)
  }

  #load(): Map<MemberId, number> {
    const load = new Map<MemberId, number>()
    for (const author of this.#lacking) {
      const peer = this.#log(author).fetch?.peer
      if (peer !== undefined) load.set(peer, (load.get(peer) ?? 0) + 1)
    }
    return load
  }

  #log(author: MemberId): Log {
    const log = this.#logs.get(author)
    invariant(log !== undefined, 'a member has a log')
    return log
  }
}

/** The source with the fewest failures; then the author itself, then who has most, then the smallest id. */
function bestSource(author: MemberId, log: Log, now: number, load: ReadonlyMap<MemberId, number>): MemberId | null {
  const free = [...log.sources].filter(([peer, { has, notBeforeMs }]) => {
    const busy = peer === log.fetch?.peer || (load.get(peer) ?? 0) >= FETCHES_PER_PEER_MAX
    return has > log.size && notBeforeMs <= now && !busy
  })
  const rank = (peer: MemberId) => (peer === author ? 0 : 1)
  free.sort(([a, x], [b, y]) => x.failures - y.failures || rank(a) - rank(b) || y.has - x.has || compareIds(a, b))
  return free[0]?.[0] ?? null
}

const ACCEPTED: Judgement = { verdict: 'accept', reason: null, fork: false }

function ignore(reason: string): Judgement {
  return { verdict: 'ignore', reason, fork: false }
}
