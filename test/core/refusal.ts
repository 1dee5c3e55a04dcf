/** What a call refuses with: the code of a ConsiliumError that blames the sender where `blame` says so. */
import { ConsiliumError } from '../../src/core/errors.ts'

/** The code that `call` throws; null when it throws nothing. Whatever is no ConsiliumError is thrown on, for it is a fault of ours. */
export function refusal(call: () => unknown): string | null {
  try {
    call()
    return null
  } catch (error) {
    if (error instanceof ConsiliumError) return error.code
    throw error
  }
}
