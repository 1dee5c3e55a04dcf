/** The folder of a sweep: its header, and one file for each finished run. A file is there whole or not at all, so a sweep can go on after a kill. */
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../src/core/errors.ts'
import { type Curve, curveOf, type Measures, measuresOf } from '../report/measures.ts'
import type { Outcome, SimulationResult } from '../result.ts'
import type { Scenario } from '../scenario/schema.ts'
import { refusal } from './command.ts'
import { writeWhole } from './runFolder.ts'
import type { Axis, Shard, Task } from './sweepPlan.ts'

/** `sweep.json`. */
export interface SweepHeader {
  readonly format: 1
  readonly scenarioName: string
  /** With `--set` done, before any parameter. */
  readonly scenario: Scenario
  readonly consilium: string
  readonly commit: string | null
  readonly axes: readonly Axis[]
  readonly seeds: readonly number[]
  /** Null: all of it. */
  readonly shard: Shard | null
}

/** One finished run: a file of `runs/`. */
export interface RunRecord {
  readonly format: 1
  readonly parameters: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly outcome: Outcome
  /** Of a check that failed. */
  readonly failure: string | null
  readonly measures: Measures
  readonly curve: Curve
  readonly events: number
  readonly realSeconds: number
  readonly traceHash: string
}

/** What a sweep keeps of a result. */
export function recordOf(result: SimulationResult, parameters: RunRecord['parameters']): RunRecord {
  const broken = result.checks.find(({ failure }) => failure !== null)
  return {
    format: 1,
    parameters,
    seed: result.seed,
    outcome: result.outcome,
    failure: broken?.failure ? `${broken.name}: event ${broken.failure.event}: ${broken.failure.message}` : null,
    measures: measuresOf(result),
    curve: curveOf(result),
    events: result.events,
    realSeconds: result.realSeconds,
    traceHash: result.traceHash,
  }
}

/** Makes the folder, or takes up one that holds the same sweep. Errors: `sweep-differs`, `folder-taken`, `folder-unwritable`. */
export async function openSweep(folder: string, header: SweepHeader): Promise<void> {
  let present: string[]
  try {
    await mkdir(join(folder, 'runs'), { recursive: true })
    present = await readdir(folder)
  } catch (error) {
    throw refusal('folder-unwritable', `${folder}: ${messageOf(error)}: name another folder with --out`)
  }
  if (present.includes('sweep.json')) refuseOther(folder, await readHeader(folder), header)
  else if (present.some((name) => name !== 'runs'))
    throw refusal('folder-taken', `${folder} has files of something else in it: name another folder with --out`)
  await writeWhole(join(folder, 'sweep.json'), `${JSON.stringify(header, null, 1)}\n`)
}

/** Error: `sweep-differs`, which names the first differences. */
export function refuseOther(folder: string, before: SweepHeader, now: SweepHeader): void {
  const found = [
    ...(before.consilium === now.consilium ? [] : [`consilium ${before.consilium} then, ${now.consilium} now`]),
    ...(before.commit === now.commit
      ? []
      : [`commit ${before.commit ?? 'unknown'} then, ${now.commit ?? 'unknown'} now`]),
    ...changes(before.scenario, now.scenario, ''),
  ]
  if (found.length === 0) return
  const more = found.length > 3 ? `, and ${found.length - 3} more` : ''
  throw refusal(
    'sweep-differs',
    `${folder} holds runs of something else: ${found.slice(0, 3).join('; ')}${more}: name another folder with --out`,
  )
}

/** Where two plain values differ: `gossip.fanout 1 then, 3 now`. */
export function changes(before: unknown, now: unknown, path: string): string[] {
  if (isBox(before) && isBox(now)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])]
    return keys.flatMap((key) => changes(before[key], now[key], path === '' ? key : `${path}.${key}`))
  }
  if (JSON.stringify(before) === JSON.stringify(now)) return []
  const word = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 60)
  return [`${path} ${word(before)} then, ${word(now)} now`]
}

const isBox = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** Reads `sweep.json`. Errors: `sweep-missing`, `sweep-unreadable`. */
export async function readHeader(folder: string): Promise<SweepHeader> {
  const path = join(folder, 'sweep.json')
  let header: Partial<SweepHeader>
  try {
    header = JSON.parse(await readFile(path, 'utf8')) as Partial<SweepHeader>
  } catch (error) {
    if (error instanceof SyntaxError) throw refusal('sweep-unreadable', `${path}: ${messageOf(error)}`)
    throw refusal('sweep-missing', `${folder}: there is no sweep.json in it: give a folder that "sweep" wrote`)
  }
  if (header?.format === 1 && Array.isArray(header.axes) && Array.isArray(header.seeds)) return header as SweepHeader
  throw refusal('sweep-unreadable', `${path}: a sweep of format 1 is expected`)
}

/** Writes one finished run. */
export async function writeRecord(folder: string, { key }: Task, record: RunRecord): Promise<void> {
  await writeWhole(join(folder, 'runs', `${key}.json`), `${JSON.stringify(record)}\n`)
}

/** The finished runs of these tasks, by key; a file that can't be read counts as none. */
export async function readRecords(folder: string, tasks: readonly Task[]): Promise<Map<string, RunRecord>> {
  const present = new Set(await readdir(join(folder, 'runs')).catch(() => []))
  const found = new Map<string, RunRecord>()
  for (const { key } of tasks) {
    if (!present.has(`${key}.json`)) continue
    const record = await readRecord(join(folder, 'runs', `${key}.json`))
    if (record !== null) found.set(key, record)
  }
  return found
}

async function readRecord(path: string): Promise<RunRecord | null> {
  try {
    const record = JSON.parse(await readFile(path, 'utf8')) as RunRecord
    return record?.format === 1 && typeof record.traceHash === 'string' ? record : null
  } catch {
    return null
  }
}
