/** sweep: all combinations of parameters with all seeds, over worker threads; goes on after a kill. */
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { duration } from '../../src/cli/output.ts'
import { didYouMean } from '../../src/config/closest.ts'
import { VERSION } from '../../src/config/version.ts'
import { CURVES, type CurveKey, type Target } from '../report/measures.ts'
import { parseScenario } from '../scenario/read.ts'
import { command, type Engine, EXIT, setOption } from './command.ts'
import { interruptible } from './interrupt.ts'
import { type Answer, type Job, runPool } from './pool.ts'
import { ProgressLine } from './progress.ts'
import { provenanceOf } from './provenance.ts'
import { RESULTS } from './run.ts'
import { type Loaded, loadScenario } from './scenarios.ts'
import { openSweep, type RunRecord, readRecords, type SweepHeader, writeRecord } from './sweepFolder.ts'
import { finishSweep } from './sweepOutcome.ts'
import {
  type Axis,
  axisOption,
  type Shard,
  seedsOption,
  shardOf,
  shardOption,
  type Task,
  tasksOf,
} from './sweepPlan.ts'

const JOBS_MAX = 1_024

interface SweepOptions {
  readonly param: readonly Axis[]
  readonly seeds: readonly number[]
  readonly jobs: number
  readonly shard?: Shard
  readonly out?: string
  readonly set: Readonly<Record<string, unknown>>
  readonly reach: readonly Target[]
}

/** Errors: `scenario-…`, `sweep-…`, `folder-…`. */
export function sweepCommand({ worker }: Engine): Command {
  return command(
    'sweep',
    'run all combinations of parameters with all seeds; the same command goes on where it was stopped',
    'consilium-netsim sweep fanout --param gossip.fanout=1,3,5 --seeds 20 --reach auc=0.8',
    'consilium-netsim sweep fanout --param gossip.fanout=1,3,5 --seeds 20 --shard 2/8 --out shard-2',
  )
    .argument('<scenario>', 'a scenario file, or a name that "ls" shows')
    .option('--param <path=v1,v2,…>', 'the values of one parameter, as YAML; may be repeated', axisOption, [])
    .option('--seeds <seeds>', 'how many (20), from..to (3..9) or a list (1,5,7)', seedsOption, seedsOption('5'))
    .option('--jobs <number>', 'worker threads', jobsOption, Math.min(availableParallelism(), JOBS_MAX))
    .option('--shard <i/n>', 'do only the i-th of n parts; "merge" joins them', shardOption)
    .option('--out <folder>', `where to write; ${RESULTS}/NAME-sweep where absent`)
    .option('--set <path=value>', 'set one value in all runs, as YAML; may be repeated', setOption, {})
    .option(
      '--reach <measure=value>',
      `also the virtual time until it is reached (${CURVES.join(', ')}); may be repeated`,
      reachOption,
      [],
    )
    .action(async (file: string, options: SweepOptions) => {
      const loaded = await loadScenario(file, options.set)
      const plan = { axes: options.param, seeds: options.seeds }
      const tasks = tasksOf(plan)
      const scenarios = await scenariosOf(loaded, options, tasks)
      const shard = options.shard ?? null
      const suffix = shard === null ? 'sweep' : `sweep-${shard.index}-of-${shard.of}`
      const folder = options.out ?? join(RESULTS, `${loaded.name}-${suffix}`)
      const { commit } = await provenanceOf([])
      const { name: scenarioName, scenario } = loaded
      const header: SweepHeader = { format: 1, scenarioName, scenario, consilium: VERSION, commit, ...plan, shard }
      await openSweep(folder, header)
      const own = shardOf(tasks, shard)
      const records = await readRecords(folder, own)
      const left = own.filter(({ key }) => !records.has(key))
      const sweep = new Sweep(folder, own.length, records)
      const jobs = left.map(({ combination, seed, parameters }): Job => {
        const one = scenarios[combination] as Loaded['scenario']
        return { scenario: one, seed, scenarioName, baseFolder: loaded.baseFolder, parameters }
      })
      await sweep.run(jobs, left, { worker, threads: options.jobs })
      const found = own.flatMap(({ key }) => records.get(key) ?? [])
      if (found.length > 0) await finishSweep(folder, header, found, own.length, options.reach)
      sweep.tell()
    })
}

/** Each combination's scenario, all read before the first run begins. */
async function scenariosOf(
  loaded: Loaded,
  { set }: SweepOptions,
  tasks: readonly Task[],
): Promise<Loaded['scenario'][]> {
  const text = await readFile(loaded.path, 'utf8')
  const found: Loaded['scenario'][] = []
  for (const { combination, parameters } of tasks)
    found[combination] ??= parseScenario(text, loaded.path, { ...set, ...parameters })
  return found
}

/** The state of one sweep while it goes on. */
class Sweep {
  readonly #folder: string
  readonly #planned: number
  readonly #records: Map<string, RunRecord>
  readonly #errors: string[] = []
  readonly #line = new ProgressLine()
  readonly #startMs = performance.now()
  #fresh = 0
  #isStopped = false

  constructor(folder: string, planned: number, records: Map<string, RunRecord>) {
    this.#folder = folder
    this.#planned = planned
    this.#records = records
  }

  async run(jobs: readonly Job[], tasks: readonly Task[], how: { worker: string; threads: number }): Promise<void> {
    this.#show()
    const work = (signal: AbortSignal): Promise<void> =>
      runPool(jobs, { ...how, signal, onAnswer: (job, answer) => this.#keep(tasks[job] as Task, answer) })
    await interruptible(work, () => {
      this.#isStopped = true
    }).finally(() => this.#line.clear())
  }

  async #keep(task: Task, answer: Answer): Promise<void> {
    if ('error' in answer) this.#errors.push(`seed ${task.seed}: ${answer.error.message}`)
    else {
      await writeRecord(this.#folder, task, answer.record)
      this.#records.set(task.key, answer.record)
      this.#fresh++
    }
    this.#show()
  }

  #show(): void {
    const seconds = (performance.now() - this.#startMs) / 1000
    const left = this.#planned - this.#records.size
    const pace = this.#fresh > 0 ? `, ${duration((seconds / this.#fresh) * left)} left` : ''
    this.#line.say(`${this.#records.size} of ${this.#planned} runs in ${duration(seconds)}${pace}`)
  }

  /** What is not as it should be, and the exit code. */
  tell(): void {
    const left = this.#planned - this.#records.size
    if (left === 0) return
    process.exitCode = this.#isStopped ? EXIT.interrupted : EXIT.failed
    const [first] = this.#errors
    const why = this.#isStopped ? 'interrupted' : `${this.#errors.length} runs failed, the first: ${first ?? 'unknown'}`
    process.stderr.write(
      `consilium-netsim: ${why}: ${this.#records.size} of ${this.#planned} runs are done, and the same command goes on with the others\n`,
    )
  }
}

function jobsOption(given: string): number {
  const jobs = Number(given)
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= JOBS_MAX) return jobs
  throw new InvalidArgumentError(`A whole number from 1 to ${JOBS_MAX} is expected.`)
}

/** Collects `auc=0.8`. Error: `InvalidArgumentError`. */
export function reachOption(given: string, before: readonly Target[]): Target[] {
  const [key = '', text = ''] = given.split('=')
  const value = Number(text)
  if (!(CURVES as readonly string[]).includes(key))
    throw new InvalidArgumentError(`"${key}" is not one of ${CURVES.join(', ')}${didYouMean(key, CURVES)}.`)
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError('A number is expected, auc=0.8 for example.')
  return [...before, { key: key as CurveKey, value }]
}
