/** Members that cosigned conflicting heads: the evidence is kept before anything else is said, then recorded and flooded. */
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { type DoubleCosignature, openDoubleCosignature } from '../ledger/doubleCosignature.ts'
import type { Roll } from '../ledger/membership.ts'
import type { LogStore } from '../ledger/store.ts'
import { encodeEvidence } from '../ledger/witnessWire.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Log } from './log.ts'

const STATE = 'double-cosignature/' // and the witness's key: one record of some 300 bytes for each member at most

/** What it works with; `publish` floods a message on the witness topic. */
export interface DoubleCosignersParts {
  readonly founding: Digest
  readonly roll: Roll
  readonly store: Pick<LogStore, 'listState' | 'putState'>
  readonly feed: (event: NodeEvent) => void
  readonly publish: (message: Uint8Array) => void
  readonly log: Log
}

/** One per daemon; `load` first. The first evidence of each witness is kept, and stays. */
export class DoubleCosigners {
  readonly #parts: DoubleCosignersParts
  readonly #known = new Map<MemberId, DoubleCosignature>()

  constructor(parts: DoubleCosignersParts) {
    this.#parts = parts
  }

  /** Reads what is kept; a record that proves nothing any more is left out, for others have it. */
  async load(): Promise<void> {
    const { store, founding, log } = this.#parts
    for (const [key, evidence] of await store.listState(STATE)) {
      try {
        const proven = openDoubleCosignature(evidence, founding)
        this.#known.set(proven.witness, proven)
      } catch (error) {
        log('warn', 'evidence-unreadable', { key, error: messageOf(error) })
      }
    }
  }

  get known(): ReadonlyMap<MemberId, DoubleCosignature> {
    return this.#known
  }

  /** As the machine is told of them at a start. */
  members(): { readonly witness: MemberId; readonly author: MemberId; readonly size: number }[] {
    return [...this.#known.values()].map(({ witness, author, size }) => ({ witness, author, size }))
  }

  /** False where evidence of that witness is kept already. Errors: `cosigned-twice-unproven` where either key is no member's; those of the store. */
  async take(proven: DoubleCosignature): Promise<boolean> {
    const { roll, store, feed, publish, log } = this.#parts
    const { witness, author, size, evidence } = proven
    if (!roll.isAuthor(witness) || !roll.isAuthor(author)) throw strange()
    if (this.#known.has(witness)) return false
    this.#known.set(witness, proven)
    try {
      await store.putState(new Map([[STATE + witness, evidence]]))
    } catch (error) {
      this.#known.delete(witness)
      log('error', 'fork-evidence-not-kept', { member: witness, error: messageOf(error) })
      throw error
    }
    feed({ type: 'witness-proven', witness, author, size })
    publish(encodeEvidence(evidence))
    return true
  }
}

function strange(): ConsiliumError {
  const message = 'evidence against a witness refused: one of the two keys is no member’s'
  return new ConsiliumError({ code: 'cosigned-twice-unproven', message, blame: 'reject' })
}
