/** A payload that no author's coder writes: its author signed it, so its author is to blame. */
import { ConsiliumError } from '../../core/errors.ts'

/** The error, blaming the sender. */
export function payloadFault(code: 'payload-length' | 'payload-range' | 'payload-order', message: string) {
  return new ConsiliumError({ code, message, blame: 'reject' })
}
