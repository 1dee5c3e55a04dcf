/** How far each log is read at this node. */
import type { MemberId } from '../core/ids.ts'
import type { Cut } from '../governance/agreements.ts'
import type { Machine } from '../node/machine.ts'

/** What is final here, of a suspended member no more than what was known of its log; and all that is known. */
export function cutOf({ machine }: { readonly machine: Machine }): Cut {
  const bound = machine.view().suspensions.filter(({ binds }) => binds !== null)
  const trusted = new Map(bound.map(({ member, size }) => [member, size]))
  const final = (author: MemberId): number =>
    Math.min(machine.finality.final(author)?.size ?? 0, trusted.get(author) ?? Number.POSITIVE_INFINITY)
  return { final, known: () => Number.POSITIVE_INFINITY }
}
