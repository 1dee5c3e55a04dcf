/** The folder of one run: what is written, and how it is read again. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { messageOf } from '../../src/core/errors.ts'
import { reportPage } from '../../src/report/page.ts'
import type { TraceCheckpoint } from '../options.ts'
import { runPage } from '../report/runPage.ts'
import { type NodeSummary, SAMPLE_COLUMNS, type SimulationResult } from '../result.ts'
import { readScenario, scenarioText } from '../scenario/read.ts'
import type { Scenario } from '../scenario/schema.ts'
import { checkpointText, parseCheckpoints } from './checkpoints.ts'
import { refusal } from './command.ts'
import { csv } from './csv.ts'

// biome-ignore format: one list
const NODE_COLUMNS = [
  'node', 'name', 'rows', 'round', 'up', 'starts', 'adversary', 'auc', 'accuracy', 'logLoss', 'bytesSent', 'merges', 'epsilon', 'asideShare',
] as const satisfies readonly (keyof NodeSummary)[]

/** A run, read again. */
export interface StoredRun {
  readonly folder: string
  readonly result: SimulationResult
  /** As in scenario.yaml: files are relative to `folder`. */
  readonly scenario: Scenario
  readonly checkpoints: readonly TraceCheckpoint[]
}

/** Makes the folder before the run, so that what can't be written shows at once. Errors: `folder-taken`, `folder-unwritable`. */
export async function claimFolder(folder: string, force: boolean): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    if (force || (await readdir(folder)).length === 0) return
  } catch (error) {
    throw refusal('folder-unwritable', `${folder}: ${messageOf(error)}: name another folder with --out`)
  }
  throw refusal('folder-taken', `${folder} has files in it already: name another folder with --out, or say --force`)
}

/** Writes all files; result.json comes last and at once, so that a folder with it is whole. */
export async function writeRun(
  folder: string,
  result: SimulationResult,
  checkpoints: readonly TraceCheckpoint[],
  baseFolder: string,
): Promise<void> {
  const files: [string, string][] = [
    ['scenario.yaml', scenarioText(movedFiles(result.scenario, baseFolder, folder))],
    [
      'metrics.csv',
      csv(
        SAMPLE_COLUMNS,
        result.samples.map((sample) => SAMPLE_COLUMNS.map((key) => sample[key])),
      ),
    ],
    [
      'nodes.csv',
      csv(
        NODE_COLUMNS,
        result.nodes.map((node) => NODE_COLUMNS.map((key) => node[key])),
      ),
    ],
    ['trace.hash', `${result.traceHash}\n`],
    ['trace.checkpoints', checkpointText(checkpoints)],
  ]
  if (result.scenario.report.html) files.push(['report.html', runPage(result)])
  if (result.scenario.report.html && result.studyReport !== null)
    files.push(['study.html', reportPage(result.studyReport)])
  for (const name of ['result.json', 'report.html', 'study.html']) await rm(join(folder, name), { force: true }) // of a run before, with --force
  for (const [name, text] of files) await writeFile(join(folder, name), text)
  await writeWhole(join(folder, 'result.json'), `${JSON.stringify(result, null, 1)}\n`)
}

/** Writes beside it, then renames: the file is there whole or not at all. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const partial = `${path}.partial-${process.pid}`
  await writeFile(partial, text, { flush: true })
  await rename(partial, path)
}

/** Reads what `run` wrote. Errors: `run-missing`, `run-unreadable`, those of `readScenario`. */
export async function readRun(folder: string): Promise<StoredRun> {
  const result = await readResult(folder)
  const scenario = await readScenario(join(folder, 'scenario.yaml'))
  const checkpoints = parseCheckpoints(await textOf(folder, 'trace.checkpoints'))
  if (checkpoints === null)
    throw refusal('run-unreadable', `${join(folder, 'trace.checkpoints')}: lines of an event and a hash are expected`)
  return { folder, result, scenario, checkpoints }
}

/** Reads result.json alone. Errors: `run-missing`, `run-unreadable`. */
export async function readResult(folder: string): Promise<SimulationResult> {
  const path = join(folder, 'result.json')
  let result: Partial<SimulationResult>
  try {
    result = JSON.parse(await textOf(folder, 'result.json')) as Partial<SimulationResult>
  } catch (error) {
    if (error instanceof SyntaxError) throw refusal('run-unreadable', `${path}: ${messageOf(error)}: run it again`)
    throw error
  }
  const isWhole =
    Array.isArray(result?.samples) && typeof result.traceHash === 'string' && result.scenario !== undefined
  if (result?.format === 1 && isWhole) return result as SimulationResult
  throw refusal(
    'run-unreadable',
    `${path}: format ${String(result?.format)} was given, a result of format 1 is expected`,
  )
}

async function textOf(folder: string, name: string): Promise<string> {
  try {
    return await readFile(join(folder, name), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? `there is no ${name} in it` : messageOf(error)
    throw refusal('run-missing', `${folder}: ${why}: give a folder that "consilium-netsim run" wrote`)
  }
}

/** The scenario with its relative files told from another folder. */
export function movedFiles(scenario: Scenario, from: string, to: string): Scenario {
  const moved = (file: string): string => {
    if (isAbsolute(file)) return file
    return relative(resolve(to), resolve(from, file)).replaceAll('\\', '/')
  }
  const { nodes, network, data, learner } = scenario
  const { availability } = nodes
  const { topology } = network
  return {
    ...scenario,
    nodes: {
      ...nodes,
      availability: availability.kind === 'trace' ? { ...availability, file: moved(availability.file) } : availability,
    },
    network: {
      ...network,
      topology: topology.kind === 'file' ? { ...topology, file: moved(topology.file) } : topology,
    },
    data: 'file' in data ? { ...data, file: moved(data.file) } : data,
    learner: learner.kind === 'tfjs' && learner.model !== null ? { ...learner, model: moved(learner.model) } : learner,
  }
}
