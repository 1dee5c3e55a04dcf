/**
 * Looks for a witness that cosigned two roots of one size: compares each statement that comes, by gossip or under a final head, with those
 * that are still in memory and with the final heads that are kept. What nobody remembers any more is not found.
 */
import { equalBytes } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { parseCosigned } from '../ledger/cosignature.ts'
import { type DoubleCosignature, encodeDoubleCosignature, openDoubleCosignature } from '../ledger/doubleCosignature.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Statement } from '../ledger/witnessWire.ts'
import type { DoubleCosigners } from './doubleCosigners.ts'
import type { Tasks } from './tasks.ts'

const READS_MAX = 8 // of kept final heads at once, some milliseconds each: a flood of old statements must not fill the disk's queue

/** What it works with; `cosigners` keeps evidence. */
export interface CosignatureWatchParts {
  readonly founding: Digest
  readonly store: Pick<LogStore, 'final'>
  readonly tasks: Pick<Tasks, 'run'>
  /** Statements in memory about one size of one log; their signatures need not have been checked. */
  readonly remembered: (author: MemberId, size: number) => Iterable<Statement>
  readonly cosigners: Pick<DoubleCosigners, 'take'>
}

/** One per witness. Signatures are checked where two statements differ, and only there. */
export class CosignatureWatch {
  readonly #parts: CosignatureWatchParts
  #reads = 0

  constructor(parts: CosignatureWatchParts) {
    this.#parts = parts
  }

  /** Compares with what is in memory. */
  look(statement: Statement): void {
    this.#compare(statement, this.#parts.remembered(statement.author, statement.size))
  }

  /** Compares statements about one size of one log with the final head that is kept of just that size, later. */
  lookBack(statements: readonly Statement[]): void {
    const [first] = statements
    if (first === undefined || this.#reads >= READS_MAX) return
    const { author, size } = first
    this.#reads++
    this.#parts.tasks.run('compare-cosignatures', async () => {
      try {
        const kept = await this.#kept(author, size)
        for (const statement of statements) this.#compare(statement, kept)
      } finally {
        this.#reads--
      }
    })
  }

  async #kept(author: MemberId, size: number): Promise<Statement[]> {
    const { store, founding } = this.#parts
    const final = await store.final(author, size)
    return final?.size === size ? statementsOf(final.note, founding) : []
  }

  #compare(statement: Statement, others: Iterable<Statement>): void {
    const { witness } = statement.cosignature
    for (const other of others) {
      if (other.cosignature.witness !== witness || equalBytes(other.root, statement.root)) continue
      const proven = this.#prove(statement, other)
      if (proven === null) continue
      this.#parts.tasks.run('keep-cosignatures', () => this.#parts.cosigners.take(proven))
      return
    }
  }

  /** Null where one of the two is forged: a statement may be in memory unchecked. */
  #prove(one: Statement, other: Statement): DoubleCosignature | null {
    try {
      return openDoubleCosignature(encodeDoubleCosignature(one, other), this.#parts.founding)
    } catch (error) {
      if (error instanceof ConsiliumError) return null
      throw error
    }
  }
}

/** The statements that a cosigned note consists of. Errors: those of `parseCosigned`. */
export function statementsOf(note: Uint8Array, founding: Digest): Statement[] {
  const { head, cosignatures } = parseCosigned(note, founding)
  const { author, size, root } = head
  return cosignatures.map((cosignature) => ({ author, size, root, cosignature }))
}
