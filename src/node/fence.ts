/**
 * The boot fence: before a node signs anything after a start, it asks the others for the newest head of its own log that they hold. A
 * folder put back from a backup, or a machine from a snapshot, would else sign a second history after the first (LEDGER §1.3).
 */
import type { MemberId } from '../core/ids.ts'
import { quorum } from '../ledger/founding.ts'
import type { LogState } from '../ledger/replication.ts'

/** How many other members must have answered. */
export interface FenceNeeds {
  /** All other members. */
  readonly others: number
  /** So many meet every quorum that can have made an own head final: one of them has it. */
  readonly needed: number
  /** So many that an honest one is among those, where as many lie as a quorum bears; waited for only for a while. */
  readonly wanted: number
}

const GRACE_MS = 10_000 // to hear `wanted` where only `needed` answer: a hospital that is off must not keep another from starting
export const ASK_OWN_MS = 5_000 // a connected member that has not answered is asked again

/** `members` counts the whole consortium. No answer is needed of none. */
export function fenceNeeds(members: number): FenceNeeds {
  const needed = members - quorum(members) + 1
  const liars = Math.floor((members - 1) / 3)
  return { others: members - 1, needed, wanted: Math.min(needed + liars, members - 1) }
}

/** What a person wants to know while nothing may be signed. */
export interface FenceView {
  readonly answered: number
  readonly needed: number
  /** Entries of the own log that are known to be signed, here or elsewhere. */
  readonly signed: number
  /** And of those, how many are stored here. */
  readonly stored: number
  /** False where this hospital is not a member yet. */
  readonly admitted: boolean
}

/** One per start. Passed once, it stays passed. */
export class Fence {
  #needs: FenceNeeds
  /** Own entries that are signed by the head pin, and by what is heard. */
  #signed: number
  #heard = 0
  readonly #answered = new Set<MemberId>()
  #neededAtMs: number | null = null
  #passed = false

  /** A key that has signed nothing waits for nobody beyond `needed`. */
  constructor(needs: FenceNeeds, signed: number) {
    this.#needs = signed === 0 ? { ...needs, wanted: needs.needed } : needs
    this.#signed = signed
  }

  /** The members have changed: what those who left have answered does not count any more. */
  need(needs: FenceNeeds, members: readonly MemberId[], now: number): void {
    this.#needs = needs
    for (const member of this.#answered) if (!members.includes(member)) this.#answered.delete(member)
    this.#noteNeeded(now)
  }

  get passed(): boolean {
    return this.#passed
  }

  /** A head of the own log, signed with the own key, was heard. */
  ownHead({ size }: Pick<LogState, 'size'>): void {
    this.#heard = Math.max(this.#heard, size)
    this.#signed = Math.max(this.#signed, size)
  }

  /** `member`, one of those now, has told of all heads that it holds. */
  answered(member: MemberId, now: number): void {
    this.#answered.add(member)
    this.#noteNeeded(now)
  }

  #noteNeeded(now: number): void {
    this.#neededAtMs = this.#answered.size < this.#needs.needed ? null : (this.#neededAtMs ?? now)
  }

  hasAnswered(member: MemberId): boolean {
    return this.#answered.has(member)
  }

  /** Whether the node may sign, with `ownSize` entries of its own log stored. */
  mayPass(ownSize: number, now: number): boolean {
    if (this.#passed) return true
    const enough = this.#answered.size >= this.#needs.wanted
    const waited = this.#answered.size >= this.#needs.needed && now >= (this.#neededAtMs ?? now) + GRACE_MS
    const none = this.#needs.needed === 0
    this.#passed = (ownSize >= this.#signed || this.hasLost(ownSize)) && (none || enough || waited)
    return this.#passed
  }

  /**
   * Whether the newest entries that this key signed are lost for good: every other member has answered, and nobody has heard of them,
   * so that no one can ever show a second history against what is signed in their place.
   */
  hasLost(ownSize: number): boolean {
    return ownSize < this.#signed && this.#heard <= ownSize && this.#answered.size >= this.#needs.others
  }

  /** When `mayPass` may change without an event; null where only an event can help, as long as this hospital is no member. */
  wakeAtMs(now: number): number | null {
    const atMs = this.#passed || this.#neededAtMs === null ? now : this.#neededAtMs + GRACE_MS
    return atMs > now ? atMs : null
  }

  /** Null once it is passed. */
  view(stored: number, admitted: boolean): FenceView | null {
    if (this.#passed) return null
    return { answered: this.#answered.size, needed: this.#needs.needed, signed: this.#signed, stored, admitted }
  }
}
