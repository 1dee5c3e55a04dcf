/** The command `consilium`: its subcommands, and how a failure ends. */
import { Command } from 'commander'
import { VERSION } from '../config/version.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { ErrorReport } from '../daemon/api.ts'
import { accessCommand } from './access.ts'
import { agreementCommand } from './agreement.ts'
import { auditCommand } from './audit.ts'
import { backupCommand, restoreCommand } from './backup.ts'
import { catalogueCommand } from './catalogue.ts'
import { consentCommand } from './consent.ts'
import { countCommand } from './count.ts'
import { datasetCommand } from './dataset.ts'
import { acceptCommand, foundCommand, initCommand } from './found.ts'
import { inviteCommand, joinCommand } from './invite.ts'
import { keysCommand } from './keys.ts'
import { logCommand } from './log.ts'
import { membersCommand } from './members.ts'
import { modelCommand } from './model.ts'
import { doctorCommand, startCommand, statusCommand, stopCommand } from './node.ts'
import { personCommand } from './person.ts'
import { explainCommand, predictCommand } from './predict.ts'
import { settlementCommand } from './settlement.ts'
import { studyCommand } from './study.ts'
import { subjectCommand } from './subject.ts'
import { supplyCommand } from './supply.ts'

/** Runs one command; `argv` is `process.argv`. Never throws: an error sets `process.exitCode`; a wrong option ends the process (commander). */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await consiliumCommand().parseAsync(argv)
  } catch (error) {
    fail(error, argv.includes('--json'))
  }
}

/** The command with all of its subcommands. */
export function consiliumCommand(): Command {
  const program = new Command('consilium')
    .description('Hospitals train one model together: no server, no chain, no patient record leaving its house.')
    .version(VERSION)
    .enablePositionalOptions() // else an option behind "count ls" would be taken for one of "count"
    .showHelpAfterError('(--help shows what is allowed)')
    .addHelpText(
      'after',
      '\nFirst steps:\n  $ consilium init --name "St. Mary"\n  $ consilium found --name "Our consortium" CARD…   (one of you)\n  $ consilium accept consortium.yaml                (each of you)\n  $ consilium start',
    )
  for (const sub of [
    initCommand(),
    foundCommand(),
    acceptCommand(),
    inviteCommand(),
    joinCommand(),
    startCommand(),
    stopCommand(),
    statusCommand(),
    doctorCommand(),
    keysCommand(),
    backupCommand(),
    restoreCommand(),
    membersCommand(),
    datasetCommand(),
    personCommand(),
    studyCommand(),
    modelCommand(),
    consentCommand(),
    subjectCommand(),
    supplyCommand(),
    catalogueCommand(),
    accessCommand(),
    countCommand(),
    agreementCommand(),
    settlementCommand(),
    auditCommand(),
    predictCommand(),
    explainCommand(),
    logCommand(),
  ]) {
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
