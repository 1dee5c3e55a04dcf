/** A simulated node's ledger writer: group commit, in the daemon's order. */
import type { MemberId } from '../../src/core/ids.ts'
import { factsOf } from '../../src/governance/facts.ts'
import { extend, rootAt } from '../../src/ledger/chain.ts'
import type { Action, Draft } from '../../src/node/actions.ts'
import type { Checkpoint } from '../../src/node/checkpoint.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { StoredCheckpoint } from '../../src/training/storedCheckpoint.ts'
import { saltOf } from './identity.ts'
import type { DiskParts } from './shellParts.ts'

/** The node around the writer. */
export interface WriterHost {
  /** Of a checkpoint, with its weights. */
  readonly stored: (checkpoint: Checkpoint) => StoredCheckpoint
  /** In virtual time, unless the power goes before. */
  readonly later: (delayMs: number, task: () => void) => void
  readonly feed: (event: NodeEvent) => void
  readonly isDead: () => boolean
}

interface Waiting {
  readonly tag: string
  readonly drafts: readonly Draft[]
  readonly stored: StoredCheckpoint | null
}

export class Writer {
  readonly #parts: DiskParts
  readonly #self: MemberId
  readonly #host: WriterHost
  #waiting: Waiting[] = []

  constructor(parts: DiskParts, self: MemberId, host: WriterHost) {
    this.#parts = parts
    this.#self = self
    this.#host = host
  }

  record({ tag, drafts, checkpoint }: Extract<Action, { type: 'record' }>): void {
    const stored = checkpoint === null ? null : this.#host.stored(checkpoint)
    if (this.#waiting.length === 0) this.#host.later(this.#parts.timing.commitMs, () => this.#commit())
    this.#waiting.push({ tag, drafts, stored })
  }

  /** Group commit: all that waits, with its state, is durable at once, then reported. */
  #commit(): void {
    const { disk, node, seed, identities, onCommit } = this.#parts
    const taken = this.#waiting
    this.#waiting = []
    onCommit('before')
    if (this.#host.isDead()) return
    const drafts = taken.flatMap((waiting) => waiting.drafts)
    const written = []
    while (written.length < drafts.length) {
      const rest = drafts.slice(written.length)
      const { tip: before } = disk.log(this.#self)
      const salts = rest.map((_, i) => saltOf(seed, node, before.size + i))
      const { entries, tip } = extend(before, rest, salts, disk.lamport)
      disk.append(tip, entries, identities.signHead(node, tip.size, rootAt(tip)))
      written.push(...entries)
    }
    this.#parts.second?.commit(drafts)
    for (const { stored } of taken) if (stored !== null) disk.keep(stored)
    onCommit('after')
    const tags = taken.map(({ tag }) => tag)
    this.#host.feed({ type: 'committed', log: disk.sizeOf(this.#self), tags, facts: factsOf(written, this.#self) })
  }
}
