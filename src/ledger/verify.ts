/** Full verification of one log from its first entry: the caller reads and slices, this checks. */
import { equalBytes } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { advance, emptyTip, type RangeResult, rootAt, type Tip } from './chain.ts'
import { type Head, verifyHead } from './head.ts'

/** The first thing that is wrong. */
export interface LogFault {
  readonly code: string
  /** Sequence number of the first bad entry, or the head's size where the head is at fault. */
  readonly at: number
  readonly message: string
}

/** What a full verification found; `ok` where the signed head covers exactly these entries. */
export interface LogReport {
  readonly ok: boolean
  /** Entries that are good and in their place. */
  readonly entries: number
  /** How many of them have had their body dropped. */
  readonly dropped: number
  readonly firstFault: LogFault | null
}

/** Recomputes a chain from entry 0. Push slices small enough for the event loop (100 entries are about 2 ms), then `finish`. */
export class LogVerifier {
  #tip: Tip
  #dropped = 0
  #fault: LogFault | null = null

  constructor(author: MemberId) {
    this.#tip = emptyTip(author)
  }

  /** The next entries in order. False when something is wrong: then stop reading. */
  push(raws: readonly Uint8Array[]): boolean {
    if (this.#fault !== null) return false
    const result = advance(this.#tip, raws)
    if (!result.ok) {
      this.#fault = { code: result.code, at: result.at, message: result.message }
      this.#take(advance(this.#tip, raws.slice(0, result.at - this.#tip.size)))
      return false
    }
    this.#take(result)
    return true
  }

  /** Checks size, root and signature of the head over what was pushed. */
  finish(head: Head): LogReport {
    this.#fault ??= this.#headFault(head)
    return { ok: this.#fault === null, entries: this.#tip.size, dropped: this.#dropped, firstFault: this.#fault }
  }

  #take(result: RangeResult): void {
    invariant(result.ok, 'entries before the first bad one are good')
    this.#tip = result.tip
    for (const entry of result.entries) if (entry.body === null) this.#dropped++
  }

  #headFault(head: Head): LogFault | null {
    const { author, size } = this.#tip
    if (head.author !== author)
      return { code: 'head-author', at: head.size, message: `the head is of log ${head.author}, not of ${author}` }
    if (size < head.size)
      return { code: 'entry-missing', at: size, message: `entry ${size} is missing: the head covers ${head.size}` }
    if (size > head.size)
      return { code: 'entry-beyond-head', at: head.size, message: `entry ${head.size} lies beyond the signed head` }
    if (!equalBytes(rootAt(this.#tip), head.root)) {
      return { code: 'head-root', at: size, message: `the root over ${size} entries is not the one that was signed` }
    }
    return verifyHead(head)
      ? null
      : { code: 'head-signature', at: size, message: 'the signature under the head is invalid' }
  }
}

/** `LogVerifier` in one go, for logs that are small or callers that may block. */
export function verifyLog(slices: Iterable<readonly Uint8Array[]>, head: Head): LogReport {
  const verifier = new LogVerifier(head.author)
  for (const raws of slices) if (!verifier.push(raws)) break
  return verifier.finish(head)
}
