/** What the next epoch may be: composed of an approved change and of the logs as they stand, and judged where another composed it. */
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { type ChangeState, membersAfter } from '../governance/changes.ts'
import { type Epoch, epochContent, epochSlot, type Membership, readEpoch } from '../ledger/epoch.ts'
import { isSameMember } from '../ledger/founding.ts'
import type { Pin } from '../ledger/membership.ts'
import type { Value } from '../ledger/slotMessage.ts'
import type { LogSize } from '../node/events.ts'
import type { Logs } from './logs.ts'
import type { Witness } from './witness.ts'

/** What values are made of and judged by. */
export interface EpochValuesParts {
  readonly self: MemberId
  readonly membership: Membership
  readonly logs: Pick<Logs, 'sizeOf' | 'isForked' | 'tree'>
  readonly witness: Pick<Witness, 'cosigned'>
  /** Changes proposed for the next epoch, the most approved first. */
  readonly changes: () => readonly ChangeState[]
  /** The newest final head of a log that this node knows of. */
  readonly final: (author: MemberId) => LogSize | null
}

/** One per daemon; stateless. */
export class EpochValues {
  readonly #parts: EpochValuesParts

  constructor(parts: EpochValuesParts) {
    this.#parts = parts
  }

  /** What this node proposes in its turn, after the epoch `before`: the most approved change that a quorum and its own people approve. Null where there is none. */
  offer(before: Epoch): Value | null {
    const pins = this.#pins(before)
    if (pins === null) return null
    for (const { change } of this.#wanted()) {
      const members = membersAfter(before.members, change)
      try {
        const content = epochContent(before, members, pins)
        return epochSlot(before).read(content)
      } catch (error) {
        if (!(error instanceof ConsiliumError)) throw error // one that can be no epoch: names or keys that are there already
      }
    }
    return null
  }

  /** Whether this node votes for a value that may follow `before`; null where it cannot say yet, for it lacks entries that are pinned. */
  async judge({ content }: Value, before: Epoch): Promise<boolean | null> {
    const epoch = readEpoch(content, before)
    if (!this.#wanted().some(({ change }) => sameMembers(membersAfter(before.members, change), epoch.members)))
      return false
    for (const { key } of before.members) if (!(await this.#keepsAll(key, epoch))) return false
    for (const pin of epoch.pins.values()) {
      const fits = await this.#fits(pin, before)
      if (fits !== true) return fits
    }
    return true
  }

  /** Changes that a quorum approves, and this node's people; a hospital that is to come is for what lets it in. */
  #wanted(): ChangeState[] {
    const { self, membership, changes } = this.#parts
    const isMember = membership.roll.isMember(self)
    return changes().filter(({ change, approved, approvedBy }) => {
      return approved && (isMember ? approvedBy.includes(self) : change.add.some(({ key }) => key === self))
    })
  }

  /** Every log as far as it has come here; of a forked one, what is final. Null where something final is still on its way. */
  #pins(before: Epoch): Pin[] | null {
    const { logs, final } = this.#parts
    const pins: Pin[] = []
    for (const { key } of before.members) {
      const stored = logs.sizeOf(key)
      const known = final(key)
      const pin = logs.isForked(key) ? known : stored
      if ((known?.size ?? 0) > stored.size) return null
      if (pin !== null && pin.size > (before.pins.get(key)?.size ?? 0)) pins.push(pin)
    }
    return pins
  }

  /** Whether the pin of a log lets nothing go that this node has cosigned: none of it may be final. */
  async #keepsAll(author: MemberId, epoch: Epoch): Promise<boolean> {
    const { logs, witness, final } = this.#parts
    const pinned = epoch.pins.get(author)?.size ?? 0
    if (pinned < (final(author)?.size ?? 0)) return false
    return logs.isForked(author) || pinned >= ((await witness.cosigned(author))?.size ?? 0)
  }

  async #fits({ author, size, root }: Pin, before: Epoch): Promise<boolean | null> {
    const { logs } = this.#parts
    if (size === (before.pins.get(author)?.size ?? 0)) return true // as it was
    if (logs.sizeOf(author).size < size) return logs.isForked(author) ? false : null
    return (toHex(await logs.tree(author).root(size)) as Digest) === root
  }
}

function sameMembers(one: Epoch['members'], other: Epoch['members']): boolean {
  return one.length === other.length && one.every((member, i) => isSameMember(member, other[i]))
}
