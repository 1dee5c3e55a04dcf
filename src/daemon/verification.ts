/** Verifies the logs as they are stored here, for people: in a moment, or from the first entry; and what is final of them. */
import { equalBytes } from '../core/bytes.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { parseCosigned, verifyCosignature } from '../ledger/cosignature.ts'
import { openHead, rootOf, verifyHead } from '../ledger/head.ts'
import type { VerifyReport } from './api.ts'
import type { Daemon } from './daemon.ts'

const NEWEST = 256 // entries recomputed in any case: one run of leaves; what lies before is in the kept nodes of the tree

/** Calls may run side by side; nothing is asked of other members. */
export class Verification {
  readonly #daemon: Daemon

  constructor(daemon: Daemon) {
    this.#daemon = daemon
  }

  /**
   * `full` recomputes every hash and link from the first entry. Else: signature and root of the newest head, the root from the kept
   * nodes of the tree and the newest entries. Both: the newest final head, its quorum of signatures, and that it is of this history.
   */
  async verify(author: MemberId, full: boolean): Promise<VerifyReport> {
    const started = performance.now()
    const { logs } = this.#daemon
    const newest = logs.newest(author)
    const found = full
      ? await logs.verify(author)
      : { entries: newest?.log.size ?? 0, fault: await this.#newestFault(author) }
    const fault = found.fault ?? (newest === null ? null : await this.#finalFault(author))
    return {
      member: author,
      name: this.#daemon.nameOf(author),
      entries: found.entries,
      recomputed: full ? found.entries : Math.min(found.entries, found.entries % NEWEST || NEWEST),
      final: this.#daemon.machine.finality.final(author)?.size ?? 0,
      root: newest?.log.root ?? null,
      ok: fault === null,
      fault,
      milliseconds: performance.now() - started,
    }
  }

  async #newestFault(author: MemberId): Promise<string | null> {
    const { logs, home } = this.#daemon
    const newest = logs.newest(author)
    if (newest === null) return null
    return faultIn(async () => {
      const head = openHead(newest.note, home.consortium.founding)
      const root = await logs.tree(author).root(head.size)
      return equalBytes(root, head.root)
        ? null
        : `the root over ${head.size} entries is not ${rootOf(head)}, which was signed`
    })
  }

  /** What is wrong with the newest final head that is kept, or null. */
  async #finalFault(author: MemberId): Promise<string | null> {
    const { logs, home } = this.#daemon
    const final = await logs.final(author)
    if (final === undefined) return null
    return faultIn(async () => {
      const { head, cosignatures } = parseCosigned(final.note, home.consortium.founding)
      const { roll } = home.membership
      const electorate = roll.governing(author, head.size)
      if (electorate === null) return `no epoch lets this log have ${head.size} entries`
      const valid = cosignatures.filter((one) => verifyCosignature(head.text, one))
      if (!verifyHead(head) || roll.finalBy({ author, size: head.size, root: rootOf(head) }, valid) === null)
        return `the final head of ${head.size} entries has not the ${electorate.quorum} valid signatures of members that it needs`
      if (head.size > logs.sizeOf(author).size) return null // its entries are still on their way
      const root = await logs.tree(author).root(head.size)
      return equalBytes(root, head.root) ? null : `the final head of ${head.size} entries is of another history`
    })
  }
}

/** A fault that reading itself shows is one too. */
async function faultIn(look: () => Promise<string | null>): Promise<string | null> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof ConsiliumError) return messageOf(error)
    throw error
  }
}
