/** Fields of a call about a trial, and what is said to who asked for something that is not so. */
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { text } from './bodyFields.ts'

/** One line. */
export function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}

/** One of a closed vocabulary. Error: `trial-word`. */
export function oneOf<const W extends readonly string[]>(option: string, given: string, words: W): W[number] {
  const found = words.find((one) => one === given)
  if (found !== undefined) return found
  throw refused(
    'trial-word',
    `${option}: ${JSON.stringify(given.slice(0, 64))} was given, ${words.join(', ')} are allowed`,
  )
}

/** A digest or a key. Error: `body-malformed`. */
export function hex32(fields: Record<string, unknown>, field: string): Uint8Array {
  return bytesOf(fields, field, 32)
}

/** So many bytes in hexadecimal digits. Error: `body-malformed`. */
export function bytesOf(fields: Record<string, unknown>, field: string, length: number): Uint8Array {
  const given = text(fields, field)
  if (/^[0-9a-f]*$/.test(given) && given.length === length * 2) return fromHex(given)
  throw refused('body-malformed', `${field}: ${length * 2} hexadecimal digits are expected`)
}
