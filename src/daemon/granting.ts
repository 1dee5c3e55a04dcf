/** Asks, before a table is bound to a study, for the grant that config.yaml wants; that there was none is recorded. */
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { studyRefusal } from '../governance/access/permits.ts'
import type { Access } from '../governance/access/requests.ts'
import type { StudyState } from '../governance/studies.ts'
import { deniedBody } from '../node/granted.ts'
import { type CutSource, cutOf } from './cut.ts'
import type { LedgerWriter } from './ledgerWriter.ts'

/** What it is asked of. */
export interface Granting {
  readonly home: {
    readonly key: { readonly id: MemberId }
    readonly config: { readonly access: { readonly studies: 'free' | 'granted' } }
  }
  readonly machine: CutSource<{ readonly access: Access }>
  /** Null until the daemon may sign: it refuses all the same. */
  readonly writer: Pick<LedgerWriter, 'record' | 'flush'> | null
  nameOf(member: MemberId): string
}

/** Errors: `access-…`, naming the entry and whom to ask. `dataset` is null of a table that is no registered one. */
export async function requireGranted(granting: Granting, study: StudyState, dataset: Digest | null): Promise<void> {
  const { home, machine, writer } = granting
  if (home.config.access.studies === 'free') return
  const use = { self: home.key.id, study, dataset, cut: cutOf(machine), nowMs: Date.now() }
  const refusal = studyRefusal(machine.view().access, use, (member) => granting.nameOf(member))
  if (refusal === null) return
  const { code, message, rests } = refusal
  const refs = rests === null ? [] : ([[rests.author, rests.seq, rests.hash]] as const)
  const body = deniedBody(refusal, dataset, 'bind')
  writer?.record('denied', [{ kind: 'access.denied', study: study.id, timeMs: Date.now(), refs, body }], new Map())
  await writer?.flush()
  throw new ConsiliumError({ code, message })
}
