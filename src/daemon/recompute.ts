/** Verifies a stored log from its first entry, in slices that leave the event loop its turns. */
import { setImmediate } from 'node:timers/promises'
import type { Digest, MemberId } from '../core/ids.ts'
import { parseHead, rootOf } from '../ledger/head.ts'
import { LogVerifier } from '../ledger/verify.ts'

const SLICE = 200 // entries verified before the event loop gets its turn: about 5 ms

/** How much was looked at, the signed root, and the first fault as a sentence; null where there is none. */
export interface Recomputed {
  readonly entries: number
  readonly root: string | null
  readonly fault: string | null
}

/** `note` is the newest signed head, `read` gives raw entries `from` ≤ seq < `to`. Errors: those of `read`. */
export async function recompute(
  author: MemberId,
  note: Uint8Array | null,
  founding: Digest,
  read: (from: number, to: number) => Promise<Uint8Array[]>,
): Promise<Recomputed> {
  if (note === null) return { entries: 0, root: null, fault: null }
  const head = parseHead(note, founding)
  const verifier = new LogVerifier(author)
  const slice = (from: number) => {
    const raws = read(from, Math.min(head.size, from + SLICE))
    raws.catch(() => undefined) // it is awaited when the one before it has been checked
    return raws
  }
  let next = slice(0)
  for (let from = 0; from < head.size; from += SLICE) {
    const raws = await next
    next = slice(from + SLICE) // while these are checked
    if (!verifier.push(raws)) break
    await setImmediate()
  }
  await next
  const { entries, firstFault } = verifier.finish(head)
  const fault = firstFault === null ? null : `entry ${firstFault.at}: ${firstFault.message}`
  return { entries, root: rootOf(head), fault }
}
