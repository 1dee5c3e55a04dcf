/**
 * When a member asks the others to cosign its newest head, when it cosigns theirs, and what is final. The rule that a cosignature keeps
 * is `ledger/witness.ts`; the shell carries it out. An author asks for one head at a time, so that all sign the same one.
 */
import type { MemberId } from '../core/ids.ts'
import { Finality } from '../ledger/finality.ts'
import type { LogState } from '../ledger/replication.ts'
import type { Context } from './context.ts'

/** Least time between two requests of one author, by the number of members: each costs every member a signature and n − 1 verifications. */
const ASK_MS: readonly { readonly upTo: number; readonly everyMs: number }[] = [
  { upTo: 10, everyMs: 2_000 }, // 10 logs: 45 verifications a second, 0.4 % of a core
  { upTo: 40, everyMs: 10_000 }, // 40 logs: 160 a second, 1.2 %
  { upTo: Number.POSITIVE_INFINITY, everyMs: 60_000 }, // 200 logs: 660 a second, 5 %
]
const ASK_AGAIN_MS = 30_000 // a head that has not become final though nothing was added: somebody may have come back
const QUIET_MS = 30_000 // a stored head for which nobody asks, its author may be gone, is cosigned all the same
const ANSWER_MS = 200 // cosignatures of different logs travel in one message

interface Log {
  /** Largest head stored here. */
  stored: LogState | null
  storedAtMs: number
  /** What its author asked for and is not cosigned yet, though it may not be stored yet. The first stays until it is settled. */
  asked: LogState | null
  /** The newest that it asked for meanwhile: a node that is always behind the newest would else cosign none. */
  askedNext: LogState | null
  /** The request that gossip was last told to carry on, and when. */
  carried: LogState | null
  carriedAtMs: number
  /** The shell is at it. */
  busy: boolean
  cosigned: LogState | null
  cosignedAtMs: number
  frozen: boolean
}

/** One per machine; does nothing while the machine is fenced. */
export class Witnessing {
  readonly #context: Context
  readonly #finality: Finality
  readonly #logs = new Map<MemberId, Log>()
  #askedSize = 0
  #askedAtMs = Number.NEGATIVE_INFINITY
  /** When the first member came that could not hear the last request. */
  #metAtMs: number | null = null
  /** Cosignatures made and not told yet, by author. */
  readonly #untold = new Map<MemberId, LogState>()
  #toldAtMs = Number.NEGATIVE_INFINITY

  /** `finals` are those that the shell has kept. */
  constructor(context: Context, finals: readonly LogState[]) {
    this.#context = context
    this.#finality = new Finality(context.roll.governing)
    for (const final of finals) this.#finality.noteFinal(final)
  }

  get #everyMs(): number {
    const members = this.#context.roll.members.length
    return (ASK_MS.find(({ upTo }) => members <= upTo) as { everyMs: number }).everyMs
  }

  get finality(): Finality {
    return this.#finality
  }

  /** A member is connected: what is not final may become so with it. */
  met(): void {
    this.#metAtMs ??= this.#context.now
  }

  /** A log is stored up to here, under a signed head. Gives what is final with it: what an epoch pins of it, where that had not come yet. */
  stored(head: LogState): LogState[] {
    const log = this.#log(head.author)
    if (log.stored !== null && head.size <= log.stored.size) return []
    log.stored = head
    log.storedAtMs = this.#context.now
    const pin = this.#context.roll.pinned(head.author)
    return pin === null ? [] : this.begun([pin])
  }

  /**
   * The author published this head for cosigning; its signature is valid. True where gossip is to carry the request on: it is not the
   * head, which may have come everywhere before it.
   */
  asked(head: LogState): boolean {
    const log = this.#log(head.author)
    if (log.frozen) return false
    if (log.asked === null) log.asked = head
    else if (head.size > log.asked.size) log.askedNext = head
    const now = this.#context.now
    const again = head.size === log.carried?.size && now >= log.carriedAtMs + ASK_AGAIN_MS / 2
    if (log.carried !== null && head.size <= log.carried.size && !again) return false
    log.carried = head
    log.carriedAtMs = now
    return true
  }

  /** Valid cosignatures of one witness; gives those heads that are final with them. */
  heard(witness: MemberId, heads: readonly LogState[]): LogState[] {
    return heads.filter((head) => this.#finality.noteCosigned(head, witness))
  }

  /** The shell has cosigned; true where the head is final with it. */
  cosigned(head: LogState): boolean {
    const log = this.#log(head.author)
    log.busy = false
    log.cosigned = head
    log.cosignedAtMs = this.#context.now
    if (log.asked !== null && log.asked.size <= head.size) this.#settled(log)
    this.#untold.set(head.author, head)
    return this.#finality.noteCosigned(head, this.#context.self)
  }

  /** The shell may not cosign. What was asked for is dropped: its author asks again, with a larger head. A conflict is looked into. */
  refused(author: MemberId, code: string): void {
    if (code === 'conflict') this.#context.out.push({ type: 'examine-fork', author, peer: author })
    const log = this.#log(author)
    log.busy = false
    this.#settled(log)
    log.cosignedAtMs = this.#context.now
  }

  /**
   * An epoch has begun. What it pins is final where it is stored, for its quorum has signed it. Gives the heads that are final with it.
   */
  begun(pins: readonly LogState[]): LogState[] {
    return pins.filter((pin) => {
      const log = this.#log(pin.author)
      if (log.frozen || log.stored === null || log.stored.size < pin.size || pin.size === 0) return false
      return this.#finality.noteFinal(pin)
    })
  }

  /** Its key signed conflicting heads: nothing more of it is cosigned. */
  froze(author: MemberId): void {
    this.#log(author).frozen = true
  }

  /** Everything that is due now. */
  advance(connected: number): void {
    const context = this.#context
    if (this.#askIsDue(connected)) {
      this.#askedSize = this.#log(context.self).stored?.size ?? 0
      this.#askedAtMs = context.now
      this.#metAtMs = null
      context.out.push({ type: 'ask-cosign' })
    }
    for (const [author, log] of this.#logs) {
      const head = author === context.self ? null : this.#dueFor(author, log)
      if (head === null || !this.#mayGrow(head)) continue
      log.busy = true
      context.out.push({ type: 'cosign', log: head })
    }
    if (this.#untold.size > 0 && context.now >= this.#toldAtMs + ANSWER_MS) {
      this.#toldAtMs = context.now
      context.out.push({ type: 'announce-cosigned', logs: [...this.#untold.values()] })
      this.#untold.clear()
    }
  }

  /** When `advance` may next have something to do without another event. */
  wakeAtMs(connected: number): number | null {
    const times: number[] = []
    if (this.#untold.size > 0) times.push(this.#toldAtMs + ANSWER_MS)
    const own = this.#log(this.#context.self).stored
    if (connected > 0 && own !== null && own.size > this.#finalSize(own.author)) times.push(this.#askAtMs(own.size))
    for (const [author, log] of this.#logs) {
      if (author === this.#context.self || log.busy || log.frozen || log.stored === null) continue
      if (!this.#mayGrow(log.stored)) continue
      if (log.stored.size > this.#finalSize(author)) times.push(this.#quietAtMs(log))
    }
    return times.length === 0 ? null : Math.min(...times)
  }

  #askIsDue(connected: number): boolean {
    const own = this.#log(this.#context.self).stored
    if (own === null || connected === 0 || own.size <= this.#finalSize(own.author)) return false
    return this.#context.now >= this.#askAtMs(own.size)
  }

  #askAtMs(size: number): number {
    if (size > this.#askedSize) return this.#askedAtMs + this.#everyMs
    // not at once: others come with the first after a partition, and gossip needs a moment to reach them
    const metAtMs = Math.max(this.#askedAtMs, this.#metAtMs ?? Number.POSITIVE_INFINITY) + this.#everyMs
    return Math.min(metAtMs, this.#askedAtMs + ASK_AGAIN_MS)
  }

  /** What to cosign of one log now: what its author asked for, or what nobody asks for any more. */
  #dueFor(author: MemberId, log: Log): LogState | null {
    const { stored, asked } = log
    if (log.busy || log.frozen || stored === null) return null
    if (asked !== null && asked.size <= stored.size) return asked
    const forgotten = stored.size > this.#finalSize(author) && this.#context.now >= this.#quietAtMs(log)
    return forgotten ? stored : null
  }

  /** False of what a former member signed beyond its pin, and of who is suspended: its log is fetched, and nothing new of it becomes final. */
  #mayGrow({ author, size }: LogState): boolean {
    return this.#context.roll.governing(author, size) !== null && !this.#context.isSuspended(author)
  }

  #settled(log: Log): void {
    log.asked = log.askedNext
    log.askedNext = null
  }

  #quietAtMs({ storedAtMs, cosignedAtMs }: Log): number {
    return Math.max(storedAtMs, cosignedAtMs) + QUIET_MS
  }

  #finalSize(author: MemberId): number {
    return this.#finality.final(author)?.size ?? 0
  }

  #log(author: MemberId): Log {
    let log = this.#logs.get(author)
    if (log === undefined) {
      log = {
        stored: null,
        storedAtMs: 0,
        asked: null,
        askedNext: null,
        carried: null,
        carriedAtMs: Number.NEGATIVE_INFINITY,
        busy: false,
        cosigned: null,
        cosignedAtMs: Number.NEGATIVE_INFINITY,
        frozen: false,
      }
      this.#logs.set(author, log)
    }
    return log
  }
}
