/** The command `consilium`: its subcommands, and how a failure ends. */
import { Command } from 'commander'
import { VERSION } from '../config/version.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { ErrorReport } from '../daemon/api.ts'
import { addCalled, type Loaders } from './loading.ts'

const COMMANDS: Loaders = {
  init: async () => (await import('./found.ts')).initCommand(),
  found: async () => (await import('./found.ts')).foundCommand(),
  accept: async () => (await import('./found.ts')).acceptCommand(),
  invite: async () => (await import('./invite.ts')).inviteCommand(),
  join: async () => (await import('./invite.ts')).joinCommand(),
  start: async () => (await import('./node.ts')).startCommand(),
  stop: async () => (await import('./node.ts')).stopCommand(),
  status: async () => (await import('./node.ts')).statusCommand(),
  doctor: async () => (await import('./node.ts')).doctorCommand(),
  keys: async () => (await import('./keys.ts')).keysCommand(),
  backup: async () => (await import('./backup.ts')).backupCommand(),
  restore: async () => (await import('./backup.ts')).restoreCommand(),
  members: async () => (await import('./members.ts')).membersCommand(),
  dataset: async () => (await import('./dataset.ts')).datasetCommand(),
  person: async () => (await import('./person.ts')).personCommand(),
  study: async (called) => (await import('./study.ts')).studyCommand(called),
  model: async () => (await import('./model.ts')).modelCommand(),
  consent: async () => (await import('./consent.ts')).consentCommand(),
  subject: async () => (await import('./subject.ts')).subjectCommand(),
  supply: async () => (await import('./supply.ts')).supplyCommand(),
  catalogue: async () => (await import('./catalogue.ts')).catalogueCommand(),
  access: async () => (await import('./access.ts')).accessCommand(),
  count: async () => (await import('./count.ts')).countCommand(),
  trial: async () => (await import('./trial.ts')).trialCommand(),
  agreement: async () => (await import('./agreement.ts')).agreementCommand(),
  settlement: async () => (await import('./settlement.ts')).settlementCommand(),
  audit: async () => (await import('./audit.ts')).auditCommand(),
  predict: async () => (await import('./predict.ts')).predictCommand(),
  explain: async () => (await import('./predict.ts')).explainCommand(),
  log: async (called) => (await import('./log.ts')).logCommand(called),
}

/** Runs one command; `argv` is `process.argv`. Never throws: an error sets `process.exitCode`; a wrong option ends the process (commander). */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    const program = await consiliumCommand(argv.slice(2))
    await program.parseAsync(argv)
  } catch (error) {
    fail(error, argv.includes('--json'))
  }
}

/** The command, with the subcommand that these words call, or with all of them. */
export async function consiliumCommand(words: readonly string[] = []): Promise<Command> {
  const program = new Command('consilium')
    .description('Hospitals train one model together: no server, no chain, no patient record leaving its house.')
    .version(VERSION)
    .enablePositionalOptions() // else an option behind "count ls" would be taken for one of "count"
    .showHelpAfterError('(--help shows what is allowed)')
    .addHelpText(
      'after',
      '\nFirst steps:\n  $ consilium init --name "St. Mary"\n  $ consilium found --name "Our consortium" CARD…   (one of you)\n  $ consilium accept consortium.yaml                (each of you)\n  $ consilium start',
    )
  return addCalled(program, COMMANDS, words)
}

/** One line on standard error and exit code 1. A stack trace is for our own bugs, and only where asked for. */
function fail(error: unknown, asJson: boolean): void {
  const known = error instanceof ConsiliumError
  const message = known
    ? messageOf(error)
    : `an error of Consilium itself: ${messageOf(error)} (set CONSILIUM_DEBUG=1 for details, and please report it)`
  const report: ErrorReport = { error: { code: known ? error.code : 'internal', message } }
  process.stderr.write(asJson ? `${JSON.stringify(report)}\n` : `consilium: ${message}\n`)
  if (!known && process.env.CONSILIUM_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
}
