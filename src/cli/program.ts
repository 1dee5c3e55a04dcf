/** The command `consilium`: its subcommands, and how a failure ends. */
import { Command } from 'commander'
import { VERSION } from '../config/version.ts'
import { ConsiliumError, invariant, messageOf } from '../core/errors.ts'
import type { ErrorReport } from '../daemon/api.ts'

/**
 * The subcommands, in the order of the help. Each is loaded when it is called, for all together take longer to load than most
 * commands take to run.
 */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
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
  study: async () => (await import('./study.ts')).studyCommand(),
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
  log: async () => (await import('./log.ts')).logCommand(),
}

/** Runs one command; `argv` is `process.argv`. Never throws: an error sets `process.exitCode`; a wrong option ends the process (commander). */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    const called = argv[2] ?? ''
    const program = await consiliumCommand(Object.hasOwn(COMMANDS, called) ? [called] : Object.keys(COMMANDS))
    await program.parseAsync(argv)
  } catch (error) {
    fail(error, argv.includes('--json'))
  }
}

/** The command with the subcommands of these names, or with all. */
export async function consiliumCommand(names = Object.keys(COMMANDS)): Promise<Command> {
  const program = new Command('consilium')
    .description('Hospitals train one model together: no server, no chain, no patient record leaving its house.')
    .version(VERSION)
    .enablePositionalOptions() // else an option behind "count ls" would be taken for one of "count"
    .showHelpAfterError('(--help shows what is allowed)')
    .addHelpText(
      'after',
      '\nFirst steps:\n  $ consilium init --name "St. Mary"\n  $ consilium found --name "Our consortium" CARD…   (one of you)\n  $ consilium accept consortium.yaml                (each of you)\n  $ consilium start',
    )
  for (const name of names) {
    const load = COMMANDS[name]
    invariant(load !== undefined, 'the subcommand is in the table')
    const sub = await load()
    invariant(sub.name() === name, 'a subcommand is called as in the table')
    program.addCommand(sub)
  }
  return program
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
