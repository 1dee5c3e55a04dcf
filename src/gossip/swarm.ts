/**
 * Who is asked for which chunks. The author is asked only for what nobody else has, and chooses itself what it has given to nobody yet, so
 * that its uplink carries each chunk about once; all else comes from whoever has it, the rarest first (Cohen 2003, BitTorrent). What others
 * say that they have is believed no longer than the author has something else to give: then it is asked for that too, and it knows what it
 * gave to nobody. Pure: the time and the chance are arguments.
 */
import type { Digest, MemberId } from '../core/ids.ts'
import type { Rng } from '../core/rng.ts'
import { Bitfield } from './bitfield.ts'

export const SWARM = {
  requestsPerPeer: 2, // one is answered while the next is on its way; half of the streams stay free for the ledger
  chunksPerRequest: 4, // 64 KiB or more for each round trip, and still spread over many peers
  firstPerRequest: 1, // of the author: the next is asked for when this one has come, so that a slow uplink has few on the way, and they spread soon
  restMs: 500, // after an answer without chunks, or a first failure: what was asked for may have spread by then
  restMsMax: 30_000, // of a peer that fails again and again
  patienceMs: 10_000, // without a new chunk for so long, or so long after it gave out the last, the author is asked for what others were to pass on
  giveUpMs: 120_000, // without a new chunk for so long, nobody can serve it
  giveWayMs: 30_000, // where a newer update waits behind it: its author was pressed for three times its patience
} as const

/**
 * Ask `peer` for at most `count` of the chunks in `wanted`; `first`: only for such as it gave to nobody yet; `claimed`: others say that they
 * have them.
 */
export interface ChunkRequest {
  readonly peer: MemberId
  readonly id: Digest
  readonly wanted: Bitfield
  readonly count: number
  readonly first: boolean
  readonly claimed: boolean
}

interface Fetch {
  /** Who signed for this payload: one, or the author and those who copied from it. */
  readonly authors: Set<MemberId>
  readonly have: Bitfield
  /** Asked for by name, and not here yet. */
  readonly busy: Bitfield
  /** How many peers, the authors aside, have each chunk. */
  readonly holders: Uint16Array
  readonly has: Map<MemberId, Bitfield>
  /** Who sent a wrong chunk. */
  readonly banned: Set<MemberId>
  progressAtMs: number
  /** When an author had given to others all that is lacking here, who have their time to pass it on; null before. */
  spreadAtMs: number | null
  giveUpMs: number
  /** The author was waited for long enough. */
  isPressed: boolean
}

interface Peer {
  open: number
  failures: number
  restUntilMs: number
}

/** One per node. */
export class Swarm {
  readonly #rng: Rng
  readonly #fetches = new Map<Digest, Fetch>()
  readonly #peers = new Map<MemberId, Peer>()

  constructor(rng: Rng) {
    this.#rng = rng
  }

  get size(): number {
    return this.#fetches.size
  }

  /**
   * Starts to fetch, or where it is being fetched notes another author; `have` is kept up by the caller, before it reports what was
   * `received`.
   */
  want(id: Digest, author: MemberId, have: Bitfield, now: number): void {
    const known = this.#fetches.get(id)
    if (known !== undefined) return alsoBy(known, author)
    const { length } = have
    const [has, banned] = [new Map<MemberId, Bitfield>(), new Set<MemberId>()]
    const counts = { busy: new Bitfield(length), holders: new Uint16Array(length) }
    this.#fetches.set(id, {
      authors: new Set([author]),
      have,
      ...counts,
      has,
      banned,
      progressAtMs: now,
      spreadAtMs: null,
      giveUpMs: SWARM.giveUpMs,
      isPressed: false,
    })
  }

  /** A newer update waits until this one is here, or makes no progress. */
  hurry(id: Digest): void {
    const fetch = this.#fetches.get(id)
    if (fetch !== undefined) fetch.giveUpMs = SWARM.giveWayMs
  }

  drop(id: Digest): void {
    this.#fetches.delete(id)
  }

  /** A peer says which chunks it has; false where that is no bitfield of this payload. */
  heard(peer: MemberId, id: Digest, bits: Uint8Array): boolean {
    const fetch = this.#fetches.get(id)
    if (fetch === undefined || fetch.banned.has(peer)) return true
    const read = Bitfield.read(fetch.have.length, bits)
    if (read === null) return false
    const before = fetch.has.get(peer)
    fetch.has.set(peer, read)
    if (!fetch.authors.has(peer)) recount(fetch.holders, before, read)
    return true
  }

  /** A peer is not connected any more: what it was asked for is free. */
  gone(peer: MemberId): void {
    this.#peers.delete(peer)
    for (const { authors, has, holders } of this.#fetches.values()) {
      if (!authors.has(peer)) recount(holders, has.get(peer), undefined)
      has.delete(peer)
    }
  }

  /** What to ask for now; each is to be reported with `ended`. */
  next(now: number): ChunkRequest[] {
    const requests: ChunkRequest[] = []
    const ids = this.#rng.shuffle([...this.#fetches.keys()])
    let peers = this.#rng.shuffle([...new Set([...this.#fetches.values()].flatMap(({ has }) => [...has.keys()]))])
    while (peers.length > 0) {
      peers = peers.filter((peer) => {
        const request = this.#isFree(peer, now) ? this.#requestTo(peer, ids, now) : null
        if (request !== null) requests.push(request)
        return request !== null
      })
    }
    return requests
  }

  /** A verified chunk. */
  received(id: Digest, index: number, now: number): void {
    const fetch = this.#fetches.get(id)
    if (fetch === undefined) return
    fetch.busy.clear(index)
    fetch.progressAtMs = now
  }

  /** A request is over: with how many chunks, or because of a wrong chunk, or by a failure. */
  ended({ peer, id, wanted, first, claimed }: ChunkRequest, outcome: number | 'wrong' | 'failed', now: number): void {
    const known = this.#peers.get(peer)
    const isSpread = claimed && outcome === 0
    if (known !== undefined) settle(known, outcome, now, isSpread ? 0 : SWARM.restMs) // what has spread is asked of it no more
    const fetch = this.#fetches.get(id)
    if (fetch === undefined) return
    if (isSpread) fetch.spreadAtMs ??= now
    if (outcome === 'wrong') ban(fetch, peer)
    if (first && outcome === 'failed') fetch.isPressed = true // what it has given, as it thinks, is lost
    if (first) return
    for (let i = 0; i < wanted.length; i++) if (wanted.has(i)) fetch.busy.clear(i)
  }

  /** What nobody can serve, for it made no progress; the caller drops it. */
  overdue(now: number): Digest[] {
    return [...this.#fetches].flatMap(([id, { progressAtMs, giveUpMs }]) =>
      now >= progressAtMs + giveUpMs ? [id] : [],
    )
  }

  /** When there is something to do without any other event; null where nothing is fetched. */
  wakeAtMs(now: number): number | null {
    const times: number[] = []
    for (const fetch of this.#fetches.values()) {
      const atMs = pressAtMs(fetch)
      times.push(now < atMs ? atMs : fetch.progressAtMs + fetch.giveUpMs)
    }
    for (const { restUntilMs } of this.#peers.values()) if (restUntilMs > now) times.push(restUntilMs)
    return this.#fetches.size === 0 ? null : Math.min(...times)
  }

  #isFree(peer: MemberId, now: number): boolean {
    const known = this.#peers.get(peer)
    return known === undefined || (known.open < SWARM.requestsPerPeer && now >= known.restUntilMs)
  }

  #requestTo(peer: MemberId, ids: readonly Digest[], now: number): ChunkRequest | null {
    for (const id of ids) {
      const fetch = this.#fetches.get(id) as Fetch
      const theirs = fetch.has.get(peer)
      if (theirs === undefined) continue
      fetch.isPressed ||= now >= pressAtMs(fetch)
      const first = fetch.authors.has(peer) && !fetch.isPressed
      const unspread = first ? lacking(fetch, theirs, false) : null
      const claimed = unspread?.count === 0 && fetch.spreadAtMs === null
      const wanted = claimed ? lacking(fetch, theirs, true) : (unspread ?? this.#rarest(fetch, theirs))
      if (wanted.count === 0) continue
      const known = this.#peers.get(peer) ?? { open: 0, failures: 0, restUntilMs: 0 }
      known.open++
      this.#peers.set(peer, known)
      const most = first ? SWARM.firstPerRequest : SWARM.chunksPerRequest
      return { peer, id, wanted, count: Math.min(wanted.count, most), first, claimed }
    }
    return null
  }

  /** As many as one request asks for; of equally rare ones any. They are busy from here on. */
  #rarest({ have, busy, holders }: Fetch, theirs: Bitfield): Bitfield {
    const open: number[] = []
    for (let i = 0; i < have.length; i++) if (theirs.has(i) && !have.has(i) && !busy.has(i)) open.push(i)
    this.#rng.shuffle(open)
    open.sort((a, b) => (holders[a] as number) - (holders[b] as number))
    const wanted = new Bitfield(have.length)
    for (const i of open.slice(0, SWARM.chunksPerRequest)) {
      wanted.set(i)
      busy.set(i)
    }
    return wanted
  }
}

/** What it has counts as the author's from here on, not as a holder's. */
function alsoBy({ authors, has, holders }: Fetch, author: MemberId): void {
  if (authors.has(author)) return
  authors.add(author)
  recount(holders, has.get(author), undefined)
}

/** What is lacking and not asked for, and others say that they have (`claimed`), or do not. */
function lacking({ have, busy, holders }: Fetch, theirs: Bitfield, claimed: boolean): Bitfield {
  const wanted = new Bitfield(have.length)
  for (let i = 0; i < have.length; i++)
    if (theirs.has(i) && !have.has(i) && !busy.has(i) && (holders[i] !== 0) === claimed) wanted.set(i)
  return wanted
}

/** When authors are asked by name: after what has spread had its time also where a trickle of it comes, which may be a liar's. */
function pressAtMs({ progressAtMs, spreadAtMs }: Fetch): number {
  return Math.min(progressAtMs, spreadAtMs ?? progressAtMs) + SWARM.patienceMs
}

/** What it says that it has counts no more: the author is asked for it instead. */
function ban({ authors, banned, has, holders }: Fetch, peer: MemberId): void {
  banned.add(peer)
  if (!authors.has(peer)) recount(holders, has.get(peer), undefined)
  has.delete(peer)
}

function recount(holders: Uint16Array, before: Bitfield | undefined, after: Bitfield | undefined): void {
  for (let i = 0; i < holders.length; i++)
    holders[i] = (holders[i] as number) - (before?.has(i) ? 1 : 0) + (after?.has(i) ? 1 : 0)
}

/** `emptyMs`: how long it rests after an answer without chunks. */
function settle(peer: Peer, outcome: number | 'wrong' | 'failed', now: number, emptyMs: number): void {
  peer.open = Math.max(0, peer.open - 1)
  if (typeof outcome === 'number' && outcome > 0) {
    peer.failures = 0
    return
  }
  peer.failures = outcome === 0 ? 0 : Math.min(peer.failures + 1, 16)
  const failedMs = Math.min(SWARM.restMsMax, SWARM.restMs * 2 ** Math.max(0, peer.failures - 1))
  peer.restUntilMs = now + (outcome === 0 ? emptyMs : failedMs)
}
