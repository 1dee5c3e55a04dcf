/** How trials, and the keys of what is committed to in them, are named in commands. */
import { InvalidArgumentError } from 'commander'
import { ConsiliumError } from '../core/errors.ts'
import type { TrialReport } from '../daemon/trialApi.ts'
import { type Common, clientOf } from './shared.ts'

/** How a trial is named. */
export const TRIAL = "the trial's name, its digest, or at least 6 digits of it"

/** The path of a call about a trial. */
export const trialPath = (ref: string, verb: string): string => `/v1/trials/${encodeURIComponent(ref)}/${verb}`

/** Of a trial. */
export const reportOf = (options: Common, ref: string): Promise<TrialReport> =>
  clientOf(options).get<TrialReport>(`/v1/trials/${encodeURIComponent(ref)}`)

/** A key. Error: commander's `InvalidArgumentError`. */
export function hex32(given: string): string {
  if (/^[0-9a-f]{64}$/.test(given)) return given
  throw new InvalidArgumentError('64 hexadecimal digits are expected.')
}

/**
 * The key with which a file is held against a commitment: as it was given, else as it is kept here. Errors: `trial-no-key`, and those of a sign-off,
 * for who asks for a key signs; both say how the key is given.
 */
export async function keyFor(
  options: Common & { readonly key?: string },
  trial: string,
  commitment: string,
): Promise<string> {
  if (options.key !== undefined) return options.key
  try {
    return await keyOf(options, trial, commitment)
  } catch (error) {
    if (!(error instanceof ConsiliumError) || !/^(?:person-|trial-no-key$)/.test(error.code)) throw error
    const { code, message } = error
    const how =
      'give the key of the commitment with --key DIGITS, as "consilium trial reveal" prints it where it was made'
    const said =
      code === 'trial-no-key'
        ? `${message}; ${how}`
        : `to compare, ${how}, or have the one that is kept here used: ${message}`
    throw new ConsiliumError({ code, message: said })
  }
}

/** The key of a commitment that was made at this hospital. Error: `trial-no-key`. */
export async function keyOf(options: Common, trial: string, commitment: string): Promise<string> {
  return (await clientOf(options).post<{ key: string }>(trialPath(trial, 'reveal'), { commitment })).key
}
