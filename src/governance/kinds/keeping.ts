/** Kinds of entries by which a hospital says what it did with its own copy: backups, what came out of one, and corrections. */
import * as v from 'valibot'
import { bytes32, count } from './fields.ts'

/** Why an entry is corrected. */
export const CORRECTION_REASONS = ['entered-by-mistake', 'wrong-value', 'wrong-person', 'superseded'] as const

/** Nothing that a node does depends on them. */
export const KEEPING_KINDS = {
  /** A copy of its folder was made, with so many entries of all logs. */
  'operator.backup': v.strictObject({ entries: count }),
  /** Its node goes on from a backup that was made then, in milliseconds, with so many entries of all logs. */
  'operator.restored': v.strictObject({ made: count, entries: count }),
  /** What its own entry `seq` says is wrong, and what the other says that `refs` cite holds; `hash` is the leaf of the first. Both stay. */
  'operator.corrected': v.strictObject({ seq: count, hash: bytes32, reason: v.picklist(CORRECTION_REASONS) }),
} as const
