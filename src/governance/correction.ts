/** Entries that say of an earlier one of the same author that it is wrong, or is taken back: never a change of it. */
import type { MemberId } from '../core/ids.ts'
import type { Entry } from '../ledger/entry.ts'
import { CORRECTION_REASONS } from './kinds/keeping.ts'
import { readBody } from './kinds.ts'
import type { Refusal } from './permit.ts'

/** What leave to correct depends on: the entry that is wrong, and the one that holds. */
export interface CorrectionRequest {
  readonly entry: Pick<Entry, 'author' | 'seq' | 'kind'>
  readonly by: Pick<Entry, 'author' | 'seq' | 'kind'>
  readonly self: MemberId
  readonly reason: string
}

/** Why an own entry may not be called wrong, or null where it may. */
export function correctionRefusal({ entry, by, self, reason }: CorrectionRequest): Refusal | null {
  if (!(CORRECTION_REASONS as readonly string[]).includes(reason))
    return { code: 'correction-reason', message: `--reason: ${CORRECTION_REASONS.join(', ')} are allowed` }
  if (entry.author !== self || by.author !== self) {
    const message = 'each member corrects what its own log says by an entry of its own: ask there'
    return { code: 'correction-foreign', message }
  }
  if (by.seq <= entry.seq)
    return { code: 'correction-earlier', message: '--with: a later entry than the one that is wrong is expected' }
  if (by.kind === entry.kind) return null
  const message = `--with: an entry of the same kind is expected, ${entry.kind}; ${by.kind} says something else`
  return { code: 'correction-kind', message }
}

/** What an entry says of the first that it cites, or null where it says nothing of the sort. */
export function remarkOn({ kind, body }: Pick<Entry, 'kind' | 'body'>): {
  readonly kind: 'redacted' | 'corrected'
  readonly reason: string
} | null {
  if (kind !== 'operator.redacted' && kind !== 'operator.corrected') return null
  const read = readBody(kind, body)
  if (read === null) return null
  return { kind: kind === 'operator.redacted' ? 'redacted' : 'corrected', reason: read.reason }
}
