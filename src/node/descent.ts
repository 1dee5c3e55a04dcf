/**
 * Whether the model that a node would train on descends from one that was withdrawn. A withdrawal binds as soon as it is known: from then
 * on nothing is trained until the logs have been searched for what the own model was made of, and only updates of which they say
 * that they are free of it are merged.
 */
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { Standing } from '../governance/lineage.ts'
import type { Refusal } from '../governance/permit.ts'
import { keyOf, type Made, type Withdrawn } from '../governance/withdrawals.ts'
import type { Context } from './context.ts'

/** An update that is held. */
export interface HeldUpdate {
  readonly author: MemberId
  readonly digest: Digest
}

interface Asked {
  /** The model that was asked about and the withdrawals that bound then. */
  readonly about: string
  readonly trace: number
  readonly binding: readonly Withdrawn[]
  /** The own model, then the held updates. */
  readonly subjects: readonly Made[]
  standings: readonly Standing[] | null
}

/** The code of the refusal to train on from a withdrawn model, or one made of it. */
export const MODEL_WITHDRAWN = 'model-withdrawn'

const UNREAD: Refusal = {
  code: 'model-lineage-unread',
  message: 'a model of this study was withdrawn, and the logs are being searched for what the own one was made of',
}

/** One per study at a node. Costs nothing while no withdrawal binds. */
export class Descent {
  #asked: Asked | null = null
  #traces = 0

  /** Why nothing may be trained on from `base`, or null; asks the shell where that is not known. Of a first model, null, there is nothing to know. */
  refusal(context: Context, study: StudyId, base: Digest | null, held: () => readonly HeldUpdate[]): Refusal | null {
    const { self, studies, roll } = context
    const binding = studies.withdrawals.binding(study, self, roll.members)
    if (binding.length === 0 || base === null) {
      this.#asked = null
      return null
    }
    const about = [base, ...binding.map(({ hash }) => hash)].join(' ')
    if (this.#asked?.about !== about) this.#ask(context, study, { about, binding, base, held: held() })
    const standing = this.#asked?.standings?.[0]
    if (standing === undefined) return UNREAD
    // a model of which the own log tells nothing is the first one, which no data went into
    return typeof standing === 'number' ? refusalOf(binding[standing] as Withdrawn) : null
  }

  /** What was asked for; an answer to an earlier question is ignored. */
  traced(trace: number, standings: readonly Standing[]): void {
    if (this.#asked?.trace === trace) this.#asked.standings = standings
  }

  /** Whether an update may go into a merge now; null where no withdrawal binds, so that all may. */
  mayMerge(): ((update: HeldUpdate) => boolean) | null {
    if (this.#asked === null) return null
    const { subjects, standings } = this.#asked
    const free = new Set(subjects.filter((_, i) => standings?.[i] === 'none').map(keyOf))
    return ({ author, digest }) => free.has(keyOf({ author, model: digest }))
  }

  #ask(
    context: Context,
    study: StudyId,
    given: { about: string; binding: readonly Withdrawn[]; base: Digest; held: readonly HeldUpdate[] },
  ): void {
    const { about, binding, base, held } = given
    const own = { author: context.self, model: base }
    const subjects = [own, ...held.map(({ author, digest }): Made => ({ author, model: digest }))]
    const trace = this.#traces++
    this.#asked = { about, trace, binding, subjects, standings: null }
    const models = binding.map(({ author, model }) => ({ author, model }))
    context.out.push({ type: 'trace', study, trace, models, subjects })
  }
}

function refusalOf({ by, model, reason, seq }: Withdrawn): Refusal {
  const message = `the model here descends from ${model.slice(0, 12)}, withdrawn (${reason}) by entry ${seq} of member ${by.slice(0, 12)}: ask there; a new study starts afresh`
  return { code: MODEL_WITHDRAWN, message }
}
