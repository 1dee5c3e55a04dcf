/** explain: runs again and tells what one node did. */
import type { Command } from 'commander'
import { table } from '../../src/cli/output.ts'
import type { ExplainLine } from '../options.ts'
import { command, type Engine, EXIT, refusal, secondsOption, seedOption } from './command.ts'
import { interruptible } from './interrupt.ts'
import { readRun } from './runFolder.ts'

const LINES_MAX = 100_000 // more is a file that nobody reads; --from and --to choose

/** Errors: `run-…`, `node-unknown`, `explain-range`, those of the engine. */
export function explainCommand({ simulate }: Engine): Command {
  return command(
    'explain',
    'run again from a folder that "run" wrote, and tell what one node did and why',
    'consilium-netsim explain netsim-results/fanout-seed7 --node 17 --from 30 --to 40',
  )
    .argument('<folder>', 'what "run" wrote')
    .requiredOption('--node <number>', 'which node, from 0', seedOption)
    .option('--from <seconds>', 'virtual time at which to begin', secondsOption, 0)
    .option('--to <seconds>', 'virtual time at which to end; where absent, the end of the run', secondsOption)
    .action(async (folder: string, { node, from, to }: { node: number; from: number; to?: number }) => {
      const { result, scenario } = await readRun(folder)
      if (node >= scenario.nodes.count)
        throw refusal(
          'node-unknown',
          `--node ${node}: the run has ${scenario.nodes.count} nodes, 0 to ${scenario.nodes.count - 1}`,
        )
      const end = Math.min(to ?? result.virtualSeconds, result.virtualSeconds)
      if (from > end) throw refusal('explain-range', `--from ${from} is after ${end} s, where it ends`)
      const lines: ExplainLine[] = []
      const stop = new AbortController()
      const again = await interruptible(
        (signal) =>
          simulate({
            scenario,
            seed: result.seed,
            scenarioName: result.scenarioName,
            baseFolder: folder,
            signal: AbortSignal.any([signal, stop.signal]),
            explainNode: node,
            onExplain: (line) => {
              if (line.seconds > end || lines.length === LINES_MAX) return stop.abort()
              if (line.seconds >= from) lines.push(line)
            },
          }),
        () => process.stderr.write('stopping (Ctrl-C again ends at once)\n'),
      )
      process.stdout.write(`${told(lines, node, from, end).join('\n')}\n`)
      if (lines.length === LINES_MAX)
        process.stderr.write(`only the first ${LINES_MAX} lines: choose with --from and --to\n`)
      if (again.outcome === 'interrupted' && !stop.signal.aborted) process.exitCode = EXIT.interrupted
    })
}

function told(lines: readonly ExplainLine[], node: number, from: number, end: number): string[] {
  if (lines.length === 0) return [`nothing happened to node ${node} from ${from} s to ${end} s`]
  const rows = lines.map(({ seconds, event, text }) => [seconds.toFixed(3), String(event), text])
  return table(['seconds', 'event', `node ${node}`], rows, [0, 1])
}
