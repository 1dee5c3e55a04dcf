/** run: one scenario, one seed, one folder. */
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { terminalReport } from '../report/terminal.ts'
import type { SimulationResult } from '../result.ts'
import { Checkpoints } from './checkpoints.ts'
import { command, type Engine, EXIT, refusal, seedOption, setOption, shellLine } from './command.ts'
import { interruptible } from './interrupt.ts'
import { ProgressLine } from './progress.ts'
import { provenanceOf } from './provenance.ts'
import { claimFolder, writeRun } from './runFolder.ts'
import { loadScenario } from './scenarios.ts'

export const RESULTS = 'netsim-results'

interface RunOptions {
  readonly seed: number
  readonly out?: string
  readonly force: boolean
  readonly set: Readonly<Record<string, unknown>>
  readonly data?: string
  readonly site?: string
  readonly label?: string
  readonly positive?: string
}

/** Errors: `scenario-…`, `folder-…`, `data-options`, those of the engine. */
export function runCommand({ simulate }: Engine): Command {
  return command(
    'run',
    'run a scenario once and write what came out',
    'consilium-netsim run fanout --seed 7 --set gossip.fanout=3',
    'consilium-netsim run baseline --data icu.csv --site hospital --label died',
  )
    .argument('<scenario>', 'a scenario file, or a name that "ls" shows')
    .option('--seed <number>', 'whole number; the same scenario and seed give the same run', seedOption, 1)
    .option('--out <folder>', `where to write; ${RESULTS}/NAME-seedN where absent`)
    .option('--force', 'write into a folder that has files in it already', false)
    .option('--set <path=value>', 'set one value of the scenario, as YAML; may be repeated', setOption, {})
    .option('--data <file>', 'a CSV file of your own in place of the data of the scenario')
    .option('--site <column>', 'with --data: the column that says the hospital; each one is a node')
    .option('--label <column>', 'with --data: the column to predict')
    .option('--positive <value>', 'with --data: the value of the label that counts as positive (1)')
    .action(async (file: string, options: RunOptions) => {
      const loaded = await loadScenario(file, { ...dataParameters(options), ...options.set })
      const { scenario, name, baseFolder } = loaded
      const folder = options.out ?? join(RESULTS, `${name}-seed${options.seed}`)
      await claimFolder(folder, options.force)
      const provenance = await provenanceOf(process.argv.slice(2))
      const checkpoints = new Checkpoints()
      const line = new ProgressLine()
      const startMs = performance.now()
      const simulated = await interruptible(
        (signal) =>
          simulate({
            scenario,
            seed: options.seed,
            scenarioName: name,
            baseFolder,
            signal,
            onProgress: (progress) => line.show(progress),
            onTrace: (checkpoint) => checkpoints.add(checkpoint),
          }),
        () => line.say('stopping; what is known is written (Ctrl-C again ends at once)'),
      ).finally(() => line.clear())
      const realSeconds = (performance.now() - startMs) / 1000 // the engine has no clock
      const result = { ...simulated, realSeconds, provenance }
      try {
        await writeRun(folder, result, checkpoints.list(), baseFolder)
      } catch (error) {
        process.stdout.write(`${terminalReport(result).join('\n')}\n`) // what was computed is shown, though it could not be kept
        throw error
      }
      print(result, folder)
    })
}

function dataParameters({ data, site, label, positive }: RunOptions): Record<string, unknown> {
  if (data === undefined) {
    const stray = site ?? label ?? positive
    if (stray === undefined) return {}
    throw refusal('data-options', '--site, --label and --positive say how to read --data: give --data FILE too')
  }
  if (label === undefined)
    throw refusal('data-options', '--data needs --label COLUMN: which column is to be predicted?')
  const table = { file: resolve(data), label, ...(positive === undefined ? {} : { positive }) }
  return { data: site === undefined ? { kind: 'table', ...table } : { kind: 'sites', ...table, site } }
}

function print(result: SimulationResult, folder: string): void {
  const page = result.scenario.report.html ? `, to look at: ${join(folder, 'report.html')}` : ''
  process.stdout.write(`${[...terminalReport(result), `written ${folder}${page}`].join('\n')}\n`)
  if (result.outcome === 'interrupted') process.exitCode = EXIT.interrupted
  const broken = result.checks.find(({ failure }) => failure !== null)
  if (broken?.failure == null && result.outcome !== 'check-failed') return
  process.exitCode = EXIT.failed
  const at = broken?.failure ? ` at event ${broken.failure.event}` : ''
  process.stderr.write(
    `consilium-netsim: a check failed: ${broken?.name ?? 'unknown'}${at} (scenario ${result.scenarioName}, seed ${result.seed}): run it again with: ${shellLine(['consilium-netsim', 'replay', folder])}\n`,
  )
}
