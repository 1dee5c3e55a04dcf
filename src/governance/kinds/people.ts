/** Kinds of entries about people who act for a hospital: who may, who may no longer, and who signed for what was done. */
import * as v from 'valibot'
import { bytes32, bytes64, code, count } from './fields.ts'

/** What somebody may do for a hospital: run studies, decide for it, or look and change nothing. */
export const ROLES = ['operator', 'approver', 'auditor'] as const
export type Role = (typeof ROLES)[number]

/** Why somebody acts for a hospital no longer. */
export const REVOCATION_REASONS = ['left', 'role-changed', 'key-lost', 'key-stolen', 'entered-by-mistake'] as const

/** Why all enrolments of a hospital were declared void by who has its data folder. */
export const RESET_REASONS = ['key-lost', 'key-stolen', 'passphrase-lost', 'people-left', 'entered-by-mistake'] as const

export const PEOPLE_KINDS = {
  /** From here on the holder of `key` acts for its author. `person`: a salted commitment to name and key; the salt stays at the hospital. */
  'person.enrolled': v.strictObject({
    person: bytes32,
    key: bytes32,
    roles: v.pipe(v.array(v.picklist(ROLES)), v.minLength(1), v.maxLength(ROLES.length)),
  }),
  /** From here on that person does no longer. */
  'person.revoked': v.strictObject({ person: bytes32, reason: v.picklist(REVOCATION_REASONS) }),
  /** All enrolments so far are void. Nobody signed for it: who has the data folder did it. */
  'person.reset': v.strictObject({ reason: v.picklist(RESET_REASONS) }),
  /**
   * `person` asked for `action` and signed for it at `timeMs`. `refs` cite that person's enrolment, then the entries that came of it, which
   * stand right before this one; none where it was only looked at something. `request`: a salted digest of what was asked. `part` counts the
   * entries about one request, from 0.
   */
  'person.acted': v.strictObject({
    person: bytes32,
    action: code,
    request: bytes32,
    timeMs: count,
    part: count,
    signature: bytes64,
  }),
} as const
