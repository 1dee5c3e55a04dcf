/** What agreements allow this node in one study; what they forbid is recorded once for each change. */
import type { AgreementAction } from '../config/agreementSchema.ts'
import { fromHex } from '../core/bytes.ts'
import type { StudyId } from '../core/ids.ts'
import type { StudyState } from '../governance/studies.ts'
import { type Act, type Forbidden, underAgreements } from '../governance/terms.ts'
import type { Draft } from './actions.ts'
import type { Context } from './context.ts'

/** What a study run knows of the act that is about to be done. */
export type ActFacts = Pick<Act, 'dataset' | 'round' | 'epsilon' | 'rows'>

/** Agreements that say no for good, or until somebody signs: what was published under them is served no more. */
export const OVER: readonly string[] = ['agreement-ended', 'agreement-refused', 'agreement-expired']

/** What all agreements say of an act in a study that is known. */
export function agreedTo(
  { self, now: nowMs, cut, studies, agreementsRequired: required }: Context,
  study: StudyState,
  action: AgreementAction,
  facts: ActFacts,
): ReturnType<typeof underAgreements> {
  return underAgreements(studies.agreements, { self, study, action, ...facts, nowMs, cut, required })
}

/** One per study run. */
export class Agreed {
  readonly #context: Context
  readonly #id: StudyId
  #forbidden: Forbidden | null = null

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
  }

  /** Before each round, and each time that something of it goes out. */
  ask(study: StudyState, facts: ActFacts): ReturnType<typeof agreedTo> {
    const found = agreedTo(this.#context, study, 'round', facts)
    const forbidden = 'forbidden' in found ? found.forbidden : null
    if (forbidden !== null && keyOf(forbidden) !== keyOf(this.#forbidden))
      this.#context.record('denied', [this.#draft(forbidden)])
    this.#forbidden = forbidden
    return found
  }

  /** When time alone may lift what was forbidden last; null where it may not. */
  get liftsAtMs(): number | null {
    return this.#forbidden?.liftsAtMs ?? null
  }

  #draft({ agreement, verdict, code: reason }: Forbidden): Draft {
    const { clause, guard, rests } = verdict
    const refs = rests === null ? [] : ([[rests.author, rests.seq, rests.hash]] as const)
    const id = agreement === null ? null : fromHex(agreement)
    const body = { agreement: id, clause, reason, action: 'round', guard } as const
    return this.#context.draft('agreement.denied', this.#id, body, refs)
  }
}

const keyOf = (forbidden: Forbidden | null): string =>
  forbidden === null ? '' : `${forbidden.agreement} ${forbidden.code} ${forbidden.verdict.guard}`
