/** Who is connected, and whose head vector to ask for next: on connect, and every half minute one peer in turn. */
import { compareIds, type MemberId } from '../core/ids.ts'

const ASK_HEADS_MS = 30_000 // anti-entropy beside gossip: LEDGER §4

/** One per machine. `others` are all that may connect; times are milliseconds since 1970, as given. */
export class Liveness {
  #others: readonly MemberId[] = []
  readonly #connected = new Map<MemberId, number>()
  #lastAsked: MemberId | null = null
  #nextAskMs: number | null = null

  constructor(others: readonly MemberId[]) {
    this.admit(others)
  }

  /** These may connect from now on. */
  admit(others: readonly MemberId[]): void {
    this.#others = [...others].sort(compareIds)
  }

  /** @returns false where the peer may not connect or was connected already. */
  connected(member: MemberId, now: number): boolean {
    if (!this.#others.includes(member) || this.#connected.has(member)) return false
    this.#connected.set(member, now)
    this.#nextAskMs ??= now + ASK_HEADS_MS
    return true
  }

  disconnected(member: MemberId): void {
    this.#connected.delete(member)
    if (this.#connected.size === 0) this.#nextAskMs = null
  }

  isConnected(member: MemberId): boolean {
    return this.#connected.has(member)
  }

  /** The peer to ask now, or null; members take turns in the order of their keys. */
  dueForHeads(now: number): MemberId | null {
    if (this.#nextAskMs === null || now < this.#nextAskMs) return null
    this.#nextAskMs = now + ASK_HEADS_MS
    const candidates = this.#others.filter((member) => this.#connected.has(member))
    const last = this.#lastAsked
    // the next key after the last one asked: whoever comes and goes, nobody who stays is passed over
    const next = candidates.find((member) => last !== null && compareIds(member, last) > 0) ?? candidates[0] ?? null
    this.#lastAsked = next
    return next
  }

  wakeAtMs(): number | null {
    return this.#nextAskMs
  }

  /** Connected members with the time since when, in the order of their keys. */
  view(): { member: MemberId; sinceMs: number }[] {
    return this.#others.flatMap((member) => {
      const sinceMs = this.#connected.get(member)
      return sinceMs === undefined ? [] : [{ member, sinceMs }]
    })
  }
}
