/** Leave to act, with its reasons. Training, publishing and evaluating cannot be asked for without one. */
import type { AgreementId, Digest, MemberId, StudyId } from '../core/ids.ts'
import type { StudyState } from './studies.ts'

declare const issued: unique symbol

/** What the shell found when it asked whose rows may be used; of a study that asks patients for their word. */
export interface Consulted {
  /** Merkle root over how each patient of the table stands. */
  readonly root: Digest
  /** Whose rows may train, and how many rows may test. */
  readonly patients: number
  readonly testRows: number
}

/** Made by `permit` alone. */
export interface Permit {
  readonly study: StudyId
  /** Commitment to the table version that may be read. */
  readonly dataset: Digest
  /** The scaling that inputs are standardised with. */
  readonly scaling: Digest
  /** Whose word the round rests on: the root over them; null where the study asks for none, or none was asked for yet. */
  readonly consent: Digest | null
  /** Those that it is given under; absent where none binds here. */
  readonly agreements?: readonly AgreementId[]
  readonly [issued]: true
}

/** Why not: a stable code, and a line for a person. */
export interface Refusal {
  readonly code: string
  readonly message: string
}

/** What a permit depends on. `study` is undefined where it is not known here, `dataset` null where no table is bound. */
export interface Request {
  readonly self: MemberId
  readonly study: StudyState | undefined
  readonly dataset: Digest | null
  /** The operator asked for a pause whose entry may not be durable yet. */
  readonly pauseAsked: boolean
  /** Why nothing may be trained on from the model that is held: it descends from one that was withdrawn, or that is not known yet. */
  readonly withdrawn: Refusal | null
  /** How many rounds the privacy budget still allows, where a round is to be trained in a private study; null elsewhere. */
  readonly roundsLeft: number | null
  /** What patients' words came to when they were last asked for; null before that. */
  readonly consulted: Consulted | null
  /** What agreements say; null where the study is not known. */
  readonly agreed: { readonly agreements: readonly AgreementId[] } | { readonly forbidden: Refusal } | null
  /** Why the table may not be used for want of a grant; null where it may, or none is asked for. */
  readonly ungranted: Refusal | null
}

/** Evaluates every condition now; a restriction binds as soon as it is known here. */
export function permit({
  self,
  study,
  dataset,
  pauseAsked,
  withdrawn,
  roundsLeft,
  consulted,
  agreed,
  ungranted,
}: Request): { permit: Permit } | { refusal: Refusal } {
  if (study === undefined) return no('study-unknown', 'the study is not known here')
  if (!study.accepted.has(self))
    return no('study-not-accepted', `accept it first: consilium study accept ${study.id.slice(0, 12)}`)
  if (dataset === null)
    return no('dataset-not-bound', `bind a table first: consilium study bind ${study.id.slice(0, 12)} --data FILE`)
  if (pauseAsked || study.paused.has(self))
    return no('study-paused', `the operator paused it: consilium study resume ${study.id.slice(0, 12)}`)
  if (agreed !== null && 'forbidden' in agreed) {
    const { code, message } = agreed.forbidden
    return no(code, message)
  }
  if (ungranted !== null) return { refusal: ungranted }
  if (study.scaling === null) return no('scaling-not-frozen', 'the scaling statistics are not frozen yet')
  if (withdrawn !== null) return { refusal: withdrawn }
  if (roundsLeft === 0)
    return no(
      'privacy-budget-spent',
      'another round would spend more privacy than the study or this hospital allows: it trains no further here, and goes on hearing, passing on and witnessing what the others do',
    )
  const withheld = consulted === null ? null : consentRefusal(study, consulted)
  if (withheld !== null) return { refusal: withheld }
  const consent = consulted?.root ?? null
  const under = agreed === null || agreed.agreements.length === 0 ? {} : { agreements: agreed.agreements }
  return { permit: { study: study.id, dataset, scaling: study.scaling.digest, consent, ...under } as Permit }
}

/** A model of so few would say much of each, and be asked for by nobody. */
function consentRefusal({ id, study }: StudyState, { patients, testRows }: Consulted): Refusal | null {
  const { minimumCohort, consent } = study
  if (patients >= minimumCohort && testRows > 0) return null
  const found = patients < minimumCohort ? `${patients} patients may train` : 'no row may test'
  const rule = `consent.basis ${consent?.basis}, minimumCohort ${minimumCohort} of study ${id.slice(0, 12)}`
  return {
    code: 'consent-cohort',
    message: `by what patients said, ${found} here now (${rule}): ask this hospital's consent office, or see consilium consent show`,
  }
}

function no(code: string, message: string): { refusal: Refusal } {
  return { refusal: { code, message } }
}
