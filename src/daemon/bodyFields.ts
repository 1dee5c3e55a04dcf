/** Fields of a call's body, checked. */
import { ConsiliumError } from '../core/errors.ts'

/** A text. Error: `body-malformed`. */
export function text(body: Record<string, unknown>, field: string): string {
  const value = body[field]
  if (typeof value !== 'string')
    throw new ConsiliumError({ code: 'body-malformed', message: `${field}: a string is expected` })
  return value
}

/** Texts by name; none where the field is missing. Error: `body-malformed`. */
export function words(body: Record<string, unknown>, field: string): Record<string, string> {
  const value = body[field] ?? {}
  if (typeof value !== 'object' || !Object.values(value as object).every((one) => typeof one === 'string')) {
    throw new ConsiliumError({ code: 'body-malformed', message: `${field}: an object of strings is expected` })
  }
  return value as Record<string, string>
}
