/** What both stores share: the check of a batch, writes one after another, and what follows a write that failed. */
import { ConsiliumError, invariant, messageOf } from '../core/errors.ts'
import type { LogBatch, StoredHead } from '../ledger/store.ts'

export type WriteOperation =
  | 'append'
  | 'putState'
  | 'putForkEvidence'
  | 'dropBodies'
  | 'putWitnessed'
  | 'putFinal'
  | 'repair'

/** Faults for tests: throwing in `before` means failed and not written, in `after` failed though written. */
export interface WriteHooks {
  before?(operation: WriteOperation): void
  after?(operation: WriteOperation): void
}

/** Looks whether a write may be done, and gives what does it. */
type Check = () => Write | Promise<Write>
type Write = () => Promise<void> | void

const WRITES_WAITING_MAX = 1_024 // a replicating node has 16 fetches and its own commits; more is a fault that must show

/** Runs writes in call order. After one that failed, whether it reached the disk is unknown, so no other is begun. */
export class WriteQueue {
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #failure: string | null = null
  #closed = false
  readonly #hooks: WriteHooks

  constructor(hooks: WriteHooks = {}) {
    this.#hooks = hooks
  }

  /** `check` may throw: nothing has been written then, and the queue goes on. What it returns does the write. */
  async run(operation: WriteOperation, check: Check): Promise<void> {
    if (this.#waiting >= WRITES_WAITING_MAX)
      throw refused('store-busy', `${this.#waiting} writes wait for the disk: try again later`)
    this.#waiting++
    const turn = this.#tail.then(() => this.#turn(operation, check))
    this.#tail = turn.catch(() => undefined)
    try {
      await turn
    } finally {
      this.#waiting--
    }
  }

  /** Refuses further writes and waits for those begun. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#tail
  }

  async #turn(operation: WriteOperation, check: Check): Promise<void> {
    if (this.#closed) throw refused('store-closed', 'the ledger is closed')
    if (this.#failure !== null) {
      throw refused(
        'store-failed',
        `an earlier write failed (${this.#failure}), so what is on disk is unknown: open the ledger again`,
      )
    }
    const write = await check()
    try {
      this.#hooks.before?.(operation)
      await write()
      this.#hooks.after?.(operation)
    } catch (error) {
      this.#failure = messageOf(error)
      throw error
    }
  }
}

/** Checks a batch against what is stored. A mismatch is our own bug; a frozen log is the world's. */
export function checkBatch(batch: LogBatch, stored: StoredHead | undefined, frozen: boolean): void {
  const { author, from, entries, head } = batch
  if (frozen) throw refused('log-frozen', `log ${author.slice(0, 16)}… is frozen: its key signed conflicting heads`)
  invariant(from === (stored?.size ?? 0), `a batch begins where the log ends: at ${stored?.size ?? 0}, not ${from}`)
  invariant(entries.length > 0 && head.size === from + entries.length, 'the head covers exactly the batch')
  invariant(head.author === author, 'the head is of the same log')
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
