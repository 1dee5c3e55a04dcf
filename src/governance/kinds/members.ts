/** Kinds about members whose keys are not to be trusted for a while. */
import * as v from 'valibot'
import { bytes32, count } from './fields.ts'

/** Why a member is suspended. */
export const SUSPENSION_REASONS = [
  'key-stolen', // somebody else may sign with its key
  'compromised', // its machine may do what others want
  'misconduct', // it breaks what was agreed, or tries to
] as const

export const MEMBER_KINDS = {
  /**
   * The key of `member` is not to be trusted from now on: what it permits beyond the first `size` entries of its log, which its author knew
   * of, does not count, and its updates are not merged. Binds as `governance/suspensions.ts` says.
   */
  'member.suspended': v.strictObject({ member: bytes32, reason: v.picklist(SUSPENSION_REASONS), size: count }),
  /** Takes that back; and says, of what `member` wrote of its own key, that the words among its first `size` entries hold no more. */
  'member.reinstated': v.strictObject({ member: bytes32, size: count }),
} as const
