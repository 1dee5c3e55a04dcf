/** Why a node that has just started signs nothing yet, in a sentence for people. */
import type { FenceView } from '../node/fence.ts'

/** What is waited for, and what to do. */
export function fenceSentence({ answered, needed, signed, stored, admitted }: FenceView): string {
  if (!admitted)
    return 'not a member yet: this node reads along once its members let it in, and takes part when they have decided so ("consilium members approve" at theirs)'
  const asked = `${answered} of ${needed} other members have said what they hold of this node's log`
  if (answered < needed)
    return `not signing yet: ${asked}; a folder put back from a backup could else sign a second history. Wait, or start the others`
  if (stored < signed)
    return `not signing yet: this key has signed ${signed} entries and ${stored} are here; the rest is fetched from the member that has it, and where none has, this log needs a new key`
  return `not signing yet: ${asked}, and the others are given a few seconds`
}
