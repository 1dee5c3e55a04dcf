/** Asks, before a table is bound to a study, for the grant that config.yaml wants. */
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { studyRefusal } from '../governance/access/permits.ts'
import type { Access } from '../governance/access/requests.ts'
import type { StudyState } from '../governance/studies.ts'
import { type CutSource, cutOf } from './cut.ts'

/** What it is asked of. */
export interface Granting {
  readonly home: {
    readonly key: { readonly id: MemberId }
    readonly config: { readonly access: { readonly studies: 'free' | 'granted' } }
  }
  readonly machine: CutSource<{ readonly access: Access }>
  nameOf(member: MemberId): string
}

/** Errors: `access-…`, naming the entry and whom to ask. `dataset` is null of a table that is no registered one. */
export function requireGranted(granting: Granting, study: StudyState, dataset: Digest | null): void {
  const { home, machine } = granting
  if (home.config.access.studies === 'free') return
  const use = { self: home.key.id, study, dataset, cut: cutOf(machine), nowMs: Date.now() }
  const refusal = studyRefusal(machine.view().access, use, (member) => granting.nameOf(member))
  if (refusal !== null) throw new ConsiliumError(refusal)
}
