/** What every command of `consilium-netsim` has: an example in its help, and how it ends. */
import { Command, InvalidArgumentError } from 'commander'
import { parse } from 'yaml'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Simulate } from '../options.ts'

/** The engine, for this thread and for worker threads. */
export interface Engine {
  readonly simulate: Simulate
  /** URL of the module that a worker thread of a sweep runs. */
  readonly worker: string
}

/** How commands end besides 0. */
export const EXIT = { failed: 1, interrupted: 130 } as const

/** A command; `example` is shown by --help. */
export function command(name: string, description: string, ...examples: readonly string[]): Command {
  return new Command(name)
    .description(description)
    .showHelpAfterError('(--help shows what is allowed)')
    .addHelpText('after', `\nExample:\n${examples.map((example) => `  $ ${example}`).join('\n')}`)
}

/** A whole number from 0 to 2^53 − 1. Error: commander's `InvalidArgumentError`. */
export function seedOption(given: string): number {
  const seed = Number(given)
  if (/^\d+$/.test(given) && Number.isSafeInteger(seed)) return seed
  throw new InvalidArgumentError('A whole number is expected, 7 for example.')
}

/** A number of at least 0. Error: commander's `InvalidArgumentError`. */
export function secondsOption(given: string): number {
  const seconds = Number(given)
  if (given.trim() !== '' && Number.isFinite(seconds) && seconds >= 0) return seconds
  throw new InvalidArgumentError('A number of virtual seconds is expected, 90 for example.')
}

/** Collects `PATH=VALUE`; the value is YAML: `3`, `null`, `[1, 2]`, `{kind: ring}`. Error: `InvalidArgumentError`. */
export function setOption(given: string, before: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const at = given.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('PATH=VALUE is expected, gossip.fanout=3 for example.')
  const path = given.slice(0, at)
  if (Object.hasOwn(before, path)) throw new InvalidArgumentError(`${path} is given twice.`)
  return { ...before, [path]: yamlValue(given.slice(at + 1)) }
}

/** One YAML value. Error: `InvalidArgumentError`. */
export function yamlValue(text: string): unknown {
  try {
    return parse(text)
  } catch {
    throw new InvalidArgumentError(`"${text}" is not a YAML value; write 3, word, [1, 2] or {kind: ring}.`)
  }
}

/** A word as a shell takes it: quoted where it has to be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** A command line from words. */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ')
}

/** A `ConsiliumError`; for one-line throws. */
export function refusal(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
