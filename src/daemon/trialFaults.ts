/** What is said to who asked for something about a trial that is not so. */
import { ConsiliumError } from '../core/errors.ts'

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
