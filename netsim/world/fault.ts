/** What is wrong with a scenario when its world is made: one line that says what was given and what is allowed. */
import { ConsiliumError } from '../../src/core/errors.ts'

/** The part of the world that can't be made as asked; the code is `scenario-` and this. */
export type WorldPart = 'topology' | 'availability' | 'data' | 'file' | 'study'

/** An error for the person who wrote the scenario. */
export function fault(part: WorldPart, message: string, cause?: unknown): ConsiliumError {
  return new ConsiliumError({ code: `scenario-${part}`, message, cause })
}
