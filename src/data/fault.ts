/**
 * Faults of a hospital's table. The message may quote the one offending cell, for the person at the hospital's own terminal:
 * so a log takes the code (`data-…`) and the place, never the message.
 */
import { ConsiliumError } from '../core/errors.ts'

export type DataCode =
  | 'file'
  | 'encoding'
  | 'empty'
  | 'syntax'
  | 'header'
  | 'ragged'
  | 'too-large'
  | 'mapping'
  | 'missing-column'
  | 'extra-column'
  | 'unit'
  | 'not-a-number'
  | 'not-finite'
  | 'out-of-range'
  | 'unknown-level'
  | 'bad-label'
  | 'missing-label'
  | 'missing-value'
  | 'missing-subject'
  | 'too-few-rows'
  | 'one-class'

/** A fault of one file; its code is `data-` and one of `DataCode`. */
export class DataError extends ConsiliumError {
  /** Line of the file, from 1; absent where the whole file is meant. Safe to log. */
  readonly line: number | undefined
  constructor(code: DataCode, file: string, message: string, line?: number, cause?: unknown) {
    const where = line === undefined ? file : `${file}: line ${line}`
    super({ code: `data-${code}`, message: `${where}: ${message}`, cause })
    this.name = 'DataError'
    this.line = line
  }
}

const SHOWN_CHARACTERS_MAX = 40 // enough to find the cell, short enough for one line

/** A cell or a name in quotes, cut to a readable length, on one line. */
export function quote(text: string): string {
  const shown = text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
  return JSON.stringify(shown)
}
