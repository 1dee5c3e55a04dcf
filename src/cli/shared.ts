/** What every command has: --home, --json, an example in its help, and one line and exit code 1 for what goes wrong. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import type { SigningKey } from '../core/ed25519.ts'
import type { ErrorReport } from '../daemon/api.ts'
import { homePaths } from '../daemon/homePaths.ts'
import { Client } from './client.ts'
import { type Output, output } from './output.ts'

/** Options of every command; `home` is as given, not yet an absolute path. */
export interface Common {
  readonly home: string
  readonly json: boolean
  /** The key file of who signs for the call; none where it is absent. */
  readonly as?: string
  readonly passphraseFile?: string
}

/** A command with the common options; `example` is shown by --help. */
export function command(name: string, description: string, example: string): Command {
  const asJson = process.argv.includes('--json')
  return new Command(name)
    .description(description)
    .option('--home <folder>', 'data folder of the node', process.env.CONSILIUM_HOME ?? join(homedir(), '.consilium'))
    .option('--json', 'print JSON for machines', false)
    .option('--as <file>', 'who acts: a key that "consilium person new" made', process.env.CONSILIUM_PERSON)
    .option(
      '--passphrase-file <file>',
      'what opens that key, where no one is there to type it',
      process.env.CONSILIUM_PASSPHRASE_FILE,
    )
    .showHelpAfterError(asJson ? false : '(--help shows what is allowed)')
    .configureOutput({ outputError: (text, write) => write(asJson ? optionError(text) : text) })
    .addHelpText('after', `\nExample:\n  $ ${example}`)
    .hook('preAction', requireValues)
}

/** An option whose value was left out takes the next option for it: "--member --home X" would ask the node of the usual folder. */
function requireValues(sub: Command): void {
  for (const option of sub.options.filter(({ required }) => required))
    for (const value of [sub.getOptionValue(option.attributeName())].flat())
      if (typeof value === 'string' && value.startsWith('--'))
        sub.error(`error: option '${option.flags}' has no value: '${value}' stands in its place`)
}

function optionError(text: string): string {
  const message = text
    .trim()
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ')
  const report: ErrorReport = { error: { code: 'bad-option', message } }
  return `${JSON.stringify(report)}\n`
}

/** Connects with the first call: a daemon that is not running shows only then. */
export function clientOf({ home, as, passphraseFile }: Common): Client {
  const paths = homePaths(home)
  return new Client(paths.folder, paths.socket, as === undefined ? null : () => personKey(as, passphraseFile))
}

/** Loaded where somebody signs. */
async function personKey(file: string, passphraseFile: string | undefined): Promise<SigningKey> {
  const { readPersonKey } = await import('../daemon/personKey.ts')
  const { passphrase } = await import('./passphrase.ts')
  return readPersonKey(file, () => passphrase(file, passphraseFile))
}

/** Where the command prints, in the form that --json asks for. */
export function outputOf({ json }: Common): Output {
  return output(json)
}

/** How a table's columns are told to mean a study's features. */
export interface TableOptions extends Common {
  readonly column: Record<string, string>
  readonly unit: Record<string, string>
  readonly ignoreExtra: boolean
}

/** Gives a command the options of `TableOptions`. */
export function readsTable(sub: Command): Command {
  return sub
    .option(
      '--column <feature=column>',
      'the column that holds a feature, where their names differ; may be repeated',
      keyValue,
      {},
    )
    .option(
      '--unit <feature=unit>',
      'the unit that a column is in, where its header does not say it; may be repeated',
      keyValue,
      {},
    )
    .option('--ignore-extra', 'allow columns that the study does not name', false)
}

/** Collects a repeatable `NAME=VALUE` option. Error: commander's `InvalidArgumentError`. */
export function keyValue(given: string, before: Record<string, string>): Record<string, string> {
  const at = given.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('NAME=VALUE is expected.')
  return { ...before, [given.slice(0, at)]: given.slice(at + 1) }
}
