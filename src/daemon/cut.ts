/** How far each log is read where permissions are asked about: at this node, now. */
import type { MemberId } from '../core/ids.ts'
import type { Cut } from '../governance/agreements.ts'
import type { Suspension } from '../governance/suspensions.ts'

/** What is asked of a machine; `more` of its view, where the asker needs it. */
export interface CutSource<More = unknown> {
  readonly finality: { final(author: MemberId): { readonly size: number } | null | undefined }
  view(): More & { readonly suspensions: readonly Pick<Suspension, 'member' | 'binds' | 'size'>[] }
}

/** What is final at this node, of a suspended member no more than what was known of its log; and all that is known. */
export function cutOf(machine: CutSource): Cut {
  const bound = machine.view().suspensions.filter(({ binds }) => binds !== null)
  const trusted = new Map(bound.map(({ member, size }) => [member, size]))
  const final = (author: MemberId): number =>
    Math.min(machine.finality.final(author)?.size ?? 0, trusted.get(author) ?? Number.POSITIVE_INFINITY)
  return { final, known: () => Number.POSITIVE_INFINITY }
}
