/** Counts what was refused, by member and reason, and writes an entry the first time and then at growing counts. */
import { fromHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import type { Context } from './context.ts'

const KINDS_MAX = 4_096 // pairs of member and reason: 1,000 members with a few reasons each
const STRANGER_ENTRY_MS = 3_600_000 // one entry an hour: a scanner must not be able to fill our log

/** One per machine. Reasons are codes of ours, never words of a peer; counts begin anew at each start. */
export class Rejections {
  readonly #counts = new Map<string, number>()
  #strangers = 0
  #strangersToldAtMs = Number.NEGATIVE_INFINITY

  /** A member's message or conduct was rejected. An entry at the 1st, 10th, 100th … of each reason since the start. */
  member(context: Context, member: MemberId, reason: string): void {
    const key = `${member} ${reason}`
    if (!this.#counts.has(key) && this.#counts.size >= KINDS_MAX) return
    const count = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, count)
    if (!isPowerOfTen(count)) return
    context.record('rejected', [context.draft('member.rejected', null, { member: fromHex(member), reason })])
    context.tell('warn', 'member-rejected', { member, reason, count })
  }

  /** A connection by somebody who is no member was closed. */
  stranger(context: Context): void {
    this.#strangers++
    if (context.now >= this.#strangersToldAtMs + STRANGER_ENTRY_MS) this.settle(context)
  }

  /** Writes the strangers that no entry has yet, as before a stop. */
  settle(context: Context): void {
    if (this.#strangers === 0) return
    this.#strangersToldAtMs = context.now
    context.record('stranger', [context.draft('stranger.rejected', null, { connections: this.#strangers })])
    this.#strangers = 0
  }

  view(): { member: string; reason: string; count: number }[] {
    return [...this.#counts].map(([key, count]) => {
      const [member = '', reason = ''] = key.split(' ')
      return { member, reason, count }
    })
  }
}

function isPowerOfTen(count: number): boolean {
  let rest = count
  while (rest % 10 === 0) rest /= 10
  return rest === 1
}
