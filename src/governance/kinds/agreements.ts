/** Kinds of entries about data-sharing agreements: what was proposed, what each party says of it, and what was not done for its sake. */
import * as v from 'valibot'
import { AGREEMENT_ACTIONS } from '../../config/agreementSchema.ts'
import { LIMITS } from '../../core/limits.ts'
import { bytes, bytes32, code, count } from './fields.ts'

/** The parts of an agreement: what a refusal is about, by a party of the whole or by a node of one act. */
export const AGREEMENT_CLAUSES = [
  ...(['parties', 'purposes', 'studies', 'datasets', 'merge', 'privacy', 'cohort', 'term'] as const),
  ...(['duties', 'settlement', 'workflow', 'guards', 'whole'] as const),
] as const
export type AgreementClause = (typeof AGREEMENT_CLAUSES)[number]

/** Why a party ends an agreement for good. */
export const ENDING_REASONS = [
  'fulfilled',
  'breach',
  'withdrawn',
  'law-changed',
  'replaced',
  'entered-by-mistake',
] as const

export const AGREEMENT_KINDS = {
  /** The canonical document of an agreement, written to be read by all; its id is the document's digest. */
  'agreement.proposed': v.strictObject({ document: bytes((length) => length <= LIMITS.agreementBytesMax) }),
  /** Its author, a party, keeps to it; `refs` cite the proposal. */
  'agreement.signed': v.strictObject({ agreement: bytes32 }),
  /** Its author does not, because of that clause; the newest of its words counts. */
  'agreement.refused': v.strictObject({ agreement: bytes32, clause: v.picklist(AGREEMENT_CLAUSES) }),
  /** Any party ends it, for good. */
  'agreement.ended': v.strictObject({ agreement: bytes32, reason: v.picklist(ENDING_REASONS) }),
  /** An event of its workflow came about, or a duty is done: a word of the agreement's own. */
  'agreement.event': v.strictObject({ agreement: bytes32, event: code }),
  /** At its author's node something was not done: the clause, the refusal's code, and which guard, where it was one. Null: no agreement was there. */
  'agreement.denied': v.strictObject({
    agreement: v.nullable(bytes32),
    clause: v.picklist(AGREEMENT_CLAUSES),
    reason: code,
    action: v.picklist(AGREEMENT_ACTIONS),
    guard: v.nullable(count),
  }),
} as const
