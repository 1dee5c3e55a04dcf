/** The command `consilium-netsim`: its subcommands, and how a failure ends. */
import { Command } from 'commander'
import { VERSION } from '../../src/config/version.ts'
import { ConsiliumError, messageOf } from '../../src/core/errors.ts'
import { type Engine, EXIT } from './command.ts'
import { compareCommand } from './compare.ts'
import { experimentCommand } from './experiment.ts'
import { explainCommand } from './explain.ts'
import { mergeCommand } from './merge.ts'
import { listCommand, newCommand } from './new.ts'
import { replayCommand } from './replay.ts'
import { runCommand } from './run.ts'
import { sweepCommand } from './sweep.ts'

/** Runs one command; `argv` is `process.argv`. Never throws: an error sets `process.exitCode`; a wrong option ends the process (commander). */
export async function main(argv: readonly string[], engine: Engine): Promise<void> {
  const program = new Command('consilium-netsim')
    .description(
      'The network of hospitals, simulated: the machine of the daemon in virtual time, from a scenario file.',
    )
    .version(VERSION)
    .showHelpAfterError('(--help shows what is allowed)')
    .addHelpText(
      'after',
      '\nFirst steps:\n  $ consilium-netsim ls                            (scenarios that come along)\n  $ consilium-netsim run baseline --seed 7\n  $ consilium-netsim sweep fanout --param gossip.fanout=1,3,5 --seeds 20\n  $ consilium-netsim new mine.yaml                 (a scenario of your own)',
    )
  for (const sub of [
    runCommand(engine),
    sweepCommand(engine),
    mergeCommand(),
    compareCommand(),
    replayCommand(engine),
    explainCommand(engine),
    experimentCommand(),
    newCommand(),
    listCommand(),
  ])
    program.addCommand(sub)
  process.stdout.on('error', endQuietly)
  try {
    await program.parseAsync(argv)
  } catch (error) {
    fail(error)
  }
}

/** Whoever reads our output, `head` for one, may have enough of it. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit()
}

/** What the machine refused, in words; null where it is no such thing. */
function worldFault(error: unknown): string | null {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return null
  const { code, path } = error as NodeJS.ErrnoException
  const where = path === undefined ? '' : `${path}: `
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return `${where}no space is left where the results are written: make room, or name another folder with --out, and run it again`
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return `${where}writing is not allowed here: name another folder with --out`
  return null
}

/** One line on standard error and exit code 1. A stack trace is for our own bugs, and only where asked for. */
function fail(error: unknown): void {
  const world = worldFault(error)
  const known = error instanceof ConsiliumError || world !== null
  const message = known
    ? (world ?? messageOf(error))
    : `an error of Consilium itself: ${messageOf(error)} (set CONSILIUM_DEBUG=1 for details, and please report it)`
  process.stderr.write(`consilium-netsim: ${message}\n`)
  if (!known && process.env.CONSILIUM_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  process.exitCode = EXIT.failed
}
