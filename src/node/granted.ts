/** Whether the table that is bound to a study may be used in it, where the hospital wants a grant for that: asked before each act. */
import { fromHex } from '../core/bytes.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { isTakenBack, studyRefusal, type Ungranted } from '../governance/access/permits.ts'
import type { DenialReason } from '../governance/kinds/access.ts'
import type { Body } from '../governance/kinds.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Context } from './context.ts'

/** Null where it may, or none is wanted; `dataset` is null of a table that is no registered one. */
export function grantRefusal(context: Context, study: StudyState, dataset: Digest | null): Ungranted | null {
  if (!context.grantsRequired) return null
  const { self, now: nowMs, cut, studies } = context
  return studyRefusal(studies.access, { self, study, dataset, cut, nowMs })
}

/** What the log tells of a refusal. */
export function deniedBody({ code }: Ungranted, dataset: Digest | null, action: 'bind' | 'round') {
  const reason = code.replace('access-', '') as DenialReason
  return { dataset: dataset === null ? null : fromHex(dataset), reason, action } satisfies Body<'access.denied'>
}

/** One per study run: what is refused for want of a grant is recorded once for each change. */
export class Granted {
  readonly #context: Context
  readonly #id: StudyId
  #denied: string | null = null

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
  }

  /** Before each round, and each time that something of it goes out. */
  ask(study: StudyState, dataset: Digest | null): Ungranted | null {
    const found = grantRefusal(this.#context, study, dataset)
    if (found !== null && found.code !== this.#denied) {
      const refs = found.rests === null ? [] : ([[found.rests.author, found.rests.seq, found.rests.hash]] as const)
      const draft = this.#context.draft('access.denied', this.#id, deniedBody(found, dataset, 'round'), refs)
      this.#context.record('denied', [draft])
    }
    this.#denied = found?.code ?? null
    return found
  }

  /** What was granted is so no longer: what was published under it is served no more, whether a round is due or not. */
  isTakenBack(study: StudyState, dataset: Digest | null): boolean {
    const { grantsRequired, self, now: nowMs, cut, studies } = this.#context
    return grantsRequired && isTakenBack(studies.access, { self, study, dataset, cut, nowMs })
  }
}
