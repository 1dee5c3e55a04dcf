/** Files that a scenario names: read once, before virtual time begins. */
import { resolve } from 'node:path'
import { messageOf } from '../../src/core/errors.ts'
import { fault } from './fault.ts'

/** How a scenario's files are read; what is given here is all that a world knows of the disk. */
export interface ScenarioFiles {
  /** The folder of the scenario file: relative paths start there. */
  readonly folder: string
  /** The bytes of a file; throws what it likes. */
  readonly readFile: (path: string) => Uint8Array
}

/** The bytes of `file`, as the scenario names it. Errors: `scenario-file`. */
export function bytesOf(files: ScenarioFiles, file: string): Uint8Array {
  const path = resolve(files.folder, file)
  try {
    return files.readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const reason =
      code === 'ENOENT'
        ? `there is no such file at ${path}: relative paths start in the scenario's folder`
        : `cannot be read: ${messageOf(error)}`
    throw fault('file', `${file}: ${reason}`, error)
  }
}

/** A line of a text file with something in it. */
export interface TextLine {
  /** Without comment and without spaces at its ends. */
  readonly text: string
  /** From 1. */
  readonly line: number
}

/** Lines of a small text format: `#` begins a comment, lines without text are skipped. Errors: `scenario-file`. */
export function* linesOf(files: ScenarioFiles, file: string): Generator<TextLine> {
  const bytes = bytesOf(files, file)
  const decoder = new TextDecoder()
  let line = 0
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(0x0a, start)
    const end = found < 0 ? bytes.length : found
    line++
    const text = decoder.decode(bytes.subarray(start, end)).replace(/#.*$/s, '').trim()
    if (text !== '') yield { text, line }
    start = end + 1
  }
}
